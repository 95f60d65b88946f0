"""The command line, and the order of a run."""

import argparse
import functools
import signal
import statistics
import sys

from . import caches, caching, cases, goals, guards, measure, overload, peers, postgres, postgres_cases, record, report, tools
from .origin import SlowOrigin
from .process import Failure, Usage
from .setting import prepared, started

SECONDS, QUICK_SECONDS = 2.1, 3.0
ROUNDS, GOAL_ROUNDS = 3, 5
GOAL_CASES = ("h1-1k-64", "tls-1k-64", "h2-1k-64", "cached-1k-64", postgres_cases.HEADLINE.name)
PEERS = ("nginx", "haproxy", "varnish", "pgbouncer", "deepwater")
# In the order of a run: proxies, caches, poolers, guards.
PROXY_PARTS = ("cases", "equal-load", "idle", "churn")
CACHE_PARTS = ("cached", "hot-key", "purges", "object-memory")
POOLER_PART = "postgres"
OVERLOAD_PART, GUARD_PART = "overload", "guards"
IDLE_CONNECTIONS = 10_000
README_MARKS = ("<!-- results: written by bench/run --publish -->", "<!-- end of results -->")


def _arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures Deepwater beside nginx and HAProxy as reverse proxies, beside these and Varnish as caches, "
        "and beside PgBouncer as a pooler, in one run on this machine.",
        epilog=f"cases: {' '.join(case.name for case in cases.ALL + cases.POSTGRES)}",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="two minutes: 3 rounds of 3 s of few cases (HTTP/1.1, 1 KiB, 64 connections; with --only postgres, four)")
    add("--peers", default=",".join(PEERS), help="which proxies, caches and poolers, in the order of a round (default: all)")
    add("--deepwater", metavar="PATH", help="the binary to measure (default: cargo build --release)")
    add("--pgbouncer", metavar="PATH", help="the PgBouncer to measure (default: the system's; bench/postgres/build-pgbouncer)")
    add("--case", action="append", metavar="NAME", help="only this case, * allowed, may be repeated; leaves out the rest")
    add("--only", choices=(*PROXY_PARTS, *CACHE_PARTS, POOLER_PART, OVERLOAD_PART, GUARD_PART), help="only this part of a run")
    add("--rounds", type=int, help=f"rounds of each case (default: {GOAL_ROUNDS} where there is a goal, else {ROUNDS})")
    add("--seconds", type=float, help=f"measured seconds of each round (default: {SECONDS})")
    add("--connections", type=int, default=IDLE_CONNECTIONS, help="idle connections (default: %(default)s)")
    add("--churn", type=float, metavar="SECONDS", help="also: short connections for so long, and how memory grows")
    add("--cores", metavar="P,L,O", help="cores of proxy, load and origin (default: 0,1,1; 0,1,2 where there are more)")
    add("--json", metavar="FILE", help="where the record goes (default: bench/results/DATE-COMMIT.json)")
    add("--from", dest="source", metavar="FILE", help="report on an earlier record, measure nothing")
    add("--markdown", action="store_true", help="print Markdown tables instead")
    add("--as-shipped", action="store_true", help="caches: nginx and Varnish as they come, without our tuning of hits")
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
    if arguments.publish and arguments.as_shipped:
        raise Usage("--publish measures tuned peers: leave out --as-shipped")
    chosen = _chosen_cases(arguments)
    names = arguments.peers.split(",")
    unknown = set(names) - set(PEERS)
    if unknown:
        raise Usage(f"no peer is named {', '.join(sorted(unknown))}; known: {', '.join(PEERS)}")
    pooled = _chosen_postgres(arguments)
    # All but the poolers have HTTP's origin behind them.
    for_http = bool(chosen) or any(_wanted(arguments, part) for part in (*PROXY_PARTS, *CACHE_PARTS, GUARD_PART))
    overloaded = _wanted(arguments, OVERLOAD_PART)
    # nginx is the origin too.
    programs = tools.HTTP_DRIVERS | {"haproxy"} & set(names) if for_http else set()
    if pooled:
        programs |= postgres.PROGRAMS | ({"pgbouncer"} & set(names) if not arguments.pgbouncer else set())
    for_caches = any(case.cached for case in chosen) or any(_wanted(arguments, part) for part in CACHE_PARTS)
    if for_caches and "varnish" in names:
        programs |= {"varnishd"}
    if overloaded:
        programs |= overload.PROGRAMS | {"nginx", "haproxy"} & set(names)
    if _wanted(arguments, GUARD_PART):
        programs |= guards.PROGRAMS
    tools.require(sorted(programs))
    binary = functools.cache(lambda: tools.deepwater(arguments.deepwater))
    contenders = peers.known(names, binary) if for_http else []
    rivals = peers.known(names, binary, caches.CACHES) if for_caches else []
    for rival in rivals:
        rival.as_shipped = arguments.as_shipped
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    with prepared(arguments.cores, seconds, origin=for_http) as setting:
        result = record.begin(setting, [*contenders, *rivals])
        try:
            _measure_proxies(setting, contenders, chosen, arguments, result)
            _measure_caches(setting, rivals, chosen, arguments, result)
            if pooled:
                _measure_poolers(setting, names, binary, pooled, arguments, result)
            if _wanted(arguments, GUARD_PART):
                _measure_guards(setting, binary, arguments, result)
            if overloaded:
                _measure_overload(setting, names, binary, arguments, result)
        except Failure as failure:
            # Half an hour of figures is worth keeping; the report says what is lacking.
            if not any(result[part] for part in record.PARTS):
                raise
            result["incomplete"] = str(failure)
    return result


