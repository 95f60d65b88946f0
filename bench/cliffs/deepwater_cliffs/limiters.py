"""The five limiters: what the application does, and the parameters drawn for a round, so that no two knees are alike."""

import random
from dataclasses import dataclass, field

MIB = 1024 * 1024
# More threads than any queue here gets long: they must not be the limiter themselves.
MANY = 512
# Of an answer, beside its body.
HEAD_BYTES = 250
# Until a query's answer is with the application, beside the time that PostgreSQL takes: on the machines tried.
TURN_S = 0.0003
# pg_sleep rounds up to whole milliseconds.
ROUNDED_S = 0.0005
# Of the process without its requests: the stacks of its threads.
BASE_BYTES = 8 * MIB
# Requests that may be refused.
REFUSED = 0.05
# The part of a service's time by which it varies either way: evenly, as app does it.
VARIES = 0.5


@dataclass(frozen=True)
class Plan:
    """One round of one limiter."""

    limiter: str
    # How the lens's name of the cliff begins.
    cliff: str
    # Requests per second at which the knee should be, by calculation: where the ramp is laid, and no more than that.
    nominal: float
    # What a request takes on average when nobody waits, in seconds.
    service_s: float
    # Arguments of app after its port; `{sql}` stands for the pooler's.
    application: tuple
    # What was drawn, for the record.
    parameters: dict
    # Lines of [postgres] and of [lens.limits].
    postgres: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    # Of the line between clients and Deepwater.
    bits_per_second: int | None = None

    @property
    def needs_postgres(self):
        return bool(self.postgres)

    @property
    def slowest_s(self):
        """What an answer takes at most when nobody waits, but for the machine's own hiccups."""
        return (1 + VARIES) * self.service_s


def offered(places, refused):
    """The load, in requests under way, of which this share finds all places taken and leaves (Erlang's loss formula)."""
    low, high = 0.0, 2.0 * places
    while high - low > 1e-6:
        load = (low + high) / 2
        blocked = 1.0
        for place in range(1, places + 1):
            blocked = load * blocked / (place + load * blocked)
        low, high = (load, high) if blocked < refused else (low, load)
    return low


def _pool(dice):
    size, service_ms = dice.randint(4, 10), dice.randint(16, 24)
    # random() is even in [0, 1): half to one and a half of the mean.
    query = f"SELECT pg_sleep({service_ms / 1000} * ({1 - VARIES} + random()))"
    service_s = service_ms / 1000 + ROUNDED_S + TURN_S
    return Plan(
        limiter="pool",
        cliff="connection_pool:shop",
        nominal=size / service_s,
        service_s=service_s,
        application=(MANY, "sql", "{sql}", "bench", "shop", query),
        parameters={"pool_size": size, "query_ms": service_ms},
        postgres={"pool_size": size},
    )


def _cpu(dice):
    spin_us = dice.randint(2000, 5000)
    return Plan(
        limiter="cpu",
        cliff="cpu:app",
        nominal=1e6 / spin_us,
        service_s=spin_us / 1e6,
        application=(1, "spin", spin_us),
        parameters={"cpu_us": spin_us, "threads": 1},
    )


def _locks(dice):
    hold_ms = dice.randint(3, 7)
    queries = (
        "BEGIN",
        "UPDATE counters SET n = n + 1 WHERE id = 1",
        f"SELECT pg_sleep({hold_ms / 1000} * ({1 - VARIES} + random()))",
        "COMMIT",
    )
    held_s = hold_ms / 1000 + ROUNDED_S + 3 * TURN_S
    return Plan(
        limiter="locks",
        cliff="locks:shop/",
        nominal=1 / held_s,
        service_s=held_s + TURN_S,
        application=(MANY, "sql", "{sql}", "bench", "shop", *queries),
        parameters={"hold_ms": hold_ms, "pool_size": 40},
        postgres={"pool_size": 40},
    )


def _memory(dice):
    # What is freed and touched anew each second is limit ÷ hold: more of it would make the processor the limiter.
    each, hold_ms, limit = dice.randint(4, 5) * MIB, dice.randint(80, 100), dice.randint(192, 256) * MIB
    return Plan(
        limiter="memory",
        cliff="memory:app",
        nominal=offered((limit - BASE_BYTES) // each, REFUSED) / (hold_ms / 1000),
        service_s=hold_ms / 1000,
        application=(MANY, "hold", each, 1000 * hold_ms, limit),
        parameters={"each_mib": each // MIB, "hold_ms": hold_ms, "limit_mib": limit // MIB},
        limits={"memory": f"{limit // MIB}MiB"},
    )


def _network(dice):
    size, answers_per_second = dice.randint(50, 200) * 1024, dice.randint(120, 300)
    bits = round(8 * answers_per_second * size / 1e6) * 1_000_000
    return Plan(
        limiter="network",
        cliff="network:link",
        nominal=bits / 8 / (size + HEAD_BYTES),
        service_s=8 * (size + HEAD_BYTES) / bits,
        application=(MANY, "send", size),
        parameters={"answer_kib": size // 1024, "bits_per_second": bits},
        limits={"network": f"{bits // 1_000_000}Mbit"},
        bits_per_second=bits,
    )


LIMITERS = {"pool": _pool, "cpu": _cpu, "locks": _locks, "memory": _memory, "network": _network}
QUICK = ("pool", "cpu")


def drawn(limiter, seed, number):
    """The plan of round `number`: the same for the same seed, whatever else runs."""
    return LIMITERS[limiter](random.Random(f"{seed}/{limiter}/{number}"))


def load_seed(seed, limiter, number, step):
    """For the gaps between requests: others in each step."""
    return random.Random(f"{seed}/{limiter}/{number}/{step}").getrandbits(32)
