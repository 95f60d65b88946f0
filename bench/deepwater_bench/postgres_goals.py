"""What Deepwater promises as a pooler: figures of a record, each the worst of the rows it is about."""

from .record import ratio

PEER, SUBJECT = "pgbouncer", "deepwater"
MANY_CLIENTS = 2_000


def _queries(record):
    """The rows of plain queries that both poolers ran alike."""
    rows = (row for row in record["postgres"] if row["script"] == "select" and not row["reconnect"])
    return [row for row in rows if _alike(row)]


def _alike(row):
    return all(row["modes"].get(name) == "transaction" for name in (PEER, SUBJECT))


def _worst(choose, rows, figure):
    return choose((found for row in rows if (found := ratio(row, figure, PEER)) is not None), default=None)


def query_cpu(record):
    return _worst(max, _queries(record), "cpu_us")


def transaction_cpu(record):
    return _worst(max, [row for row in record["postgres"] if row["script"] == "tpcb" and _alike(row)], "cpu_us")


def login_cpu(record):
    return _worst(max, [row for row in record["postgres"] if row["reconnect"] and _alike(row)], "cpu_us")


def throughput(fewest, most):
    """The lowest ratio of plain queries with so many clients."""

    def value(record):
        return _worst(min, [row for row in _queries(record) if fewest <= row["clients"] <= most], "rps")

    return value


def tail(record):
    """p99 over p50 of plain queries, with as many clients as there are."""
    crowds = [one for script, one in _crowds(record) if script == "select"]
    return max((one["p99_us"] / one["p50_us"] for one in crowds), default=None)


def crowd_errors(record):
    """Clients and transactions that failed, with as many clients as there are."""
    crowds = [one["errors"] for _, one in _crowds(record)]
    return sum(crowds) if crowds else None


def _crowds(record):
    """(script, Deepwater's figures) of each row with as many clients as there are."""
    rows = (row for row in record["postgres"] if row["clients"] == MANY_CLIENTS)
    return [(row["script"], row["peers"][SUBJECT]) for row in rows if SUBJECT in row["peers"]]


def client_memory(record):
    one = record["postgres_idle"].get(SUBJECT)
    return one["kib_per_client"] if one else None
