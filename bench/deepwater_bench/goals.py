"""What Deepwater promises, each goal checked against a record."""

from dataclasses import dataclass
from typing import Callable

from . import guards, overload_goals
from . import postgres_goals as pooler
from .cases import CACHED_HEADLINE, HEADLINE
from .record import find_row, ratio

SUBJECT = "deepwater"
# Shares of nginx's highest throughput at which latency is compared.
LOW_LOAD, HIGH_LOAD = 0.2, 0.6


@dataclass(frozen=True)
class Goal:
    text: str
    limit: float
    unit: str
    value: Callable[[dict], float | None]
    # Whether the limit is the least, not the most.
    at_least: bool = False

    @property
    def bound(self):
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}".rstrip()

    def verdict(self, record):
        """(measured value or None, met or None)."""
        value = self.value(record)
        if value is None:
            return None, None
        return value, value >= self.limit if self.at_least else value <= self.limit


def _cpu_ratio(case, peer, part="cases"):
    def value(record):
        row = find_row(record[part], case=case)
        return ratio(row, "cpu_us", peer) if row else None

    return value


def _cached_ratio(peer):
    return _cpu_ratio(CACHED_HEADLINE.name, peer, "cached")


def _tail_ratio(record):
    row = find_row(record["equal_load"], share=HIGH_LOAD)
    return ratio(row, "p99_us", "nginx") if row else None


def added_latency(row, peer):
    """Median latency that a proxy adds to the origin's own, in microseconds."""
    if row is None or peer not in row["peers"] or "direct" not in row["peers"]:
        return None
    return row["peers"][peer]["p50_us"] - row["peers"]["direct"]["p50_us"]


def _added_latency(record):
    return added_latency(find_row(record["equal_load"], share=LOW_LOAD), SUBJECT)


def _idle_memory(record):
    idle = record["idle"].get(SUBJECT)
    return idle["after_mib"] if idle else None


def _churn_growth(record):
    churn = record["churn"].get(SUBJECT)
    return 100 * churn["growth_share"] if churn else None


def _hot_key(figure):
    """The worst of all modes."""

    def value(record):
        rows = [row["peers"][SUBJECT] for row in record["hot_key"] if SUBJECT in row["peers"]]
        return max((figure(one) for one in rows), default=None)

    return value


def _object_memory(record):
    memory = record["object_memory"].get(SUBJECT)
    return memory["kib_per_object"] if memory else None


GOALS = (
    Goal("CPU per request, 1 KiB, 64 connections, over nginx", 0.95, "x", _cpu_ratio(HEADLINE.name, "nginx")),
    Goal("CPU per request, 1 KiB, 64 connections, over HAProxy", 0.90, "x", _cpu_ratio(HEADLINE.name, "haproxy")),
    Goal("CPU per request over TLS, over nginx", 1.0, "x", _cpu_ratio("tls-1k-64", "nginx")),
    Goal("CPU per request over HTTP/2, over nginx", 1.0, "x", _cpu_ratio("h2-1k-64", "nginx")),
    Goal(f"p99 at {HIGH_LOAD:.0%} of nginx's highest load, over nginx", 1.0, "x", _tail_ratio),
    Goal(f"median latency added at {LOW_LOAD:.0%} load", 100, "µs", _added_latency),
    Goal("memory with 10,000 idle connections", 150, "MiB", _idle_memory),
    Goal("memory growth under churning connections", 2, "%", _churn_growth),
    Goal("CPU per cached answer, 1 KiB, 64 connections, over HAProxy", 0.95, "x", _cached_ratio("haproxy")),
    Goal("CPU per cached answer, 1 KiB, 64 connections, over nginx", 0.6, "x", _cached_ratio("nginx")),
    Goal("CPU per cached answer, 1 KiB, 64 connections, over Varnish", 0.45, "x", _cached_ratio("varnish")),
    Goal("fetches at once for a key that expires under load", 1, "", _hot_key(lambda one: one["hot"]["most_at_once"])),
    Goal("fetches for a key that all clients ask for first", 1, "", _hot_key(lambda one: one["herd_fetches"])),
    Goal("memory for each object of 1 KiB", 1.6, "KiB", _object_memory),
    Goal("pooler: CPU per query (-S), over PgBouncer", 0.9, "x", pooler.query_cpu),
    Goal("pooler: CPU per query of TPC-B, over PgBouncer", 0.9, "x", pooler.transaction_cpu),
    Goal("pooler: CPU per reconnection with a query, over PgBouncer", 0.9, "x", pooler.login_cpu),
    Goal("pooler: throughput (-S) at 1 to 16 clients, over PgBouncer", 1.0, "x", pooler.throughput(1, 16), at_least=True),
    Goal("pooler: throughput (-S) at 64 clients and more, over PgBouncer", 1.2, "x", pooler.throughput(64, 10**6), at_least=True),
    Goal("pooler: p99 over p50 at 2,000 clients (-S)", 1.5, "x", pooler.tail),
    Goal("pooler: errors with 2,000 clients on 20 server connections", 0, "", pooler.crowd_errors),
    Goal("pooler: memory for each idle client", 8, "KiB", pooler.client_memory),
    Goal("guards: CPU per request that all but authentication add", 3, "%", guards.added_cpu),
    Goal("5 x overload: p99 of answers, over the normal p99", 2.0, "x", overload_goals.tail),
    Goal("5 x overload: good answers, of the capacity", 90, "%", overload_goals.goodput, at_least=True),
    Goal("5 x overload: important requests that fare well", 99, "%", overload_goals.important, at_least=True),
)
