"""What all measurements of a run share: a private directory, cores, ports, certificates, the origin."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import tools
from .cpu import best_source
from .origin import Origin
from .process import Children, Failure, Ports, Usage, raise_file_limit

# Seconds from the start of a load to the measured window: connections and handshakes lie before it.
WARMUP = 0.8
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Cores:
    """Which core each part of a measurement is pinned to."""

    proxy: int
    load: int
    origin: int


@dataclass
class Setting:
    directory: Path
    # Another one, in memory where the system has such a file system: what a cache keeps in files.
    fast_directory: Path
    children: Children
    cores: Cores
    cpu_source: str
    seconds: float
    warmup: float = WARMUP
    ports: Ports = field(default_factory=Ports)
    # For the @NAMES@ of the configuration templates.
    values: dict = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def all_cores(self):
        """For programs that share all cores, as `taskset` takes them."""
        return ",".join(map(str, sorted(os.sched_getaffinity(0))))

    @property
    def core_count(self):
        return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def prepared(cores, seconds, origin=True):
    """A setting with the origin running, unless nothing needs it; programs and files are gone when the block ends."""
    chosen = _cores(cores)
    raise_file_limit()
    directory = Path(tempfile.mkdtemp(prefix="deepwater-bench-"))
    in_memory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    fast_directory = Path(tempfile.mkdtemp(prefix="deepwater-bench-", dir=in_memory))
    try:
        with Children(directory) as children:
            setting = Setting(directory, fast_directory, children, chosen, best_source(), seconds)
            if origin:
                _add_origin(setting)
            yield setting
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(fast_directory, ignore_errors=True)


def _add_origin(setting):
    setting.origin = Origin(setting)
    cert, key, pem = tools.certificate(setting.directory)
    setting.values = setting.origin.ports | {"DIR": setting.directory, "CERT": cert, "KEY": key, "PEM": pem}
    # Caches have a second application, which runs only where it is measured.
    setting.values["SLOW"] = setting.ports.take()


@contextlib.contextmanager
def started(setting, *contenders):
    """Fresh processes of these peers for the length of the block."""
    running = []
    try:
        for peer in contenders:
            peer.start(setting)
            running.append(peer)
        yield
    finally:
        for peer in reversed(running):
            peer.stop(setting)


def _cores(text):
    allowed = sorted(os.sched_getaffinity(0))
    if text:
        try:
            chosen = [int(part) for part in text.split(",")]
        except ValueError:
            chosen = []
        if len(chosen) != 3 or not set(chosen) <= set(allowed):
            raise Usage(f"--cores {text}: wanted three of the cores {allowed}, as in 0,1,1")
        return Cores(*chosen)
    if len(allowed) < 2:
        raise Failure("a proxy and its load need a core each; this machine gives one")
    return Cores(allowed[0], allowed[1], allowed[2] if len(allowed) > 2 else allowed[1])
