"""Tables of what happens under overload."""

from .overload import CAPACITY, CHANGE_FACTOR, WORTH_S
from .overload_goals import tail_ratio
from .overload_peers import TEXTS
from .table import Table, number, times


def tables(record):
    for row in record["overload"]:
        kind = {"surge": _surge, "priority": _priority}.get(row["scenario"], _changing)
        yield kind(row)


def _name(name):
    return TEXTS[name].replace("`", "")


def _surge(row):
    worth = f"{1000 * WORTH_S:.0f} ms"
    title = f"{row['factor']} x the capacity ({CAPACITY:,.0f} requests a second; an answer within {worth} is good)"
    head = ["in front", "good ÷ capacity", "lasting", "p50", "p99", "÷ normal", "lasting", "first second"]
    table = Table(title, [*head, "refused /s", "in (p99)", "gave up /s", "well again after"])
    for name, one in row["peers"].items():
        whole = one["whole"]
        windows = [_tail(one, window) for window in ("whole", "lasting", "onset")]
        table.add(
            _name(name),
            f"{whole['goodput']:.0%}",
            f"{one['lasting']['goodput']:.0%}",
            _ms(whole["p50_ms"]),
            _ms(whole["p99_ms"]),
            *windows,
            number(whole["refused_rps"], 0),
            _ms(whole["refusal_p99_ms"]),
            number(whole["gave_up_rps"], 0),
            _recovery(one),
        )
    return table


def _tail(one, window):
    return times(tail_ratio(one, window)) if one[window]["p99_ms"] else "–"


def _ms(value):
    return f"{value:.1f} ms" if value else "–"


def _recovery(one):
    recovery = one["recovery_s"]
    return "not in the run" if recovery is None else "at once" if recovery == 0 else f"{recovery:.1f} s"


def _priority(row):
    title = f"{row['factor']} x the capacity, one request in ten important"
    table = Table(title, ["in front", "important: good", "p99", "all: good ÷ capacity", "p99"])
    for name, one in row["peers"].items():
        important, whole = one["important"], one["whole"]
        good = f"{important['good_share']:.1%}"
        table.add(_name(name), good, _ms(important["p99_ms"]), f"{whole['goodput']:.0%}", _ms(whole["p99_ms"]))
    return table


def _changing(row):
    title = f"{CHANGE_FACTOR} x the capacity, then {row['text']}, then as before: good ÷ what it can do, p50 / p99 (limit)"
    table = Table(title, ["in front", "before", "meanwhile", "after"])
    for name, one in row["peers"].items():
        cells = []
        for part, limit in zip(one["parts"], one["limits"]):
            cell = f"{part['goodput']:.0%}, {part['p50_ms']:.0f} / {part['p99_ms']:.0f} ms"
            cells.append(cell + (f" ({limit:.0f})" if limit else ""))
        table.add(_name(name), *cells)
    return table


def notes(record):
    late = [one["late_p99_ms"] for row in record["overload"] for one in row["peers"].values()]
    return [f"Of the surges' requests, 99 % were sent within {max(late):.1f} ms of when they were due."] if late else []
