"""Where the processor time of one case goes: perf's samples, or callgrind's instruction counts."""

import argparse
import signal
import subprocess
import sys
import time

from . import caches, cases, load, peers, tools
from .cpu import cpu_ns, tree
from .process import Failure, Usage
from .setting import prepared


def _arguments():
    parser = argparse.ArgumentParser(
        prog="bench/profile",
        description="Profiles one proxy under the load of one case and prints its hottest symbols.",
    )
    add = parser.add_argument
    add("--case", default=cases.HEADLINE.name, help="which case (default: %(default)s)")
    add("--peer", default="deepwater", help="which proxy (default: %(default)s)")
    add("--deepwater", metavar="PATH", help="the binary to profile (default: cargo build --release)")
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
        own = {"haproxy": {"haproxy"}, "varnish": {"varnishd"}}.get(arguments.peer, set())
        tools.require(sorted({"nginx", "wrk", "h2load", "openssl", profiler} | own))
        (case,) = cases.select([arguments.case])
        table = caches.CACHES if case.cached else peers.PROXIES
        if arguments.peer not in table:
            raise Usage(f"no peer of {case.name} is named {arguments.peer}; known: {', '.join(table)}")
        (peer,) = peers.known([arguments.peer], lambda: tools.deepwater(arguments.deepwater, arguments.build), table)
        with prepared(arguments.cores, arguments.seconds) as setting:
            (_callgrind if arguments.callgrind else _perf)(setting, peer, case, arguments)
    except Failure as failure:
        tools.say(f"bench/profile: {failure}")
        return failure.status
    except KeyboardInterrupt:
        return 130
    return 0


def _perf(setting, peer, case, arguments):
    data = arguments.keep or setting.directory / "perf.data"
    peer.start(setting)
    pids = ",".join(map(str, tree(peer.child.pid)))
    # The clock event works on virtual machines too, where the hardware's counters are often hidden.
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-g", "-p", pids, "-o", data]
    with _loaded(setting, peer, case):
        sampler = setting.children.start("perf", record, setting.cores.load)
        measured = _window(setting, peer, case)
        sampler.process.send_signal(signal.SIGINT)
        sampler.process.wait()
    print(f"{peer.name} {case.name}: {measured}")
    report = ["perf", "report", "-i", str(data), "--stdio", "--no-children", "--percent-limit", "0.3"]
    report += ["-g", "caller,0.5,callee,function,percent"] if arguments.callers else ["-g", "none"]
    done = subprocess.run(report, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"perf report failed:\n{done.stderr}\n{sampler.words()}")
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith("#")]
    print("\n".join(lines if arguments.callers else lines[: arguments.top]))


def _callgrind(setting, peer, case, arguments):
    data = arguments.keep or setting.directory / "callgrind.out"
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={data}"]
    peer.start(setting, valgrind)
    with _loaded(setting, peer, case):
        first = _requests(setting, peer, case)
        _callgrind_counts(peer, "on")
        time.sleep(setting.seconds)
        _callgrind_counts(peer, "off")
        requests = _requests(setting, peer, case) - first
    peer.stop(setting)
    done = subprocess.run(["callgrind_annotate", str(data)], capture_output=True, text=True)
    if done.returncode != 0 or requests <= 0:
        raise Failure(f"callgrind counted nothing:\n{done.stderr}\n{peer.name} passed {requests} requests")
    rows = [line.strip() for line in done.stdout.splitlines() if "%)" in line]
    instructions = int(rows[0].split()[0].replace(",", ""))
    print(f"{peer.name} {case.name}: {requests:,} requests, {instructions / requests:,.0f} instructions each in user space")
    print("\n".join(rows[: arguments.top + 1]))


def _callgrind_counts(peer, state):
    done = subprocess.run(["callgrind_control", "-i", state, str(peer.child.pid)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"callgrind_control failed:\n{done.stdout}{done.stderr}")


class _loaded:
    """The case's load, for longer than the profiled window; what is left of it ends with the block."""

    def __init__(self, setting, peer, case):
        self.setting = setting
        self.generator = load.saturating(case, peer.port(case.protocol))
        self.driver = None

    def __enter__(self):
        total = self.setting.warmup + self.setting.seconds + 30
        output = (self.setting.directory / "load.out").open("wb")
        command = self.generator.command(total, self.setting.directory)
        self.driver = self.setting.children.start_load(command, self.setting.cores.load, output)
        time.sleep(self.setting.warmup)
        return self

    def __exit__(self, *_):
        # What was measured is measured: the rest of the load is of no interest.
        self.setting.children.stop(self.driver)


def _requests(setting, peer, case):
    """Requests so far: by the cache's own count where the origin sees none. (Varnish counts its own late.)"""
    return peer.answered() if case.cached else setting.origin.requests()


def _window(setting, peer, case):
    """CPU time per request while perf looks on: some percent above that of bench/run."""
    pids = tree(peer.child.pid)
    first = _requests(setting, peer, case), cpu_ns(pids, setting.cpu_source)
    time.sleep(setting.seconds)
    last = _requests(setting, peer, case), cpu_ns(pids, setting.cpu_source)
    requests, cpu = last[0] - first[0], last[1] - first[1]
    if requests <= 0:
        raise Failure(f"{peer.name} answered no request")
    return f"{requests:,} requests, {cpu / 1e3 / requests:.1f} µs each with perf looking on"