def _measure_proxies(setting, contenders, chosen, arguments, result):
    """The parts about proxies, in the order of the report; `result` grows with each."""
    for case in chosen:
        if not case.cached:
            result["cases"].append(_case(setting, contenders, case, arguments, result))
    if _wanted(arguments, "equal-load"):
        result["equal_load"] = _equal_load(setting, contenders, arguments, result)
    if _wanted(arguments, "idle"):
        for peer in contenders:
            result["idle"][peer.name] = _idle(setting, peer, arguments.connections)
    if arguments.churn:
        for peer in contenders:
            result["churn"][peer.name] = _churn(setting, peer, arguments.churn)


def _measure_caches(setting, rivals, chosen, arguments, result):
    """The parts about caches, likewise."""
    for case in chosen:
        if case.cached:
            result["cached"].append(_cached_case(setting, rivals, case, arguments))
    wanted = [part for part in CACHE_PARTS if part != "cached" and _wanted(arguments, part)]
    pace = tools.rust_program(setting.directory, "pace") if wanted else None
    if wanted and pace is None:
        tools.say(f"no Rust compiler: left out: {', '.join(wanted)}")
        return
    if "hot-key" in wanted:
        slow = SlowOrigin(setting, setting.values["SLOW"])
        for mode in caching.MODES:
            able = [cache for cache in rivals if cache.name in caching.SHARING]
            measured = {cache.name: caching.hot_key(setting, cache, mode, slow, pace) for cache in able}
            if measured:
                result["hot_key"].append({"mode": mode, "peers": measured})
        setting.children.stop(slow.child)
    if "purges" in wanted:
        result["beside"] = caching.hits_beside(setting, rivals, pace, arguments.rounds or GOAL_ROUNDS)
    if "object-memory" in wanted:
        for cache in rivals:
            result["object_memory"][cache.name] = caching.object_memory(setting, cache, pace)


def _measure_poolers(setting, names, binary, pooled, arguments, result):
    """The part about poolers, likewise."""
    with postgres.served(setting, names, binary, arguments.pgbouncer) as (server, poolers):
        for peer in (server, *poolers):
            result["versions"].setdefault(peer.name, peer.version())
        for case in pooled:
            rounds = _round_count(case, arguments)
            result["postgres"].append(postgres.measure_case(setting, server, poolers, case, rounds))
        if not arguments.case:
            for pooler in poolers:
                result["postgres_idle"][pooler.name] = postgres.idle_memory(setting, pooler, postgres.IDLE_CLIENTS)


