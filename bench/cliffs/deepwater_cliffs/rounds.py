"""One run: a limiter's round from its ramp to its verdict."""

import time

from deepwater_bench.tools import say

from . import lens, limiters, others, ramp, stage, verdict

# The lens is asked this often on the way up, and for the last time so long before the ramp's end.
EVERY_S, BEFORE_END_S = 2.0, 0.5


def play(setting, plan, seconds, binary, server, built, seed, number):
    """The record of one run."""
    say(f"{plan.limiter} {number + 1}: {plan.parameters}, knee expected at {plan.nominal:.0f} requests a second")
    with stage.staged(setting, plan, binary, server, built) as scene:
        scene.recover()
        watch = others.Watch(setting)
        readings, ramped = _ramp(scene, plan, seconds, limiters.load_seed(seed, plan.limiter, number, "ramp"))
        knee, steps = ramp.climb(_stepper(scene, plan, seed, number), plan.nominal)
        foreign = watch.cores()
        cores, held = lens.cost(scene.console)
    run = {
        "limiter": plan.limiter,
        "cliff": plan.cliff,
        "round": number + 1,
        "parameters": plan.parameters,
        "nominal": plan.nominal,
        "target_ms": 1000 * (plan.slowest_s + ramp.WAIT_S),
        "knee": knee,
        "reading": readings[-1]["reading"],
        "readings": readings,
        "ramp": ramped.record(),
        "steps": [one.record() for one in steps],
        "foreign_cores": round(foreign, 3),
        "lens_cores": round(cores, 5),
        "lens_bytes": held,
        "unsound": _unsound(knee, ramped, steps, foreign),
    }
    run["verdict"] = verdict.judge(run)
    _tell(run)
    return run


def _ramp(scene, plan, seconds, seed):
    """(what the lens said meanwhile, what the requests met with)."""
    phases = ramp.phases(plan.nominal, seconds)
    begin = time.monotonic()
    end = begin + sum(length for _, length in phases)
    drive = scene.drive(phases, seed)
    readings = []
    while (now := time.monotonic()) < end - BEFORE_END_S:
        time.sleep(min(EVERY_S, end - BEFORE_END_S - now))
        reading = lens.read(scene.console, plan.cliff)
        readings.append({"at_s": round(time.monotonic() - begin, 1), "reading": reading.record()})
    fates = drive.outcome()
    return readings, ramp.seen(fates, phases[-1][0], 0.0, end - begin, plan.slowest_s)


def _stepper(scene, plan, seed, number):
    """For ramp.climb."""
    count = 0

    def step(rate):
        nonlocal count
        count += 1
        phases = [(rate, ramp.STEP_S)]
        scene.recover()
        fates = scene.drive(phases, limiters.load_seed(seed, plan.limiter, number, count)).outcome()
        return ramp.seen(fates, rate, ramp.SETTLING_S, ramp.STEP_S, plan.slowest_s)

    return step


def _unsound(knee, ramped, steps, foreign):
    """Why this run proves nothing, or None."""
    if knee is None:
        return f"no knee below {ramp.END:g} times the expected one"
    if not ramped.well:
        return f"the ramp was too much already: {ramped.good:.1%} answered, p95 {ramped.p95_ms} ms"
    if foreign > others.MOST:
        return f"others took {foreign:.2f} cores of the machine"
    # Beyond the knee a crowded machine may well be late.
    late = [one for one in (ramped, *steps) if one.well and not one.sound]
    if late:
        return f"requests were sent {max(one.late_p99_ms for one in late):.0f} ms late"
    return None


def _tell(run):
    reading, forecast = run["reading"], run["reading"]["forecast"]
    told = f"{forecast['load']:.0f} ({forecast['low']:.0f}–{forecast['high']:.0f})" if forecast else reading["state"]
    knee = "none" if run["knee"] is None else f"{run['knee']:.0f}"
    say(f"  knee {knee}, forecast {told}, nearest {reading['nearest']}" + (f"; {run['unsound']}" if run["unsound"] else ""))

