"""What Deepwater promises under overload: figures of a record, each the worst of its limits."""

from .overload import OVERLOAD
from .record import find_row

LIMITED = ("deepwater-fixed", "deepwater-gradient")


def _worst(choose, figure, scenario="surge"):
    """Over the limited variants, in the runs with five times the capacity."""

    def value(record):
        row = find_row(record["overload"], scenario=scenario, factor=OVERLOAD)
        peers = row["peers"] if row else {}
        return choose((figure(peers[name]) for name in LIMITED if name in peers), default=None)

    return value


def tail_ratio(one, window="whole"):
    """p99 of the answers in a window of the surge over that under the normal load; of one round or of all."""
    rounds = one.get("rounds", [one])
    ratios = sorted(each[window]["p99_ms"] / each["normal"]["p99_ms"] for each in rounds)
    return ratios[len(ratios) // 2]


tail = _worst(max, tail_ratio)
goodput = _worst(min, lambda one: 100 * one["whole"]["goodput"])
important = _worst(min, lambda one: 100 * one["important"]["good_share"], "priority")
