"""What is measured under overload: requests that are worth something, and what the others cost."""

import contextlib
import itertools
import statistics
import time
from dataclasses import dataclass

from . import load, measure
from .overload_peers import DIRECT, IMPORTANT, VARIANTS, WORKERS, Application, made
from .process import Failure
from .tools import say

PROGRAMS = {"taskset"}
# The application's capacity: so many workers (WORKERS), each 20 ms with a request on average.
SERVICE_S = 0.02
CAPACITY = WORKERS / SERVICE_S
# An answer that comes later is worth nothing: a tenth of a second is the limit of what feels immediate (Nielsen,
# Usability Engineering, 1993), and five times what an idle application takes. Who waits for a second gives up.
WORTH_S, PATIENCE_S = 0.1, 1.0
# Shares of the capacity.
NORMAL, FACTORS, OVERLOAD = 0.5, (1, 2, 5), 5
# Until a surge counts as lasting; how it begins is told apart.
ONSET_S = 1.0
# Recovered, when of the requests of each of these spans ...
SPAN_S = 0.1
# ... so many are worth something again.
RECOVERED = 0.95
# The application alone has to come this near to its capacity.
LEAST_ABLE = 0.95
# A load that sends its requests later than this measures itself.
MOST_LATE_S = 0.02
# Of ten requests, one is important.
REQUESTS_OF_TEN = 9


@dataclass(frozen=True)
class Times:
    """Seconds of each phase."""

    warm: float
    normal: float
    surge: float
    after: float


TIMES, QUICK_TIMES = Times(3, 6, 10, 8), Times(2, 4, 6, 5)
# Of the runs in which the application changes: a part with all of it, one with less, one with all of it again.
CHANGING = Times(2, 4, 8, 8)


@dataclass(frozen=True)
class Change:
    """What happens to the application in the middle of a surge."""

    name: str
    text: str
    workers: int
    percent: int


