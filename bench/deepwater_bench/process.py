"""Children of a run: started pinned to a core, ended by process id whatever happens."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from .cpu import tree

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
_LIBC = ctypes.CDLL(None, use_errno=True)
STOP_SECONDS = 5.0


class Failure(Exception):
    """Something the reader of the message can act on; the run ends."""

    status = 1


class Usage(Failure):
    """A bad option, or a program that is missing and may not be installed."""

    status = 2


def dies_with_us(number=signal.SIGTERM):
    """What a child does before it becomes its program, so as not to outlive a harness that was killed outright."""
    return lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


_before_exec = dies_with_us()


def _before_exec_of_load():
    _before_exec()
    # Timers that fire when they are due (default: up to 50 us late) keep a paced load even.
    _LIBC.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


class Child:
    """One running program, its standard error kept in a file."""

    def __init__(self, name, process, log):
        self.name = name
        self.process = process
        self.log = log

    @property
    def pid(self):
        return self.process.pid

    def words(self):
        """The last lines it wrote to standard error."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        """Ends the program and its descendants: politely, then for good."""
        if self.process.poll() is not None:
            return
        family = tree(self.pid)
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in family:
                _kill(pid)
            self.process.wait()


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Children:
    """All programs of a run; leaving the `with` block ends them, last started first."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self._running):
            child.stop()
        self._running.clear()

    def start_load(self, argv, core, stdout, name="load"):
        """Starts a load generator, which needs finer timers than the programs under test."""
        return self.start(name, argv, core, _before_exec_of_load, stdout=stdout)

    def start(self, name, argv, core, before_exec=_before_exec, **options):
        """Starts `argv` on one core, or on several ("0,1"). Standard error goes to a file in the run's directory."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as stderr:
            options.setdefault("stdout", stderr)
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=before_exec,
                **options,
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def stop(self, child):
        child.stop()
        self._running.remove(child)


class Ports:
    """Free ports on loopback, outside the range from which the system takes ports for clients."""

    def __init__(self):
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        self._candidates = iter(range(min(low, 32768) - 1, 10000, -1))

    def take(self):
        for port in self._candidates:
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise Failure("no free port between 10000 and 32768 on 127.0.0.1")


def wait_for_port(child, port, seconds=10.0):
    """Returns once `child` accepts connections on `port`."""
    deadline = time.monotonic() + seconds
    while True:
        if child.process.poll() is not None:
            raise Failure(f"{child.name} ended with status {child.process.returncode}:\n{child.words()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failure(f"{child.name} does not listen on 127.0.0.1:{port}: {error}\n{child.words()}") from None
        time.sleep(0.02)


def raise_file_limit(wanted=65536):
    """Raises the limit on open files for this process and its children; returns what is in force."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, limit), limit))
            break
        except (OSError, ValueError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
