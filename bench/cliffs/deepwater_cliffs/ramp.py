"""The load: a ramp to half of the knee while the lens looks on, then step by step to the knee itself."""

from dataclasses import asdict, dataclass

from deepwater_bench.load import percentile

# Of the nominal knee. The lens sees no more than the ramp.
FIRST, LAST, STEPS = 0.10, 0.50, 9
# Then on: quickly where the knee is not expected, finely where it is, for as long as it takes beyond.
COARSE, FINE, FAR = 0.05, 0.025, 0.10
FINE_FROM, FAR_FROM, END = 0.80, 1.30, 2.50
STEP_S = 5.0
# Of a step, until its queue is that of its load.
SETTLING_S = 1.0
# What a request may wait beside what it takes: the lens's own default. Who is not answered at all gives up.
WAIT_S, PATIENCE_S = 0.1, 1.0
# Of the offered load.
GOODPUT = 0.95
# A load that sends its requests later than this measures itself.
MOST_LATE_S = 0.02


def phases(nominal, seconds):
    """Of the ramp: (requests per second, seconds)."""
    width = (LAST - FIRST) / (STEPS - 1)
    return [(round(nominal * (FIRST + width * number), 2), round(seconds / STEPS, 2)) for number in range(STEPS)]


def rates(nominal):
    """Of the steps after it, upwards without end but for one that no knee lies beyond."""
    share = LAST
    while share < END:
        share += COARSE if share < FINE_FROM - 1e-9 else FINE if share < FAR_FROM - 1e-9 else FAR
        yield round(nominal * share, 2)


@dataclass(frozen=True)
class Seen:
    """What became of the requests that were due in a window."""

    rate: float
    sent: int
    # Answered with 200, of those sent.
    good: float
    # None where none was answered.
    p95_ms: float | None
    late_p99_ms: float
    # Nearly all were answered, and nearly all of these in time.
    well: bool

    @property
    def sound(self):
        """Whether the load itself kept its schedule."""
        return self.late_p99_ms <= 1000 * MOST_LATE_S

    def record(self):
        return asdict(self)


def seen(fates, rate, begin, end, slowest_s):
    """Of the requests that were due from `begin` to `end`, in seconds since the start of the load.

    `slowest_s` is what an answer takes at most when nobody waits.
    """
    among = [fate for fate in fates if begin <= fate.due < end]
    answered = sorted(fate.took for fate in among if fate.status == 200)
    late = sorted(fate.late for fate in among)
    good = len(answered) / len(among) if among else 0.0
    p95 = percentile(answered, 0.95) if answered else None
    return Seen(
        rate=rate,
        sent=len(among),
        good=good,
        p95_ms=None if p95 is None else 1000 * p95,
        late_p99_ms=1000 * percentile(late, 0.99) if late else 0.0,
        well=p95 is not None and good >= GOODPUT and p95 <= slowest_s + WAIT_S,
    )


def climb(step, nominal):
    """(the highest rate that went well, all that was seen), stopping at the first that does not.

    A step that fails is tried once more: of a machine that others share, a hiccup is no knee. The highest is None
    where no step failed. `step` does one at a rate, with an idle application before it.
    """
    steps = []
    # The ramp's last.
    highest = phases(nominal, STEPS)[-1][0]
    for rate in rates(nominal):
        for _ in range(2):
            steps.append(step(rate))
            if steps[-1].well:
                break
        else:
            return highest, steps
        highest = rate
    return None, steps
