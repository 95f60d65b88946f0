"""What each guard of Deepwater adds to the cost of a request: processor time, and instructions by valgrind."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, replace

from . import callgrind, load, measure, record
from .cases import HEADLINE
from .peers import Deepwater
from .setting import started
from .table import Table, number
from .tools import say

PROGRAMS = {"valgrind"}
ROUNDS = 9
# A short round, so that both of a pair meet the same machine.
SECONDS = 1.1
# Requests whose instructions are counted.
COUNTED = 20_000
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
    # Shows what a difference of nothing looks like on this machine.
    Guard("again", "none, once more"),
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


def guarded(guard, program):
    """Deepwater with this set of guards, not yet started."""
    peer = Guarded(guard.name, program, "guards/deepwater.toml")
    peer.guard = guard
    return peer


def _segment(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def token():
    """One signed with HS256 that holds for a day."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "bench", "exp": int(time.time()) + 86_400})
    signed = b".".join(_segment(json.dumps(part).encode()) for part in parts)
    return (signed + b"." + _segment(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


def measure_all(setting, binary, rounds, pace):
    """The part's row: the headline case with each set of guards, all clients with the same token.

    A guard costs less than a busy machine changes in a minute, so each round runs right after one without guards,
    and what counts is the ratio of the two.
    """
    program = str(binary())
    header = f"Authorization: Bearer {token()}"
    short = replace(setting, seconds=SECONDS)

    def drive(peer):
        return load.Wrk(HEADLINE, peer.port("h1"), (header,))

    def request(peer):
        return load.get(peer.port("h1"), HEADLINE.path).removesuffix(b"\r\n") + f"{header}\r\n\r\n".encode()

    def one(peer):
        return measure.under_load(short, peer, drive(peer))

    peers = [guarded(guard, program) for guard in GUARDS]
    # First, as it is soon over: what fails here costs no rounds.
    instructions = {peer.name: _instructions(setting, peer, pace, request) for peer in peers}
    base, *others = peers
    samples = {peer.name: [] for peer in peers}
    with started(setting, *peers):
        for number in range(rounds):
            for peer in others:
                # By turns first and second.
                pair = [one(each) for each in ((base, peer) if number % 2 == 0 else (peer, base))]
                without, with_it = pair if number % 2 == 0 else reversed(pair)
                samples[base.name].append(without | {"over_none": 1.0})
                samples[peer.name].append(with_it | {"over_none": with_it["cpu_us"] / without["cpu_us"]})
    measured = {name: record.summarise(ones) for name, ones in samples.items()}
    for peer in peers:
        measured[peer.name]["instructions"] = instructions[peer.name]
        told = measured[peer.name]
        say(f"guards       {peer.guard.text}: {told['over_none']:.3f} of none, {told['instructions']:,.0f} instructions")
    return [{"case": HEADLINE.name, "peers": measured}]


def _instructions(setting, peer, pace, request):
    """For each request, of a process of its own: nothing comes while counting begins and ends."""
    data = setting.directory / "callgrind.out"

    def drive(count):
        generator = load.Pace(pace, peer.port("h1"), [request(peer)] * count, HEADLINE.connections, rate=0)
        measure.Drive(setting, peer, generator, 120).outcome()

    with callgrind.counting(setting, peer, data):
        # Everything of a request has been done once.
        drive(COUNTED // 10)
        callgrind.switch(peer, "on")
        drive(COUNTED)
        callgrind.switch(peer, "off")
    return callgrind.annotated(data)[0] / COUNTED


def _added(row, figure, name):
    """Percent that a set of guards adds to having none."""
    one, base = (row["peers"][each][figure] for each in (name, NONE))
    return 100 * (one / base - 1)


def added_cpu(found):
    return max((_added(row, "over_none", ALL) for row in found["guards"]), default=None)


def _spread(one):
    """Half the distance between the quartiles of what was added, in percent."""
    ratios = sorted(round_["over_none"] for round_ in one["rounds"])
    return 50 * (load.percentile(ratios, 0.75) - load.percentile(ratios, 0.25))


def table(rows):
    (row,) = rows
    head = ["guards", "CPU per request, µs", "added", "instructions in user space", "added"]
    out = Table(f"What guards cost ({row['case']})", head)
    for guard in GUARDS:
        one = row["peers"][guard.name]
        added, more = "–", "–"
        if guard.name != NONE:
            added = f"{_added(row, 'over_none', guard.name):+.1f}% ±{_spread(one):.1f}"
            more = f"{one['instructions'] - row['peers'][NONE]['instructions']:+,.0f}"
        out.add(guard.text, number(one["cpu_us"], 2), added, number(one["instructions"], 0), more)
    return out
