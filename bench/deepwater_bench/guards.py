"""What each guard of Deepwater adds to the cost of a request: processor time, and instructions by valgrind."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from . import callgrind, load, measure, record
from .cases import HEADLINE
from .peers import Deepwater
from .setting import started
from .table import Table, number
from .tools import say

PROGRAMS = {"valgrind"}
ROUNDS = 7
SECRET = "a secret of the bench, 32 bytes and more"

_RATE = "rate_limit = { rate = 1000000000 }"
_GATE = "concurrency = { max = 100000 }"
_GRADIENT = 'concurrency = { limit = "gradient", min = 1000, initial = 1000 }'
_BREAKERS = "breaker = {}\ntarget_breaker = {}"
_RETRY = "retry = { attempts = 2, statuses = [502, 503, 504] }"
_NO_RETRY = "retry = { attempts = 0 }"
_AUTH = f'[auth.users]\nsecret = "{SECRET}"'


@dataclass(frozen=True)
class Guard:
    """One set of guards: lines of the route, of the pool, and of their own."""

    name: str
    text: str
    route: str = ""
    pool: str = _NO_RETRY
    auth: str = ""


NONE, ALL = "none", "all"
GUARDS = (
    Guard(NONE, "none"),
    Guard("retry", "retries", pool=_RETRY),
    Guard("rate", "rate limit by address", route=_RATE),
    Guard("gate", "concurrency, fixed", pool=f"{_NO_RETRY}\n{_GATE}"),
    Guard("gradient", "concurrency, gradient", pool=f"{_NO_RETRY}\n{_GRADIENT}"),
    Guard("breakers", "both breakers", pool=f"{_NO_RETRY}\n{_BREAKERS}"),
    Guard(ALL, "all of these, fixed", route=_RATE, pool="\n".join((_RETRY, _GATE, _BREAKERS))),
    Guard("auth", "a token, verified before", route='auth = "users"', auth=_AUTH),
)


class Guarded(Deepwater):
    """Deepwater with a set of guards."""

    listens = ("HTTP",)
    guard = GUARDS[0]

    def values(self):
        return {"ROUTE": self.guard.route, "POOL": self.guard.pool, "AUTH": self.guard.auth}


def _segment(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def token():
    """One signed with HS256 that holds for a day."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "bench", "exp": int(time.time()) + 86_400})
    signed = b".".join(_segment(json.dumps(part).encode()) for part in parts)
    return (signed + b"." + _segment(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


def measure_all(setting, binary, rounds):
    """The part's row: the headline case with each set of guards, all clients with the same token."""
    program = str(binary())
    peers = []
    for guard in GUARDS:
        peer = Guarded(guard.name, program, "guards/deepwater.toml")
        peer.guard = guard
        peers.append(peer)
    headers = (f"Authorization: Bearer {token()}",)

    def drive(peer):
        return load.Wrk(HEADLINE, peer.port("h1"), headers)

    with started(setting, *peers):
        measured = record.interleaved(peers, rounds, lambda peer: measure.under_load(setting, peer, drive(peer)))
    for peer in peers:
        measured[peer.name]["instructions"] = _instructions(setting, peer, drive)
        one = measured[peer.name]
        say(f"guards       {peer.guard.text}: {one['cpu_us']:.2f} µs, {one['instructions']:,.0f} instructions per request")
    return [{"case": HEADLINE.name, "peers": measured}]


def _instructions(setting, peer, drive):
    """For each request, of a process of its own."""
    data = setting.directory / "callgrind.out"
    marks = []
    with callgrind.counting(setting, peer, data):
        # Long enough for a program that valgrind slows down fifty times.
        command = drive(peer).command(setting.warmup + setting.seconds + 30, setting.directory)
        with (setting.directory / "load.out").open("wb") as output:
            driver = setting.children.start_load(command, setting.cores.load, output)
        # Connected, and everything of a request has been done once.
        time.sleep(3 * setting.warmup)
        callgrind.window(setting, peer, lambda: marks.append(setting.origin.requests()))
        setting.children.stop(driver)
    return callgrind.annotated(data)[0] / (marks[1] - marks[0])


def _added(row, figure, name):
    """Percent that a set of guards adds to having none."""
    if figure == "instructions":
        one, base = (row["peers"][each][figure] for each in (name, NONE))
        return 100 * (one / base - 1)
    return 100 * (record.ratio(row, figure, NONE, name) - 1)


def _all_add(figure):
    return lambda found: max((_added(row, figure, ALL) for row in found["guards"]), default=None)


added_cpu, added_instructions = _all_add("cpu_us"), _all_add("instructions")


def table(rows):
    (row,) = rows
    out = Table(f"What guards cost ({row['case']})", ["guards", "CPU per request, µs", "added", "instructions", "added"])
    for guard in GUARDS:
        one = row["peers"][guard.name]
        added = ["–"] * 2 if guard.name == NONE else [f"{_added(row, figure, guard.name):+.1f}%" for figure in ("cpu_us", "instructions")]
        spread = f" ±{50 * one['cpu_spread']:.0f}%"
        out.add(guard.text, number(one["cpu_us"], 2) + spread, added[0], number(one["instructions"], 0), added[1])
    return out
