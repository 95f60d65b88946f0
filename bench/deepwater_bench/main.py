"""The command line, and the order of a run."""

import argparse
import signal
import statistics
import sys

from . import cases, goals, measure, peers, record, report, tools
from .process import Failure, Usage
from .setting import prepared, started

SECONDS, QUICK_SECONDS = 2.1, 3.0
ROUNDS, GOAL_ROUNDS = 3, 5
GOAL_CASES = ("h1-1k-64", "tls-1k-64", "h2-1k-64")
IDLE_CONNECTIONS = 10_000
README_MARKS = ("<!-- results: written by bench/run --publish -->", "<!-- end of results -->")


def _arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures Deepwater beside nginx and HAProxy as reverse proxies, in one run on this machine.",
        epilog=f"cases: {' '.join(case.name for case in cases.ALL)}",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="about a minute: HTTP/1.1, 1 KiB, 64 connections, 3 rounds of 3 s")
    add("--peers", default="nginx,haproxy,deepwater", help="which proxies, in the order of a round (default: all)")
    add("--deepwater", metavar="PATH", help="the binary to measure (default: cargo build --release)")
    add("--case", action="append", metavar="NAME", help="only this case, * allowed, may be repeated; leaves out the rest")
    add("--only", choices=("cases", "equal-load", "idle", "churn"), help="only this part of a run")
    add("--rounds", type=int, help=f"rounds of each case (default: {GOAL_ROUNDS} where there is a goal, else {ROUNDS})")
    add("--seconds", type=float, help=f"measured seconds of each round (default: {SECONDS})")
    add("--connections", type=int, default=IDLE_CONNECTIONS, help="idle connections (default: %(default)s)")
    add("--churn", type=float, metavar="SECONDS", help="also: short connections for so long, and how memory grows")
    add("--cores", metavar="P,L,O", help="cores of proxy, load and origin (default: 0,1,1; 0,1,2 where there are more)")
    add("--json", metavar="FILE", help="where the record goes (default: bench/results/DATE-COMMIT.json)")
    add("--from", dest="source", metavar="FILE", help="report on an earlier record, measure nothing")
    add("--markdown", action="store_true", help="print Markdown tables instead")
    add("--publish", action="store_true", help="keep a full run as bench/record.json and in bench/README.md")
    return parser.parse_args()


