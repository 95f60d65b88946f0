"""The table of what is measured."""

from dataclasses import dataclass
from fnmatch import fnmatch

from .postgres_cases import POSTGRES
from .process import Usage

PROTOCOLS = {
    "h1": "HTTP/1.1, cleartext",
    "tls": "HTTP/1.1 over TLS",
    "h2": "HTTP/2 over TLS",
}
BODIES = {"1k": 1024, "64k": 64 * 1024}
CONNECTIONS = (1, 64, 512)


@dataclass(frozen=True)
class Case:
    """One row: protocol, size of the answer, connections, and requests in flight on each of them.

    `cached`: the proxy answers from its own memory, and the application sees no request.
    """

    protocol: str
    body: str
    connections: int
    streams: int = 1
    cached: bool = False

    @property
    def name(self):
        multiplexed = f"x{self.streams}" if self.streams > 1 else ""
        kind = "cached" if self.cached else self.protocol
        return f"{kind}-{self.body}-{self.connections}{multiplexed}"

    @property
    def path(self):
        return f"/cached/{self.body}" if self.cached else f"/api/{self.body}"


def _table():
    for protocol in PROTOCOLS:
        for body in BODIES:
            for connections in CONNECTIONS:
                yield Case(protocol, body, connections)
    # What HTTP/2 is for: few connections, many requests on each.
    yield Case("h2", "1k", 8, streams=16)


def _cached_table():
    for body in BODIES:
        for connections in CONNECTIONS[1:]:
            yield Case("h1", body, connections, cached=True)


PROXIED, CACHED = tuple(_table()), tuple(_cached_table())
ALL = PROXIED + CACHED  # of HTTP; those of PostgreSQL are another table
# The rows that the goals of CPU time and of latency are about.
HEADLINE = next(case for case in ALL if case.name == "h1-1k-64")
CACHED_HEADLINE = next(case for case in ALL if case.name == "cached-1k-64")


def select(patterns):
    """The cases whose names match any of the patterns (`h1-1k-64`, `tls-*`), in the table's order."""
    known = ALL + POSTGRES
    for pattern in patterns:
        if not any(fnmatch(case.name, pattern) for case in known):
            raise Usage(f"no case is named {pattern}; known: {', '.join(case.name for case in known)}")
    return [case for case in known if any(fnmatch(case.name, pattern) for pattern in patterns)]