CHANGES = (
    Change("half-the-workers", "half of the workers hang", WORKERS // 2, 100),
    Change("half-as-fast", "each request takes twice as long", WORKERS, 200),
)
CHANGE_FACTOR = 2
CHANGED = ("haproxy-queue", "deepwater-fixed", "deepwater-gradient")


def variants(names):
    """The variants of the peers of these names, and the application alone."""
    return [DIRECT, *(variant for variant in VARIANTS if variant.peer in names)]


def able(setting, pace):
    """Requests per second that the application answers when its workers always have work: CAPACITY, or nearly.

    A machine on which it is less, because timers fire late or others are at work, measures something else.
    """
    with _application(setting) as application:
        requests = [load.get(application.port("h1"), "/page")] * int(4 * CAPACITY)
        generator = load.Pace(pace, application.port("h1"), requests, 2 * WORKERS, rate=0)
        found = measure.Drive(setting, application, generator, 60).outcome().rps
    say(f"{'capacity':22} {found:,.0f} requests per second of {CAPACITY:,.0f}")
    if found < LEAST_ABLE * CAPACITY:
        raise Failure(f"the application answers {found:,.0f} requests a second where {CAPACITY:,.0f} are its capacity")
    return found


@contextlib.contextmanager
def _application(setting):
    application = Application(setting)
    try:
        yield application
    finally:
        setting.children.stop(application.child)


@contextlib.contextmanager
def _served(setting, variant, binary, priority=False):
    """(the application, what its clients ask: itself or a proxy), fresh."""
    with _application(setting) as application:
        if variant is DIRECT:
            yield application, application
            return
        peer = made(variant, binary, priority)
        peer.start(setting)
        try:
            yield application, peer
        finally:
            peer.stop(setting)


def _drive(setting, target, surge, phases):
    requests = [load.get(target.port("h1"), path) for path in [IMPORTANT, *["/page"] * REQUESTS_OF_TEN]]
    generator = load.Surge(surge, target.port("h1"), requests, phases, int(1000 * PATIENCE_S))
    return measure.Drive(setting, target, generator, sum(seconds for _, seconds in phases))


def surge(setting, variant, binary, factor, times, generator, priority=False):
    """One run: the normal load, one of `factor` times the capacity, the normal load again."""
    normal, high = (round(share * CAPACITY) for share in (NORMAL, factor))
    begin = times.warm + times.normal
    end = begin + times.surge
    phases = [(normal, begin), (high, times.surge), (normal, times.after)]
    with _served(setting, variant, binary, priority) as (_, target):
        drive = _drive(setting, target, generator, phases)
        time.sleep(end - 0.5)
        limit = target.limit()
        fates = drive.outcome()
    usual = seen(fates, times.warm, begin)
    figures = {
        "normal": usual,
        "onset": seen(fates, begin, begin + ONSET_S),
        "lasting": seen(fates, begin + ONSET_S, end),
        "whole": seen(fates, begin, end),
        "important": seen([fate for fate in fates if fate.number == 0], begin, end),
        "recovery_s": recovery(fates, end, end + times.after),
        "limit": limit,
    }
    return figures | _soundness(fates, usual)


def _soundness(fates, usual):
    """Under a normal load nothing may fail, and nothing of it may be due to the load itself."""
    late = _percentile([fate.late for fate in fates], 0.99)
    errors = usual["sent"] - usual["answered"] + sum(fate.status == load.Fate.BROKE_OFF for fate in fates)
    return {"late_p99_ms": 1e3 * late, "errors": errors + int(late > MOST_LATE_S)}


def seen(fates, begin, end, capacity=CAPACITY):
    """Figures of the requests that were due in this window."""
    among = [fate for fate in fates if begin <= fate.due < end]
    answered = [fate.took for fate in among if fate.status == 200]
    refused = [fate.took for fate in among if fate.status >= 400]
    good = sum(took <= WORTH_S for took in answered)
    span = end - begin
    return {
        "sent": len(among),
        "answered": len(answered),
        "rps": len(among) / span,
        "good_rps": good / span,
        "goodput": good / span / capacity,
        "good_share": good / len(among) if among else 0.0,
        "p50_ms": 1e3 * _percentile(answered, 0.50),
        "p99_ms": 1e3 * _percentile(answered, 0.99),
        "refused_rps": len(refused) / span,
        "refusal_p99_ms": 1e3 * _percentile(refused, 0.99),
        "gave_up_rps": sum(fate.status == load.Fate.GAVE_UP for fate in among) / span,
    }


def _percentile(values, share):
    """0 of none: the counts beside it say so."""
    return load.percentile(sorted(values), share) if values else 0.0


def recovery(fates, begin, end):
    """Seconds from `begin` until requests fare well again for good; None where they did not before `end`."""
    well = []
    for number in range(round((end - begin) / SPAN_S)):
        first = begin + number * SPAN_S
        among = [fate for fate in fates if first <= fate.due < first + SPAN_S]
        good = sum(fate.status == 200 and fate.took <= WORTH_S for fate in among)
        well.append(good >= RECOVERED * len(among))
    spans = len(well) - len(list(itertools.takewhile(bool, reversed(well))))
    return None if spans == len(well) else spans * SPAN_S


def changing(setting, variant, binary, change, generator):
    """One run at CHANGE_FACTOR times the capacity, in the middle of which the application is half as able."""
    times = CHANGING
    begin = times.warm + times.normal
    marks = [begin + times.surge * part for part in range(4)]
    phases = [(round(NORMAL * CAPACITY), begin), (round(CHANGE_FACTOR * CAPACITY), marks[3] - begin)]
    limits = []
    with _served(setting, variant, binary) as (application, target):
        drive = _drive(setting, target, generator, phases)
        began = time.monotonic()
        for mark, (workers, percent) in zip(marks[1:], ((change.workers, change.percent), (WORKERS, 100), (WORKERS, 100))):
            time.sleep(max(0.0, began + mark - 0.2 - time.monotonic()))
            limits.append(target.limit())
            if mark != marks[3]:
                time.sleep(max(0.0, began + mark - time.monotonic()))
                application.control(workers, percent)
        fates = drive.outcome()
    capacities = (CAPACITY, CAPACITY / 2, CAPACITY)
    usual = seen(fates, times.warm, begin)
    parts = [seen(fates, first, last, one) for first, last, one in zip(marks, marks[1:], capacities)]
    return {"normal": usual, "parts": parts, "limits": limits} | _soundness(fates, usual)


def median(rounds):
    """Each figure's median over the rounds, those of a window within it."""
    figures = {name: _middle([one[name] for one in rounds]) for name in rounds[0] if name != "errors"}
    return figures | {"errors": sum(one["errors"] for one in rounds), "rounds": rounds}


def _middle(values):
    if isinstance(values[0], dict):
        return {name: _middle([one[name] for one in values]) for name in values[0]}
    if isinstance(values[0], list):
        return [_middle(list(column)) for column in zip(*values)]
    # What did not happen in some round is later than anything that did.
    known = sorted(values, key=lambda value: float("inf") if value is None else value)
    return known[len(known) // 2] if None in known else statistics.median(known)


def measure_all(setting, names, binary, tools_of, quick, rounds):
    """The part's rows: surges, important requests, a changing application. `tools_of` are (pace, surge)."""
    pace, generator = tools_of
    setting.values = {"DIR": setting.directory, "APP": setting.ports.take()}
    measured = able(setting, pace)
    times = QUICK_TIMES if quick else TIMES
    rows = []
    for factor in (OVERLOAD,) if quick else FACTORS:
        count = rounds if factor == OVERLOAD else 1
        samples = {variant.name: [] for variant in variants(names)}
        for variant in variants(names) * count:
            figures = surge(setting, variant, binary, factor, times, generator)
            _progress(f"{factor} x capacity", variant, figures["lasting"], figures["normal"])
            samples[variant.name].append(figures)
        peers = {name: median(rounds_) for name, rounds_ in samples.items()}
        rows.append({"scenario": "surge", "factor": factor, "measured_capacity": measured, "peers": peers})
    peers = {}
    for variant in [variant for variant in variants(names) if variant.priority]:
        figures = surge(setting, variant, binary, OVERLOAD, times, generator, priority=True)
        _progress("important", variant, figures["important"], figures["normal"])
        peers[variant.name] = median([figures])
    if peers:
        rows.append({"scenario": "priority", "factor": OVERLOAD, "measured_capacity": measured, "peers": peers})
    for change in () if quick else CHANGES:
        peers = {}
        for variant in [variant for variant in variants(names) if variant.name in CHANGED]:
            figures = changing(setting, variant, binary, change, generator)
            _progress(change.name, variant, figures["parts"][1], figures["normal"])
            peers[variant.name] = median([figures])
        if peers:
            row = {"scenario": change.name, "text": change.text, "factor": CHANGE_FACTOR}
            rows.append(row | {"measured_capacity": measured, "peers": peers})
    return rows


def _progress(what, variant, figures, usual):
    say(
        f"{what:22} {variant.name:20} good {figures['good_rps']:,.0f}/s of {figures['rps']:,.0f}, "
        f"p99 {figures['p99_ms']:.0f} ms (normally {usual['p99_ms']:.0f}), refused {figures['refused_rps']:,.0f}/s"
    )