def main():
    """Exit codes: 0 good, 1 failed while running or requests failed, 2 bad usage or something missing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    try:
        if arguments.source:
            result = record.load(arguments.source)
        else:
            result = _run(arguments)
            path = record.save(result, arguments.json)
            tools.say(f"record: {path}")
    except Failure as failure:
        tools.say(f"bench: {failure}")
        return failure.status
    except KeyboardInterrupt:
        tools.say("bench: interrupted")
        return 130
    print(report.markdown(result) if arguments.markdown else report.text(result))
    if arguments.publish:
        return _publish(result)
    return 0 if record.sound(result) else 1


def _run(arguments):
    chosen = _chosen_cases(arguments)
    names = arguments.peers.split(",")
    # nginx is the origin too.
    programs = {"nginx", "wrk", "h2load", "openssl", "taskset"} | {"haproxy"} & set(names)
    tools.require(sorted(programs))
    contenders = peers.known(names, lambda: tools.deepwater(arguments.deepwater))
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    with prepared(arguments.cores, seconds) as setting:
        result = record.begin(setting, contenders)
        try:
            _measure(setting, contenders, chosen, arguments, result)
        except Failure as failure:
            # A quarter of an hour of figures is worth keeping; the report says what is lacking.
            if not result["cases"]:
                raise
            result["incomplete"] = str(failure)
    return result


def _measure(setting, contenders, chosen, arguments, result):
    """All parts of a run, in the order of the report; `result` grows with each."""
    if arguments.only in (None, "cases", "equal-load"):
        for case in chosen:
            result["cases"].append(_case(setting, contenders, case, arguments, result))
    if arguments.only in (None, "equal-load") and _whole(arguments):
        result["equal_load"] = _equal_load(setting, contenders, arguments, result)
    if arguments.only in (None, "idle") and _whole(arguments):
        for peer in contenders:
            result["idle"][peer.name] = _idle(setting, peer, arguments.connections)
    if arguments.churn:
        for peer in contenders:
            result["churn"][peer.name] = _churn(setting, peer, arguments.churn)


def _whole(arguments):
    """Whether the parts that are no case run too."""
    return arguments.only is not None or not (arguments.quick or arguments.case)


def _chosen_cases(arguments):
    if arguments.only == "churn" and not arguments.churn:
        raise Usage("--only churn needs --churn SECONDS")
    if arguments.only == "equal-load":
        return [cases.HEADLINE]
    if arguments.case:
        return cases.select(arguments.case)
    return [cases.HEADLINE] if arguments.quick else cases.ALL


def _rounds(contenders, count, one):
    """Interleaved rounds (a, b, c, a, b, c, ...), so that a change of the machine meets all alike."""
    samples = {peer.name: [] for peer in contenders}
    for _ in range(count):
        for peer in contenders:
            samples[peer.name].append(one(peer))
    return {name: record.summarise(rounds) for name, rounds in samples.items()}


def _case(setting, contenders, case, arguments, result):
    rounds = arguments.rounds or (GOAL_ROUNDS if case.name in GOAL_CASES and not arguments.quick else ROUNDS)
    with started(setting, *contenders):
        for peer in contenders:
            result["tls"][peer.name] = peers.check(peer)
        measured = _rounds(contenders, rounds, lambda peer: measure.saturated(setting, peer, case))
    if case.protocol == "h1":
        # The ceiling: what load and origin do with no proxy between them.
        measured["direct"] = record.summarise([measure.saturated(setting, setting.origin, case)])
    _progress(case.name, measured)
    return {"case": case.name, **vars(case), "peers": measured}


def _progress(name, measured):
    figures = [f"{peer} {one['cpu_us']:.1f} µs" for peer, one in measured.items() if peer != "direct"]
    tools.say(f"{name:12} {', '.join(figures)} per request")


def _equal_load(setting, contenders, arguments, result):
    pace = tools.pace(setting.directory)
    if pace is None:
        tools.say("no Rust compiler: the latency at equal load is left out")
        return []
    highest = _highest_rate(result)
    rounds = arguments.rounds or GOAL_ROUNDS
    targets = [*contenders, _Direct(setting.origin)]
    rows = []
    with started(setting, *contenders):
        for share in (goals.LOW_LOAD, goals.HIGH_LOAD):
            rate = round(highest * share)

            def one(target, rate=rate):
                return measure.paced(setting, target, cases.HEADLINE, rate, pace)

            measured = _rounds(targets, rounds, one)
            _progress(f"{share:.0%} load", measured)
            rows.append({"share": share, "rate": rate, "peers": measured})
    return rows


class _Direct:
    """The origin in the role of a proxy: the load with nothing in between."""

    name = "direct"

    def __init__(self, origin):
        self.child, self.port = origin.child, origin.port


def _highest_rate(result):
    """nginx's throughput at the headline case in this run; without nginx, the first peer's."""
    measured = record.find_row(result["cases"], case=cases.HEADLINE.name)["peers"]
    one = measured.get("nginx") or next(iter(measured.values()))
    return statistics.median(round_["rps"] for round_ in one["rounds"])


def _idle(setting, peer, connections):
    with started(setting, peer):
        measured = measure.idle(setting, peer, connections)
    tools.say(f"idle         {peer.name} {measured['after_mib']:.1f} MiB with {connections:,} connections")
    return measured


def _churn(setting, peer, seconds):
    with started(setting, peer):
        measured = measure.churn(setting, peer, cases.HEADLINE, seconds)
    tools.say(f"churn        {peer.name} {measured['growth_mib']:+.1f} MiB over {seconds:g} s")
    return measured


def _publish(result):
    """Keeps a whole, clean run as the project's record; anything less is refused."""
    lacking = [name for name in ("equal_load", "idle") if not result[name]]
    if len(result["cases"]) < len(cases.ALL):
        lacking.append("some cases")
    if goals.SUBJECT not in result["versions"]:
        lacking.append(goals.SUBJECT)
    if record.disturbance(result)[0] > record.TOO_MUCH_DISTURBANCE:
        lacking.append("a quiet machine")
    if lacking or not record.sound(result):
        tools.say(f"bench: not published: it lacks {', '.join(lacking) or 'soundness (see the notes above)'}")
        return 1
    record.save(result, tools.BENCH / "record.json")
    readme = tools.BENCH / "README.md"
    before, mark, rest = readme.read_text().partition(README_MARKS[0])
    _, end, after = rest.partition(README_MARKS[1])
    if not mark or not end:
        raise Failure(f"{readme} has lost the marks around its results")
    readme.write_text(f"{before}{mark}\n\n{report.markdown(result)}\n{end}{after}")
    tools.say("published: bench/record.json and bench/README.md")
    return 0