def _measure_guards(setting, binary, arguments, result):
    """The part about Deepwater's own guards, likewise."""
    pace = tools.rust_program(setting.directory, "pace")
    if pace is None:
        tools.say("no Rust compiler: guards are left out")
        return
    rounds = arguments.rounds or (ROUNDS if arguments.quick else guards.ROUNDS)
    result["guards"] = guards.measure_all(setting, binary, rounds, pace)


def _measure_overload(setting, names, binary, arguments, result):
    """The part about overload, likewise."""
    programs = [tools.rust_program(setting.directory, name) for name in ("pace", "surge", "workers")]
    if None in programs:
        tools.say("no Rust compiler: overload is left out")
        return
    for peer in peers.known(names, binary):
        result["versions"].setdefault(peer.name, peer.version())
    rounds = arguments.rounds or (1 if arguments.quick else ROUNDS)
    result["overload"] = overload.measure_all(setting, names, binary, programs[:2], arguments.quick, rounds)


def _wanted(arguments, part):
    """Whether this part, which is no case, runs."""
    if arguments.only:
        return arguments.only == part
    return not (arguments.quick or arguments.case)


def _chosen_cases(arguments):
    if arguments.only == "churn" and not arguments.churn:
        raise Usage("--only churn needs --churn SECONDS")
    if arguments.only == "equal-load":
        return [cases.HEADLINE]
    among = {None: cases.ALL, "cases": cases.PROXIED, "cached": cases.CACHED}.get(arguments.only, ())
    if arguments.case:
        among = [case for case in cases.select(arguments.case) if case in among]
    elif arguments.quick:
        among = [case for case in among if case in (cases.HEADLINE, cases.CACHED_HEADLINE)]
    return among


def _chosen_postgres(arguments):
    if arguments.only not in (None, POOLER_PART):
        return []
    if arguments.case:
        return [case for case in cases.select(arguments.case) if case in cases.POSTGRES]
    if arguments.quick:
        return postgres_cases.QUICK if arguments.only else []
    return cases.POSTGRES


def _round_count(case, arguments):
    return arguments.rounds or (GOAL_ROUNDS if case.name in GOAL_CASES and not arguments.quick else ROUNDS)


def _case(setting, contenders, case, arguments, result):
    rounds = _round_count(case, arguments)
    with started(setting, *contenders):
        for peer in contenders:
            result["tls"][peer.name] = peers.check(peer)
        measured = record.interleaved(contenders, rounds, lambda peer: measure.saturated(setting, peer, case))
    if case.protocol == "h1":
        # The ceiling: what load and origin do with no proxy between them.
        measured["direct"] = record.summarise([measure.saturated(setting, setting.origin, case)])
    _progress(case.name, measured)
    return {"case": case.name, **vars(case), "peers": measured}


def _cached_case(setting, rivals, case, arguments):
    with started(setting, *rivals):
        for cache in rivals:
            caches.check(cache, setting.origin)
        measured = record.interleaved(rivals, _round_count(case, arguments), lambda cache: measure.cached(setting, cache, case))
    _progress(case.name, measured)
    return {"case": case.name, **vars(case), "peers": measured}


def _progress(name, measured):
    figures = [f"{peer} {one['cpu_us']:.1f} µs" for peer, one in measured.items() if peer != "direct"]
    tools.say(f"{name:12} {', '.join(figures)} per request")


def _equal_load(setting, contenders, arguments, result):
    pace = tools.rust_program(setting.directory, "pace")
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

            measured = record.interleaved(targets, rounds, one)
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
    lacking = [part for part in record.PARTS if part != "churn" and not result[part]]
    tables = {"cases": cases.PROXIED, "cached": cases.CACHED, "postgres": cases.POSTGRES}
    if any(len(result[part]) < len(table) for part, table in tables.items()):
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
