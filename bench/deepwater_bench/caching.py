"""What is measured of caches alone: a key that expires under load, purges, evictions, memory per object."""

import itertools
import statistics
import time
from dataclasses import dataclass

from . import load, measure
from .caches import MEMORY_MIB
from .cpu import resident_bytes
from .process import Failure
from .setting import started
from .tools import say

# The hot key: so many clients, each asking once a second, for an answer that is fresh for a second and
# that the origin takes so long to give.
CLIENTS, LIFETIME_S, DELAY_MS = 10_000, 1, 50
HOT_SECONDS = 10
# When all clients ask at once, the last has asked before the first is answered.
HERD_DELAY_MS = 1500
FOREVER_S = 86_400
# With `stale`, an old answer may be given while a new one is fetched.
MODES = ("fresh", "stale")
# HAProxy is not among them: each request that finds nothing fresh goes to the origin.
SHARING = ("nginx", "varnish", "deepwater")

# Purges and evictions: hits at one rate on these objects, in a store that is full.
HIT_RATE, HIT_CONNECTIONS, HIT_OBJECTS = 10_000, 64, 1_000
FULL_MIB, FULL_OBJECTS = 16, 20_000
BESIDE_RATE, BESIDE_CONNECTIONS = 1_000, 8

MEMORY_OBJECTS, MEMORY_STORE_MIB = 100_000, 1_024


def _fetch_all(setting, cache, pace, paths, connections=HIT_CONNECTIONS):
    """Asks for each path once, as fast as it goes."""
    port = cache.port("h1")
    requests = [load.get(port, path) for path in paths]
    generator = load.Pace(pace, port, requests, connections, rate=0)
    return measure.Drive(setting, cache, generator, 60).outcome()


def hot_key(setting, cache, mode, slow, pace):
    """One key under all clients: fetched once and then fresh for the test; expiring; and not there yet."""
    with started(setting, cache):
        kept = _hot(setting, cache, pace, slow, f"/{mode}/{DELAY_MS}/{FOREVER_S}/kept")
        hot = _hot(setting, cache, pace, slow, f"/{mode}/{DELAY_MS}/{LIFETIME_S}/hot")
        slow.counts()
        herd = [f"/{mode}/{HERD_DELAY_MS}/{FOREVER_S}/herd"] * CLIENTS
        before = slow.counts()[0]
        _fetch_all(setting, cache, pace, herd, connections=CLIENTS)
        herd_fetches = slow.counts()[0] - before
    say(
        f"hot key      {cache.name}, {mode}: {hot['fetches']} fetches, {hot['most_at_once']} at once, "
        f"p99 {hot['p99_us'] / 1000:.1f} ms, of hits {kept['p99_us'] / 1000:.1f} ms; {herd_fetches} for the herd"
    )
    return {
        "hits": kept,
        "hot": hot,
        "herd_fetches": herd_fetches,
        "clients": CLIENTS,
        "lifetime_s": LIFETIME_S,
        "errors": kept["errors"] + hot["errors"],
    }


def _hot(setting, cache, pace, slow, path):
    """The paced load of all clients on one path, and what the origin saw of it."""
    _fetch_all(setting, cache, pace, [path], connections=1)
    port = cache.port("h1")
    generator = load.Pace(pace, port, [load.get(port, path)], CLIENTS, CLIENTS, setting.warmup, HOT_SECONDS)
    before = slow.counts()[0]
    seen = measure.Drive(setting, cache, generator, setting.warmup + HOT_SECONDS).outcome()
    after, most_at_once = slow.counts()
    return {
        "p50_us": seen.p50_us,
        "p99_us": seen.p99_us,
        "max_us": seen.max_us,
        "errors": seen.errors,
        "fetches": after - before,
        "fetches_per_lifetime": (after - before) / (setting.warmup + HOT_SECONDS) * LIFETIME_S,
        "most_at_once": most_at_once,
    }


@dataclass(frozen=True)
class Beside:
    """What happens beside the hits, and how to ask for it: the nth call gives (port, request)."""

    name: str
    text: str
    ask: object


def _purge(cache, number):
    # What is purged is stored and is not among the measured objects.
    return cache.purge(HIT_OBJECTS + number % (FULL_OBJECTS - HIT_OBJECTS))


def _new_object(cache, number):
    port = cache.port("h1")
    return port, load.get(port, f"/object/{FULL_OBJECTS + number}")


BESIDE = (
    Beside("nothing", "nothing else", None),
    Beside("purges", f"{BESIDE_RATE:,} purges a second", _purge),
    Beside("evictions", f"{BESIDE_RATE:,} evictions a second", _new_object),
)


