"""The table of what is measured of PostgreSQL poolers."""

from dataclasses import dataclass

# pgbench's built-in scripts, and the queries that one transaction of each sends.
SCRIPTS = {"select": ("select-only", 1), "tpcb": ("tpcb-like", 7)}
MODES = ("simple", "extended", "prepared")
CLIENTS = (1, 16, 64, 200, 2_000)
# With a connection for each transaction there are no more than this many at once: PostgreSQL starts a process for each.
RECONNECTING_CLIENTS = (1, 16, 64)
# Server connections of a pooler, and those that PostgreSQL itself takes.
POOL_SIZE, SERVER_CONNECTIONS = 20, 300
# pgbench's; with more it measures the machine's scheduler.
MOST_THREADS = 200


@dataclass(frozen=True)
class PostgresCase:
    """One row: script, query protocol, clients, and whether they connect anew for each transaction."""

    script: str
    mode: str
    clients: int
    reconnect: bool = False

    @property
    def name(self):
        return f"pg-{'reconnect' if self.reconnect else self.script}-{self.mode}-{self.clients}"

    @property
    def threads(self):
        """Of pgbench's.

        A thread of it waits while one of its clients prepares. Where others of its clients hold all server connections in
        open transactions, that is for ever: then each client has its own.
        """
        waits = self.mode == "prepared" and self.queries > 1 and self.clients > POOL_SIZE
        return self.clients if waits else min(self.clients, 2)

    @property
    def queries(self):
        """In each transaction."""
        return SCRIPTS[self.script][1]


def _table():
    for script in SCRIPTS:
        for mode in MODES:
            for clients in CLIENTS:
                case = PostgresCase(script, mode, clients)
                if case.threads <= MOST_THREADS:
                    yield case
    for clients in RECONNECTING_CLIENTS:
        yield PostgresCase("select", "simple", clients, reconnect=True)


POSTGRES = tuple(_table())
# What `--quick` measures, and what has five rounds in a whole run.
_QUICK = ("pg-select-simple-1", "pg-select-simple-64", "pg-select-simple-2000", "pg-select-extended-64")
QUICK = tuple(case for case in POSTGRES if case.name in _QUICK)
HEADLINE = next(case for case in QUICK if case.clients == 64)
