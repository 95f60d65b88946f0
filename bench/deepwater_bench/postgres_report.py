"""Tables of what was measured of PostgreSQL poolers."""

from .record import ratio
from .table import Table, latency, number, times

NAMES = {
    "pgbouncer": "PgBouncer",
    "deepwater": "Deepwater",
    "auto_prepare": "with auto_prepare",
    "relay": "bare relay",
    "direct": "PostgreSQL alone",
}
# They have no pool, and so no mode.
NO_POOLS = ("relay", "direct")


def tables(record, brief=False):
    """All of them; the brief ones leave out how far rounds are apart."""
    rows = record["postgres"]
    if rows:
        yield _cpu(rows, spread=not brief)
        yield _throughput(rows)
        yield _latency(rows)
        if not brief:
            yield _others(rows)
    if record["postgres_idle"]:
        yield _idle(record["postgres_idle"])


def notes(record):
    """What those tables do not say of themselves."""
    rows = record["postgres"]
    if not rows:
        return []
    found = ["Poolers: transaction mode; `*` session mode, for want of prepared statements in the other. –: cannot run it."]
    if any(row["reconnect"] for row in rows):
        found.append("pg-reconnect: CPU includes logins; pgbench's latency of them begins after the login.")
    return found


def _names(rows):
    return [name for name in NAMES if any(name in row["peers"] for row in rows)]


def _table(title, rows, names, cell, figure=None):
    """A row for each case, a column for each name, and Deepwater's ratio to PgBouncer."""
    compared = figure and {"pgbouncer", "deepwater"} <= set(names)
    table = Table(title, ["case", *map(NAMES.get, names), *(["÷ PgBouncer"] if compared else [])])
    for row in rows:
        cells = []
        for name in names:
            peer = row["peers"].get(name)
            mark = "*" if peer and name not in NO_POOLS and row["modes"][name] != "transaction" else ""
            cells.append(cell(name, peer) + mark if peer else "–")
        table.add(row["case"], *cells, *([times(ratio(row, figure, "pgbouncer"))] if compared else []))
    return table


def _cpu(rows, spread):
    def cell(name, peer):
        return number(peer["cpu_us"]) + (f" ±{50 * peer['cpu_spread']:.0f}%" if spread else "")

    names = [name for name in _names(rows) if name != "direct"]
    return _table("Poolers: CPU per query, µs (lower is better)", rows, names, cell, "cpu_us")


def _throughput(rows):
    def cell(name, peer):
        return number(peer["rps"], 0) + ("" if name == "direct" else f" @{peer['core_share']:.0%}")

    title = "Poolers: transactions per second, and how busy the pooler was (of one core)"
    return _table(title, rows, _names(rows), cell, "rps")


def _latency(rows):
    def cell(_name, peer):
        return f"{latency(peer['p50_us'])} / {latency(peer['p99_us'])} ({peer['p99_us'] / peer['p50_us']:.1f})"

    return _table("Poolers: latency as fast as it goes, p50 / p99 (their ratio)", rows, _names(rows), cell)


def _others(rows):
    """What throughput depends on besides the pooler."""

    def cell(_name, peer):
        return f"{number(peer['server_us'])} + {number(peer['load_us'])}"

    return _table("CPU per query of PostgreSQL + pgbench beside each, µs", rows, _names(rows), cell)


def _idle(measured):
    table = Table("Poolers: memory with idle clients", ["pooler", "clients", "before, MiB", "with them, MiB", "KiB each"])
    for name, one in measured.items():
        sizes = (number(one["before_mib"]), number(one["after_mib"]), number(one["kib_per_client"], 2))
        table.add(NAMES[name], f"{one['clients']:,}", *sizes)
    return table
