"""What it costs this machine to wake a sleeping thread: the floor under every latency measured here.

A request through a proxy wakes a thread four times, the origin alone twice. On a virtual machine a
wake-up of another core leaves the guest and can cost more than the proxy's own work.
"""

import os
import time

TRIPS = 5000


def round_trip_us(here, there, trips=TRIPS):
    """Mean time of a byte through a pipe to a process on core `there` and back, in microseconds."""
    allowed = os.sched_getaffinity(0)
    ask_read, ask_write = os.pipe()
    answer_read, answer_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ask_write)
        os.sched_setaffinity(0, {there})
        while os.read(ask_read, 1):
            os.write(answer_write, b"x")
        os._exit(0)
    try:
        os.sched_setaffinity(0, {here})
        began = time.perf_counter()
        for _ in range(trips):
            os.write(ask_write, b"x")
            os.read(answer_read, 1)
        return (time.perf_counter() - began) / trips * 1e6
    finally:
        os.sched_setaffinity(0, allowed)
        for descriptor in (ask_write, ask_read, answer_read, answer_write):
            os.close(descriptor)
        os.waitpid(child, 0)
