"""Load generators: a command line in, latency and errors out."""

import json
import math
import re
from dataclasses import dataclass

from .process import Failure
from .tools import find

_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


@dataclass(frozen=True)
class Outcome:
    """What a load generator saw; times in microseconds."""

    p50_us: float
    p99_us: float
    errors: int
    # All requests of the load, and the slowest of them, where the generator says so.
    requests: int | None = None
    max_us: float | None = None
    rps: float | None = None


class Wrk:
    """HTTP/1.1 as fast as the connections allow (closed loop)."""

    def __init__(self, case, port, headers=()):
        self.case, self.port, self.headers = case, port, headers

    def command(self, seconds, _directory):
        scheme = "http" if self.case.protocol == "h1" else "https"
        options = ["-t1", f"-c{self.case.connections}", f"-d{math.ceil(seconds)}s", "--latency"]
        for header in self.headers:
            options += ["-H", header]
        return [find("wrk"), *options, f"{scheme}://127.0.0.1:{self.port}{self.case.path}"]

    def outcome(self, output, _directory, _warmup):
        errors = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", output)))
        for line in re.findall(r"Socket errors: (.*)", output):
            errors += sum(map(int, re.findall(r"\d+", line)))
        requests = int(re.search(r"(\d+) requests in", output)[1])
        return Outcome(_wrk_percentile(output, 50), _wrk_percentile(output, 99), errors, requests)


def _wrk_percentile(output, percent):
    found = re.search(rf"^ +{percent}%\s+([\d.]+)(us|ms|s|m) *$", output, re.MULTILINE)
    if not found:
        raise Failure(f"wrk printed no latency:\n{output}")
    return float(found[1]) * _UNITS[found[2]]


class H2load:
    """HTTP/2 over TLS as fast as connections and streams allow (closed loop)."""

    LOG = "h2load.log"

    def __init__(self, case, port):
        self.case, self.port = case, port

    def command(self, seconds, directory):
        (directory / self.LOG).unlink(missing_ok=True)
        options = ["-t1", f"-c{self.case.connections}", f"-m{self.case.streams}"]
        options += [f"-D{math.ceil(seconds)}s", f"--log-file={directory / self.LOG}"]
        return [find("h2load"), *options, f"https://127.0.0.1:{self.port}{self.case.path}"]

    def outcome(self, output, directory, warmup):
        """Its log holds a line per answer: start (microseconds), status, duration (microseconds)."""
        counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
        if not counts or int(counts[1]) == 0:
            raise Failure(f"h2load got no answer:\n{output}")
        rows = [line.split("\t") for line in (directory / self.LOG).read_text().splitlines()]
        begin = min(int(row[0]) for row in rows) + warmup * 1e6
        times = sorted(int(row[2]) for row in rows if int(row[0]) >= begin)
        if not times:
            raise Failure(f"h2load logged no answer after {warmup} s of warming up")
        errors = sum(map(int, counts.groups()[1:3])) + sum(row[1] != "200" for row in rows)
        return Outcome(percentile(times, 0.50), percentile(times, 0.99), errors)


def percentile(ordered, share):
    """The value below which this share of ordered ones lies."""
    return float(ordered[min(int(len(ordered) * share), len(ordered) - 1)])


def get(port, path):
    """A request for `path` as Pace sends it."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def _requests_file(path, requests):
    """What pace and surge send: each request after a line with its length."""
    path.write_bytes(b"".join(b"%d\n%s" % (len(request), request) for request in requests))
    return path


class Pace:
    """HTTP/1.1, cleartext, at a fixed number of requests per second (open loop).

    It sends `requests` in turn; each of them once and as fast as the connections allow where `rate` is 0.
    """

    def __init__(self, binary, port, requests, connections, rate, warmup=0, seconds=0):
        self.binary, self.port, self.requests, self.connections = binary, port, requests, connections
        self.rate, self.warmup, self.seconds = rate, warmup, seconds

    def command(self, _seconds, directory):
        # Two of them may run at once.
        file = _requests_file(directory / f"pace-{self.port}-{id(self)}.requests", self.requests)
        numbers = (self.connections, self.rate, self.warmup, self.seconds)
        return [self.binary, f"127.0.0.1:{self.port}", file, *numbers]

    def outcome(self, output, _directory, _warmup):
        try:
            seen = json.loads(output)
        except ValueError:
            raise Failure(f"pace printed no result: {output}") from None
        # A machine too slow for the rate measures something else.
        short = seen["rps"] < 0.97 * self.rate
        return Outcome(seen["p50_us"], seen["p99_us"], int(short), seen["requests"], seen["max_us"], seen["rps"])


@dataclass(frozen=True)
class Fate:
    """What became of one request of a surge; times in seconds, `due` since the start of the load."""

    due: float
    # Its number among those that are sent in turn.
    number: int
    # Of HTTP, or one of the two below.
    status: int
    took: float
    late: float

    GAVE_UP, BROKE_OFF = 0, 1


class Surge:
    """HTTP/1.1, cleartext, at the rates of `phases` one after the other (open loop), sending `requests` in turn.

    Its outcome is the list of all requests' fates, in the order in which they were due.
    """

    def __init__(self, binary, port, requests, phases, patience_ms):
        self.binary, self.port, self.requests, self.phases, self.patience_ms = binary, port, requests, phases, patience_ms

    def command(self, _seconds, directory):
        file = _requests_file(directory / "surge.requests", self.requests)
        phases = [f"{rate}:{seconds}" for rate, seconds in self.phases]
        return [self.binary, f"127.0.0.1:{self.port}", file, self.patience_ms, *phases]

    def outcome(self, output, _directory, _warmup):
        rows = (map(int, line.split()) for line in output.splitlines())
        fates = [Fate(due / 1e6, number, status, took / 1e6, late / 1e6) for due, number, status, took, late in rows]
        return sorted(fates, key=lambda fate: fate.due)


def saturating(case, port):
    """The generator that drives `case` as fast as it goes."""
    return H2load(case, port) if case.protocol == "h2" else Wrk(case, port)
