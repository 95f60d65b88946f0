"""Where the processor time of one case goes: perf's samples, or callgrind's instruction counts."""

import argparse
import contextlib
import signal
import subprocess
import sys
import time

from . import caches, callgrind, cases, load, peers, postgres, tools
from .cpu import cpu_ns, tree
from .postgres_load import Pgbench
from .process import Failure, Usage
from .setting import prepared


def _arguments():
    parser = argparse.ArgumentParser(
        prog="bench/profile",
        description="Profiles one proxy, cache or pooler under the load of one case and prints its hottest symbols.",
    )
    add = parser.add_argument
    add("--case", default=cases.HEADLINE.name, help="which case (default: %(default)s)")
    add("--peer", default="deepwater", help="which of them (default: %(default)s)")
    add("--deepwater", metavar="PATH", help="the binary to profile (default: cargo build --release)")
    add("--pgbouncer", metavar="PATH", help="the PgBouncer to profile (default: the system's)")
    add("--build", default="release", metavar="PROFILE", help="cargo profile to build with (default: %(default)s)")
    add("--seconds", type=float, default=5.0, help="profiled seconds (default: %(default)s)")
    add("--top", type=int, default=40, help="how many symbols (default: %(default)s)")
    add("--callers", action="store_true", help="also show who calls the hottest symbols")
    add("--callgrind", action="store_true", help="count instructions with valgrind instead: slow, repeatable")
    add("--keep", metavar="FILE", help="where the profile's data goes (default: thrown away)")
    add("--cores", metavar="P,L,O", help="cores of proxy, load and origin")
    return parser.parse_args()


def main():
    """Exit codes as of bench/run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    try:
        profiler = "valgrind" if arguments.callgrind else "perf"
        (case,) = cases.select([arguments.case])
        tools.require(sorted({profiler} | _programs(case, arguments)))
        with _prepared(case, arguments) as (setting, peer, driven):
            (_callgrind if arguments.callgrind else _perf)(setting, peer, driven, arguments)
    except Failure as failure:
        tools.say(f"bench/profile: {failure}")
        return failure.status
    except KeyboardInterrupt:
        return 130
    return 0


def _programs(case, arguments):
    own = {"haproxy": {"haproxy"}, "varnish": {"varnishd"}}.get(arguments.peer, set())
    if case not in cases.POSTGRES:
        return {"nginx", "wrk", "h2load", "openssl"} | own
    return postgres.PROGRAMS | ({"pgbouncer"} if arguments.peer == "pgbouncer" and not arguments.pgbouncer else set())


@contextlib.contextmanager
def _prepared(case, arguments):
    """A setting, the peer that is looked at, not yet started, and the load on it."""

    def binary():
        return tools.deepwater(arguments.deepwater, arguments.build)

    pooled = case in cases.POSTGRES
    table = postgres.POOLERS if pooled else caches.CACHES if case.cached else peers.PROXIES
    if arguments.peer not in table:
        raise Usage(f"no peer of {case.name} is named {arguments.peer}; known: {', '.join(table)}")
    with prepared(arguments.cores, arguments.seconds, origin=not pooled) as setting:
        if not pooled:
            (peer,) = peers.known([arguments.peer], binary, table)
            yield setting, peer, _HttpLoad(setting, peer, case)
            return
        with postgres.served(setting, [arguments.peer], binary, arguments.pgbouncer) as (server, (peer,)):
            if not postgres.set_mode(peer, case):
                raise Usage(f"{arguments.peer} cannot run {case.name}")
            try:
                yield setting, peer, _SqlLoad(setting, peer, case)
            finally:
                # Before the server it depends on.
                if peer.child:
                    peer.stop(setting)


def _perf(setting, peer, driven, arguments):
    data = arguments.keep or setting.directory / "perf.data"
    peer.start(setting)
    pids = ",".join(map(str, tree(peer.child.pid)))
    # The clock event works on virtual machines too, where the hardware's counters are often hidden.
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-g", "-p", pids, "-o", data]
    driven.begin()
    sampler = setting.children.start("perf", record, setting.cores.load)
    cpu = _window(setting, peer, driven)
    sampler.process.send_signal(signal.SIGINT)
    sampler.process.wait()
    driven.end()
    requests = _answered(peer, driven)
    each = cpu / 1e3 / requests
    # Some percent above that of bench/run.
    print(f"{peer.name} {driven.case.name}: {requests:,} {driven.noun}, {each:.1f} µs each with perf looking on")
    report = ["perf", "report", "-i", str(data), "--stdio", "--no-children", "--percent-limit", "0.3"]
    report += ["-g", "caller,0.5,callee,function,percent"] if arguments.callers else ["-g", "none"]
    done = subprocess.run(report, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"perf report failed:\n{done.stderr}\n{sampler.words()}")
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith("#")]
    print("\n".join(lines if arguments.callers else lines[: arguments.top]))


def _callgrind(setting, peer, driven, arguments):
    data = arguments.keep or driven.directory / "callgrind.out"
    with callgrind.counting(setting, peer, data):
        driven.begin()
        callgrind.window(setting, peer, driven.mark)
        driven.end()
        requests = _answered(peer, driven)
    instructions, rows = callgrind.annotated(data)
    each = instructions / requests
    print(f"{peer.name} {driven.case.name}: {requests:,} {driven.noun}, {each:,.0f} instructions each in user space")
    print("\n".join(rows[: arguments.top + 1]))


class _HttpLoad:
    """The case's load, begun and ended, and the requests answered between two marks."""

    noun = "requests"

    def __init__(self, setting, peer, case):
        self.setting, self.peer, self.case = setting, peer, case
        self.driver, self.marks = None, []
        self.directory = setting.directory

    def begin(self):
        total = self.setting.warmup + self.setting.seconds + 30
        generator = load.saturating(self.case, self.peer.port(self.case.protocol))
        output = (self.setting.directory / "load.out").open("wb")
        command = generator.command(total, self.setting.directory)
        self.driver = self.setting.children.start_load(command, self.setting.cores.load, output)
        time.sleep(self.setting.warmup)

    def mark(self):
        # By the cache's own count where the origin sees none. (Varnish counts its own late.)
        self.marks.append(self.peer.answered() if self.case.cached else self.setting.origin.requests())

    def end(self):
        # What was measured is measured: the rest of the load is of no interest.
        self.setting.children.stop(self.driver)

    def answered(self):
        return self.marks[1] - self.marks[0]


class _SqlLoad:
    """The same of a pooler's case: queries, counted once the load has ended."""

    noun = "queries"

    def __init__(self, setting, pooler, case):
        self.setting, self.pooler, self.case = setting, pooler, case
        self.pgbench, self.marks = None, []
        # PgBouncer's user may write here.
        self.directory = pooler.server.directory

    def begin(self):
        self.pgbench = Pgbench(self.setting, self.pooler, self.case)

    def mark(self):
        self.marks.append(time.time())

    def end(self):
        self.pgbench.finish()

    def answered(self):
        return len(self.pgbench.transactions(*self.marks)) * self.case.queries


def _answered(peer, driven):
    requests = driven.answered()
    if requests <= 0:
        raise Failure(f"{peer.name} answered nothing")
    return requests


def _window(setting, peer, driven):
    """CPU time of the profiled seconds, in nanoseconds."""
    pids = tree(peer.child.pid)
    driven.mark()
    first = cpu_ns(pids, setting.cpu_source)
    time.sleep(setting.seconds)
    driven.mark()
    return cpu_ns(pids, setting.cpu_source) - first