def hits_beside(setting, caches, pace, rounds):
    """Latency of hits beside purges and evictions: a row for each of BESIDE, from interleaved rounds."""
    samples = {(beside.name, cache.name): [] for beside in BESIDE for cache in caches}
    try:
        for cache in caches:
            cache.memory_mib = FULL_MIB
        with started(setting, *caches):
            for cache in caches:
                _fetch_all(setting, cache, pace, _objects(FULL_OBJECTS))
            numbers = itertools.count()
            for _ in range(rounds):
                for cache, beside in itertools.product(caches, BESIDE):
                    figures = _hits(setting, cache, pace, beside, numbers)
                    if figures:
                        samples[beside.name, cache.name].append(figures)
    finally:
        for cache in caches:
            cache.memory_mib = MEMORY_MIB
    rows = []
    for beside in BESIDE:
        peers = {cache.name: _median(samples[beside.name, cache.name]) for cache in caches}
        peers = {name: figures for name, figures in peers.items() if figures}
        figures = ", ".join(f"{name} {one['p50_us']:.0f} / {one['p99_us']:.0f} µs" for name, one in peers.items())
        say(f"{beside.name:12} {figures}")
        rows.append({"beside": beside.name, "text": beside.text, "rate": HIT_RATE, "peers": peers})
    return rows


def _objects(end, start=0):
    return [f"/object/{number}" for number in range(start, end)]


def _hits(setting, cache, pace, beside, numbers):
    """One round; None where the cache has no such thing."""
    port = cache.port("h1")
    # Those measured are there, and known to be in demand.
    for _ in range(2):
        _fetch_all(setting, cache, pace, _objects(HIT_OBJECTS))
    total = setting.warmup + setting.seconds
    asked = setting.origin.requests()
    background, sent = None, 0
    if beside.ask:
        amount = int(1.2 * BESIDE_RATE * total)
        asks = [beside.ask(cache, number) for number in itertools.islice(numbers, amount)]
        if None in asks:
            return None
        ask_port, requests = asks[0][0], [request for _, request in asks]
        generator = load.Pace(pace, ask_port, requests, BESIDE_CONNECTIONS, BESIDE_RATE, 0, total)
        background = measure.Drive(setting, cache, generator, total, "beside")
    hits = [load.get(port, path) for path in _objects(HIT_OBJECTS)]
    generator = load.Pace(pace, port, hits, HIT_CONNECTIONS, HIT_RATE, setting.warmup, setting.seconds)
    seen = measure.Drive(setting, cache, generator, total).outcome()
    errors = seen.errors
    if background:
        done = background.outcome()
        errors += done.errors
        sent = done.requests if beside.ask is _new_object else 0
    return {
        "p50_us": seen.p50_us,
        "p99_us": seen.p99_us,
        "errors": errors,
        "missed_share": max(0, setting.origin.requests() - asked - sent) / seen.requests,
    }


def _median(rounds):
    if not rounds:
        return None
    figures = {name: statistics.median(one[name] for one in rounds) for name in ("p50_us", "p99_us", "missed_share")}
    return figures | {"errors": sum(one["errors"] for one in rounds), "rounds": rounds}


def object_memory(setting, cache, pace):
    """Memory of a fresh cache, bare and with so many objects of 1 KiB, all of them still in store."""
    try:
        cache.memory_mib = MEMORY_STORE_MIB
        with started(setting, cache):
            # Connections and buffers are there before the first figure.
            _fetch_all(setting, cache, pace, ["/cached/1k"] * 1_000)
            before = cache.footprint()
            _fetch_all(setting, cache, pace, _objects(MEMORY_OBJECTS))
            time.sleep(1.0)
            after = cache.footprint()
            asked = setting.origin.requests()
            again = _objects(MEMORY_OBJECTS)[::10]
            _fetch_all(setting, cache, pace, again)
            lost = setting.origin.requests() - asked
    finally:
        cache.memory_mib = MEMORY_MIB
    if lost:
        raise Failure(f"{cache.name} lost {lost} of {len(again)} objects: its memory per object says nothing")
    each = (after - before) / 1024 / MEMORY_OBJECTS
    say(f"memory       {cache.name} {each:.2f} KiB for each object of 1 KiB")
    return {
        "objects": MEMORY_OBJECTS,
        "before_mib": before / measure.MIB,
        "after_mib": after / measure.MIB,
        "kib_per_object": each,
    }
