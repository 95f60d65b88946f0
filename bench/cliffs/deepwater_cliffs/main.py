"""The command line, and the order of a run."""

import argparse
import datetime
import json
import random
import signal
import sys
from pathlib import Path

from deepwater_bench import postgres_server, tools
from deepwater_bench.process import Failure
from deepwater_bench.record import commit, machine
from deepwater_bench.setting import prepared

from . import limiters, others, report, rounds, stage, verdict

SCHEMA = 1
ROUNDS, SECONDS = 2, 100.0
QUICK_ROUNDS, QUICK_SECONDS = 1, 40.0
PROGRAMS = ("taskset",)
POSTGRES_PROGRAMS = ("postgres", "initdb", "pgbench", "psql", "createdb", "pg_isready")


def _arguments(words):
    parser = argparse.ArgumentParser(
        prog="bench/cliffs/run",
        description="Ramps applications to the cliff of one resource each, and holds the lens's forecast against it.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help=f"one round of {' and '.join(limiters.QUICK)}, ramps of {QUICK_SECONDS:g} s")
    add("--only", action="append", choices=tuple(limiters.LIMITERS), help="only this limiter, may be repeated")
    add("--rounds", type=int, help=f"rounds of each limiter (default: {ROUNDS})")
    add("--seconds", type=float, help=f"length of a ramp (default: {SECONDS:g})")
    add("--seed", type=int, help="draw the same parameters again (default: by chance, and told)")
    add("--deepwater", metavar="PATH", help="the binary to measure (default: cargo build --release)")
    add("--json", metavar="FILE", help="where the record goes (default: bench/results/cliffs-DATE-COMMIT.json)")
    add("--from", dest="source", metavar="FILE", help="report on an earlier record, measure nothing")
    add("--markdown", action="store_true", help="print Markdown instead")
    return parser.parse_args(words)


def main(words=None):
    """Exit codes: 0 good, 1 failed while running, or a goal was missed, 2 bad usage or something missing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments(words)
    try:
        if arguments.source:
            record = json.loads(Path(arguments.source).read_text())
        else:
            record = _run(arguments)
            _save(record, arguments.json)
    except Failure as failure:
        tools.say(f"bench/cliffs: {failure}")
        return failure.status
    except KeyboardInterrupt:
        tools.say("bench/cliffs: interrupted")
        return 130
    print(report.markdown(record) if arguments.markdown else report.text(record))
    return 0 if _good(record) else 1


def _good(record):
    runs = record["runs"]
    sound = not record["incomplete"] and not any(run["unsound"] for run in runs)
    return sound and all(total.met for total in verdict.totals(runs))


def _run(arguments):
    names = arguments.only or (limiters.QUICK if arguments.quick else tuple(limiters.LIMITERS))
    count = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
    plans = [(number, limiters.drawn(name, seed, number)) for number in range(count) for name in names]
    for_postgres = any(plan.needs_postgres for _, plan in plans)
    tools.require([*PROGRAMS, *(POSTGRES_PROGRAMS if for_postgres else ())])
    binary = tools.deepwater(arguments.deepwater)
    record = _begin(seed, seconds, stage.version(binary))
    tools.say(f"seed {seed}")
    with prepared(None, seconds, origin=False) as setting:
        built = stage.programs(setting.directory)
        if (taken := others.now(setting)) > others.MOST:
            tools.say(f"others take {taken:.2f} cores of this machine: what is measured now may prove nothing")
        server = postgres_server.Server(setting) if for_postgres else None
        try:
            for number, plan in plans:
                run = rounds.play(setting, plan, seconds, binary, server, built, seed, number)
                record["runs"].append(run)
        except Failure as failure:
            # What was measured is worth keeping; the report says what is lacking.
            if not record["runs"]:
                raise
            record["incomplete"] = str(failure)
        finally:
            if server:
                server.stop()
    return record


def _begin(seed, seconds, version):
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "version": version,
        "machine": machine(),
        "seed": seed,
        "ramp_seconds": seconds,
        "incomplete": None,
        "runs": [],
    }


def _save(record, path):
    if path is None:
        stamp = record["date"][:19].replace(":", "").replace("-", "")
        path = tools.BENCH / "results" / f"cliffs-{stamp}-{record['commit']}.json"
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    tools.say(f"record: {path}")
