"""Fast clients beside 10,000 idle connections, 1,000 slow clients and a flood of HTTP/2 resets, apart and at once."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from . import load
from .cpu import cpu_ns, resident_bytes, tree
from .measure import MIB, Drive
from .peers import known
from .process import Failure
from .setting import prepared, started
from .table import Table, latency, number
from .tools import deepwater, require, rust_program, say

WARMUP = 1.0
CONNECTIONS = 64


@dataclass(frozen=True)
class Attack:
    name: str
    idle: int = 0
    slow: int = 0
    resets: int = 0


ATTACKS = (
    Attack("none"),
    Attack("10,000 idle connections", idle=10_000),
    Attack("1,000 slow clients", slow=1_000),
    Attack("50,000 resets a second", resets=50_000),
    Attack("all at once", idle=10_000, slow=1_000, resets=50_000),
)


class Attackers:
    """The attack in a process of its own, on the load's core, less urgent than the load that is measured."""

    def __init__(self, setting, binary, port, attack):
        numbers = (attack.idle, attack.slow, attack.resets)
        command = ["taskset", "-c", str(setting.cores.load), "nice", "-n", "5", binary, f"127.0.0.1:{port}"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*map(str, [*command, *numbers])], stdin=pipe, stdout=pipe, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.wait()
            raise Failure(f"the attack ended with status {self.process.returncode}")

    def end(self):
        """What they met with."""
        output, _ = self.process.communicate(timeout=30)
        if self.process.returncode != 0:
            raise Failure(f"the attack ended with status {self.process.returncode}")
        return json.loads(output)


def under(setting, peer, attack, options, programs):
    """What fast clients get while the attack goes on."""
    with started(setting, peer):
        port, pids = peer.port("h1"), tree(peer.child.pid)
        attackers = Attackers(setting, programs["attack"], port, attack)
        try:
            # Slow clients have begun to drip, floods have met their end a few times.
            time.sleep(options.before)
            requests = [load.get(port, "/api/1k")]
            pace = load.Pace(programs["pace"], port, requests, CONNECTIONS, options.rate, WARMUP, options.seconds)
            drive = Drive(setting, peer, pace, WARMUP + options.seconds)
            time.sleep(WARMUP)
            cpu, at = cpu_ns(pids, setting.cpu_source), time.monotonic()
            time.sleep(options.seconds * 0.9)
            share = (cpu_ns(pids, setting.cpu_source) - cpu) / 1e9 / (time.monotonic() - at)
            resident = resident_bytes(peer.child.pid)
            seen = drive.outcome()
        finally:
            met = attackers.end()
        return {
            "attack": attack.name,
            "p50_us": seen.p50_us,
            "p99_us": seen.p99_us,
            "max_us": seen.max_us,
            "errors": seen.errors,
            "requests": seen.requests,
            "core_share": share,
            "resident_mib": resident / MIB,
            "met": met,
        }


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def report(results, options):
    """Prints a table of medians; true if nothing failed."""
    load_of = f"{options.rate:,} requests a second on {CONNECTIONS} connections"
    title = f"Fast clients: {load_of}, medians of {options.rounds} rounds of {options.seconds:g} s"
    seen = ["p50", "p99", "slowest", "errors", "core", "MiB"]
    table = Table(title, ["attack", *seen, "slow ended", "resets/s", "floods ended/s"])
    for name, rounds in results.items():
        met = rounds[-1]["met"]
        table.add(
            name,
            *(latency(median(rounds, key)) for key in ("p50_us", "p99_us", "max_us")),
            sum(one["errors"] for one in rounds),
            f"{median(rounds, 'core_share'):.0%}",
            number(median(rounds, "resident_mib"), 0),
            number(met["slow_ended"], 0),
            number(met["resets"] / met["seconds"], 0),
            number(met["floods_ended"] / met["seconds"], 0),
        )
    print(table.markdown() if options.markdown else table.text())
    return not any(one["errors"] for rounds in results.values() for one in rounds)


def main():
    parser = argparse.ArgumentParser(prog="bench/hostile", description=__doc__)
    parser.add_argument("--deepwater", metavar="PATH", help="measure this binary instead of building one")
    parser.add_argument("--rate", type=int, default=5_000, help="requests a second of the fast clients (5000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all attacks in turn (3)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a measurement (8)")
    parser.add_argument("--before", type=float, default=3.0, help="seconds an attack goes on before it (3)")
    parser.add_argument("--cores", help="cores of the proxy, the load and the origin, as in 0,1,1")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    parser.add_argument("--json", metavar="FILE", help="keep every round's figures")
    options = parser.parse_args()
    try:
        require(["nginx", "openssl", "taskset"])
        binary = deepwater(options.deepwater)
        with prepared(options.cores, options.seconds) as setting:
            programs = {name: rust_program(setting.directory, name) for name in ("attack", "pace")}
            if not all(programs.values()):
                raise Failure("rustc is missing")
            [peer] = known(["deepwater"], lambda: binary)
            results = {attack.name: [] for attack in ATTACKS}
            for number in range(options.rounds):
                for attack in ATTACKS:
                    say(f"round {number + 1}: {attack.name}")
                    results[attack.name].append(under(setting, peer, attack, options, programs))
        if options.json:
            with open(options.json, "w") as file:
                json.dump(results, file, indent=1)
        return 0 if report(results, options) else 1
    except Failure as failure:
        print(f"bench/hostile: {failure}", file=sys.stderr)
        return failure.status
