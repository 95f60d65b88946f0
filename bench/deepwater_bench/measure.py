"""One measurement of each kind. Everything here runs once; rounds and medians are made elsewhere."""

import select
import socket
import time
from dataclasses import dataclass

from . import load
from .cpu import core_time, cpu_ns, resident_bytes, tree
from .process import Failure

MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    at: float
    requests: int
    cpu: int
    core: object

    @classmethod
    def take(cls, setting, pids):
        requests = setting.origin.requests()
        cpu = cpu_ns(pids, setting.cpu_source)
        return cls(time.monotonic(), requests, cpu, core_time(setting.cores.proxy))


class Drive:
    """A load on `target` in a process of its own; `outcome()` waits for its end."""

    def __init__(self, setting, target, generator, seconds, name="load"):
        self.setting, self.target, self.generator, self.seconds = setting, target, generator, seconds
        self.output = setting.directory / f"{name}.out"
        with self.output.open("wb") as stdout:
            command = generator.command(seconds, setting.directory)
            self.driver = setting.children.start_load(command, setting.cores.load, stdout, name)

    def outcome(self, warmup=0.0):
        status = self.driver.process.wait(self.seconds + 30)
        self.setting.children.stop(self.driver)
        if self.target.child.process.poll() is not None:
            raise Failure(f"{self.target.name} ended under load:\n{self.target.child.words()}")
        if status != 0:
            raise Failure(f"the load on {self.target.name} ended with status {status}:\n{self.driver.words()}")
        return self.generator.outcome(self.output.read_text(), self.setting.directory, warmup)


def under_load(setting, target, generator):
    """Drives `target` (a peer, or the origin itself) and returns the figures of the middle of the run.

    Processor time and requests are both read at the two ends of one window, after the connections are
    made and the generator has warmed up: requests from the origin's counter, so that no figure rests
    on what the load generator believes.
    """
    drive = Drive(setting, target, generator, setting.warmup + setting.seconds)
    pids = tree(target.child.pid)
    time.sleep(setting.warmup)
    first = Sample.take(setting, pids)
    time.sleep(setting.seconds)
    last = Sample.take(setting, pids)
    seen = drive.outcome(setting.warmup)

    elapsed, requests, cpu = last.at - first.at, last.requests - first.requests, last.cpu - first.cpu
    if requests <= 0:
        raise Failure(f"{target.name} passed no request to the origin in {elapsed:.1f} s")
    return _figures(first, last, requests, seen, seen.errors)


def _figures(first, last, requests, seen, errors):
    elapsed, cpu = last.at - first.at, last.cpu - first.cpu
    window = elapsed * 1e9
    return {
        "cpu_us": cpu / 1e3 / requests,
        "rps": requests / elapsed,
        "p50_us": seen.p50_us,
        "p99_us": seen.p99_us,
        "errors": errors,
        "core_share": cpu / window,
        "foreign_share": max(0.0, (last.core.busy - first.core.busy - cpu) / window),
        "stolen_share": (last.core.stolen - first.core.stolen) / window,
    }


def cached(setting, cache, case):
    """As fast as the case's connections go, from the cache alone.

    The origin sees no request and Varnish counts its own late, so the window is the whole load and the
    count the load generator's, which the cache's own must bear out once the connections are closed.
    """
    pids = tree(cache.child.pid)
    generator = load.saturating(case, cache.port("h1"))
    answered = cache.answered()
    first = Sample.take(setting, pids)
    seen = Drive(setting, cache, generator, setting.warmup + setting.seconds).outcome()
    last = Sample.take(setting, pids)
    missed = last.requests - first.requests
    counted = _settled(lambda: cache.answered() - answered, seen.requests)
    if abs(counted - seen.requests) > case.connections + 0.01 * seen.requests:
        raise Failure(f"{cache.name} counts {counted} answers where the load generator got {seen.requests}")
    return _figures(first, last, seen.requests, seen, seen.errors + missed)


def _settled(count, enough, seconds=2.0):
    """The count once it has reached `enough`, or after so long."""
    deadline = time.monotonic() + seconds
    while (counted := count()) < enough and time.monotonic() < deadline:
        time.sleep(0.05)
    return counted


def saturated(setting, target, case):
    """As fast as the case's connections go."""
    return under_load(setting, target, load.saturating(case, target.port(case.protocol)))


def paced(setting, target, case, rate, pace):
    """At `rate` requests per second, the same for every target; `pace` is the generator's binary."""
    port = target.port("h1")
    requests = [load.get(port, case.path)]
    generator = load.Pace(pace, port, requests, case.connections, rate, setting.warmup, setting.seconds)
    return under_load(setting, target, generator)


def idle(setting, peer, connections):
    """Resident memory of a fresh proxy, bare and with idle connections that each made one request."""
    before = resident_bytes(peer.child.pid)
    request = f"GET /api/1k HTTP/1.1\r\nHost: 127.0.0.1:{peer.port('h1')}\r\n\r\n".encode()
    clients = []
    try:
        for number in range(connections):
            # Several source addresses: one alone has fewer ports than a large test needs.
            source = f"127.0.0.{2 + number % 8}"
            client = socket.create_connection(("127.0.0.1", peer.port("h1")), 5, (source, 0))
            clients.append(client)
            client.sendall(request)
            _read_answer(client, peer)
        time.sleep(1.0)
        after = resident_bytes(peer.child.pid)
        open_still = connections - _closed(clients)
    finally:
        for client in clients:
            client.close()
    return {
        "connections": connections,
        "open_after": open_still,
        "before_mib": before / MIB,
        "after_mib": after / MIB,
        "kib_per_connection": (after - before) / 1024 / connections,
    }


def _read_answer(client, peer):
    answer = b""
    while True:
        piece = client.recv(65536)
        if not piece:
            raise Failure(f"{peer.name} closed an idle test's connection early")
        answer += piece
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= 1024:
            if not head.startswith(b"HTTP/1.1 200"):
                raise Failure(f"{peer.name} answers the idle test with {head.splitlines()[0]!r}")
            return


def _closed(clients):
    """How many the proxy closed: nothing was asked, so a readable socket holds an end of file."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    return len(poll.poll(0))


def churn(setting, peer, case, seconds):
    """Resident memory over `seconds` of connections that carry one request each.

    Growth counts from a fifth of the way in, when pools and caches have their size, to the end.
    """
    before = resident_bytes(peer.child.pid)
    generator = load.Wrk(case, peer.port("h1"), headers=("Connection: close",))
    output = setting.directory / "load.out"
    with output.open("wb") as stdout:
        command = generator.command(seconds, setting.directory)
        driver = setting.children.start_load(command, setting.cores.load, stdout)
    began, first = time.monotonic(), setting.origin.requests()
    samples = []
    while driver.process.poll() is None:
        samples.append((time.monotonic() - began, resident_bytes(peer.child.pid)))
        time.sleep(min(5.0, seconds / 50))
    requests = setting.origin.requests() - first
    setting.children.stop(driver)
    settled = next(size for at, size in samples if at >= seconds / 5)
    last = samples[-1][1]
    return {
        "seconds": seconds,
        "connections": requests,
        "errors": generator.outcome(output.read_text(), setting.directory, 0).errors,
        "before_mib": before / MIB,
        "settled_mib": settled / MIB,
        "after_mib": last / MIB,
        "growth_mib": (last - settled) / MIB,
        "growth_share": (last - settled) / settled,
    }
