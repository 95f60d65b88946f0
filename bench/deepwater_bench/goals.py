"""What Deepwater promises, each goal checked against a record."""

from dataclasses import dataclass
from typing import Callable

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

    def verdict(self, record):
        """(measured value or None, met or None)."""
        value = self.value(record)
        return value, None if value is None else value <= self.limit


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
)
