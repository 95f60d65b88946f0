"""Processor time and memory of a process tree, as the system counts them."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

SOURCES = {
    "cpu-clock": "the process CPU clock (clock_getcpuclockid: user + system, all threads, in nanoseconds)",
    "schedstat": "/proc/PID/task/*/schedstat (run time of all threads, in nanoseconds)",
    "stat": "/proc/PID/stat (utime + stime, in clock ticks)",
}


def tree(root):
    """Process ids of `root` and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            parent = _parent(int(entry))
            if parent is not None:
                children.setdefault(parent, []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def _parent(pid):
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def _stat_fields(pid):
    """The fields of /proc/PID/stat from the third on (the second may hold spaces)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _by_clock(pid):
    # The clock id that clock_getcpuclockid(3) gives for another process on Linux: CPUCLOCK_SCHED is 2.
    return time.clock_gettime_ns((~pid << 3) | 2)


def _by_schedstat(pid):
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _by_stat(pid):
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_NS if fields else 0


_READERS = {"cpu-clock": _by_clock, "schedstat": _by_schedstat, "stat": _by_stat}


def best_source():
    """The finest way of reading CPU time that works here; `schedstat` needs a kernel that fills it."""
    for name in SOURCES:
        try:
            if _READERS[name](os.getpid()) > 0:
                return name
        except OSError:
            continue
    return "stat"


def cpu_ns(pids, source, gone=None):
    """CPU time, user and system, that these processes have used so far, in nanoseconds.

    One that has ended is an error, or counts as `gone`.
    """
    total = 0
    for pid in pids:
        try:
            total += _READERS[source](pid)
        except OSError:
            if gone is None:
                raise
            total += gone
    return total


def resident_bytes(root, kind="VmRSS:"):
    """VmRSS of a process tree, or a part of it, in bytes. Pages shared by its processes count once for each."""
    return 1024 * sum(_kib(f"/proc/{pid}/status", kind) for pid in tree(root))


def _kib(path, key):
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


@dataclass
class CoreTime:
    """What one core has done so far, in nanoseconds (resolution: one clock tick)."""

    busy: int
    stolen: int


def machine_time():
    """Counters of all cores together."""
    return core_time("")


def core_time(core):
    """Counters of one core from /proc/stat; `stolen` is time the hypervisor gave to others."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, values[:8])
            return CoreTime((user + nice + system + irq + softirq) * TICK_NS, steal * TICK_NS)
    raise RuntimeError(f"/proc/stat has no core {core}")
