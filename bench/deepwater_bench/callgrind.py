"""Instructions in user space, counted by valgrind: slow, and the same every time."""

import subprocess
import time
from contextlib import contextmanager

from .process import Failure


@contextmanager
def counting(setting, peer, data):
    """Starts `peer` under valgrind, which counts nothing yet; ended, it has written what it counted to `data`."""
    peer.start(setting, ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={data}"])
    try:
        yield
    finally:
        peer.stop(setting)


def window(setting, peer, mark):
    """Counts for the setting's seconds; `mark` is called at both ends."""
    mark()
    switch(peer, "on")
    time.sleep(setting.seconds)
    switch(peer, "off")
    mark()


def switch(peer, state):
    """Begins ("on") or ends ("off") the counting, which takes as long as a few hundred requests."""
    # It speaks with the program through pipes that are the program's user's.
    command = ["callgrind_control", "-i", state, str(peer.child.pid)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", **peer.run_as())
    if done.returncode != 0:
        raise Failure(f"callgrind_control failed:\n{done.stdout}{done.stderr}")


def annotated(data):
    """(instructions in all, the lines of the functions that have most of them)."""
    done = subprocess.run(["callgrind_annotate", str(data)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"callgrind counted nothing:\n{done.stderr}")
    rows = [line.strip() for line in done.stdout.splitlines() if "%)" in line]
    return int(rows[0].split()[0].replace(",", "")), rows
