"""What is measured of PostgreSQL poolers: each case in interleaved rounds, and the memory of idle clients."""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from . import record
from .cpu import cpu_ns, machine_time, resident_bytes, tree
from .load import percentile
from .measure import MIB
from .postgres_load import Pgbench
from .postgres_poolers import POOLERS, AutoPreparing, Deepwater, Direct, Relay, set_mode
from .postgres_server import DATABASE, USER, Server
from .process import Failure
from .setting import started
from .tools import find, given, say

PROGRAMS = {"postgres", "initdb", "createdb", "psql", "pg_isready", "pgbench", "taskset"}
IDLE_CLIENTS = 5_000
# A `Query` message and what ends the answer to any: `ReadyForQuery`, idle.
_QUERY = b"Q" + struct.pack("!I", 13) + b"SELECT 1\0"
_READY = b"Z" + struct.pack("!I", 5) + b"I"


@contextlib.contextmanager
def served(setting, names, deepwater, pgbouncer=None):
    """A filled PostgreSQL and the poolers of these names, not yet started; gone when the block ends.

    `deepwater()` gives the path of its binary, `pgbouncer` another one than the system's.
    """
    programs = {
        "deepwater": lambda: str(deepwater()),
        "pgbouncer": lambda: str(given(pgbouncer, "--pgbouncer")) if pgbouncer else find("pgbouncer"),
    }
    # Before the server: a build may fail.
    chosen = [(name, programs[name](), *POOLERS[name]) for name in names if name in POOLERS]
    server = Server(setting)
    try:
        yield server, [kind(name, program, template, server=server) for name, program, kind, template in chosen]
    finally:
        server.stop()


def measure_case(setting, server, poolers, case, rounds):
    """The row of a case. PostgreSQL alone is the ceiling, which one round shows."""
    floor = [Relay(server)] if find("rustc") else []
    twins = [AutoPreparing(pooler) for pooler in poolers if isinstance(pooler, Deepwater)]
    able = [pooler for pooler in (*poolers, *twins, *floor) if set_mode(pooler, case)]
    direct = Direct(server)
    measured = {}
    with started(setting, *able):
        measured = record.interleaved(able, rounds, lambda pooler: under_load(setting, server, pooler, case))
        if direct.mode_for(case):
            measured["direct"] = record.summarise([under_load(setting, server, direct, case)])
    figures = [f"{name} {one['cpu_us']:.1f} µs {one['rps']:,.0f}/s" for name, one in measured.items()]
    say(f"{case.name:24} {', '.join(figures)}")
    modes = {pooler.name: pooler.mode for pooler in able}
    return {"case": case.name, **vars(case), "queries": case.queries, "modes": modes, "peers": measured}


@dataclass(frozen=True)
class _Sample:
    """Counters at one moment: the pooler's, PostgreSQL's and pgbench's processor time, and the machine's."""

    wall: float
    at: float
    pooler: int
    server: int
    load: int
    machine: object

    @classmethod
    def take(cls, setting, server, pooler, load):
        source = setting.cpu_source
        pids = [] if pooler.child is server.child else tree(pooler.child.pid)
        pooler_ns = cpu_ns(pids, source)
        wall, at = time.time(), time.monotonic()
        server_ns = cpu_ns(tree(server.child.pid), source, gone=0)
        load_ns = cpu_ns([load.driver.pid], source, gone=0)
        return cls(wall, at, pooler_ns, server_ns, load_ns, machine_time())


def under_load(setting, server, pooler, case):
    """One round: processor time and transactions of one window, which begins a second after the load."""
    if case.script == "tpcb":
        server.sql("VACUUM pgbench_branches, pgbench_tellers", "TRUNCATE pgbench_history")
    load = Pgbench(setting, pooler, case)
    first = _Sample.take(setting, server, pooler, load)
    time.sleep(setting.seconds)
    last = _Sample.take(setting, server, pooler, load)
    load.finish()
    times = load.transactions(first.wall, last.wall)
    if not times:
        raise Failure(f"{pooler.name} passed no transaction of {case.name}:\n{load.driver.words()}")
    elapsed, queries = last.at - first.at, len(times) * case.queries
    pooler_ns, server_ns, load_ns = (getattr(last, name) - getattr(first, name) for name in ("pooler", "server", "load"))
    busy, stolen = last.machine.busy - first.machine.busy, last.machine.stolen - first.machine.stolen
    everything = elapsed * 1e9 * setting.core_count
    # PostgreSQL's processes that ended in the window are in nobody's count here.
    foreign = 0.0 if case.reconnect else max(0.0, (busy - pooler_ns - server_ns - load_ns) / everything)
    return {
        # PostgreSQL's own where there is no pooler.
        "cpu_us": (pooler_ns or server_ns) / 1e3 / queries,
        "server_us": server_ns / 1e3 / queries,
        "load_us": load_ns / 1e3 / queries,
        "rps": len(times) / elapsed,
        "p50_us": percentile(times, 0.50),
        "p99_us": percentile(times, 0.99),
        "max_us": float(times[-1]),
        "errors": load.errors(),
        "core_share": (pooler_ns or server_ns) / (elapsed * 1e9),
        "foreign_share": foreign,
        "stolen_share": stolen / everything,
    }


def idle_memory(setting, pooler, clients):
    """Resident memory of a fresh pooler, with one client and with many, each of whom has made one query."""
    pooler.mode = "transaction"
    with started(setting, pooler):
        open_clients = [_client(pooler)]
        try:
            time.sleep(0.5)
            before = resident_bytes(pooler.child.pid)
            open_clients += [_client(pooler, number) for number in range(clients)]
            time.sleep(1.0)
            after = resident_bytes(pooler.child.pid)
            # The last and the first are still served.
            errors = sum(not _asked(client) for client in (open_clients[0], open_clients[-1]))
        finally:
            for client in open_clients:
                client.close()
    each = (after - before) / 1024 / clients
    say(f"{'pg-idle':24} {pooler.name} {each:.2f} KiB for each of {clients:,} idle clients")
    return {
        "clients": clients,
        "before_mib": before / MIB,
        "after_mib": after / MIB,
        "kib_per_client": each,
        "errors": errors,
    }


def _client(pooler, number=0):
    """A connection, logged in without a password, that has made one query."""
    parameters = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
    # Several source addresses: one alone has fewer ports than a large test needs.
    client = socket.create_connection(("127.0.0.1", pooler.sql_port), 10, (f"127.0.0.{2 + number % 8}", 0))
    client.sendall(struct.pack("!II", 8 + len(parameters), 3 << 16) + parameters)
    if not _ready(client) or not _asked(client):
        client.close()
        raise Failure(f"{pooler.name} turns idle client {number} away:\n{pooler.child.words()}")
    return client


def _asked(client):
    """Whether the client gets an answer to a query."""
    client.sendall(_QUERY)
    return _ready(client)


def _ready(client):
    """Reads up to the end of an answer; whether it came to one without an error."""
    answer = b""
    while not answer.endswith(_READY):
        piece = client.recv(4096)
        if not piece:
            return False
        answer += piece
    return True
