"""Forecast against measurement, run by run and in all; the goals."""

from dataclasses import dataclass

# A forecast may be off by this part of the measured knee.
TOLERANCE = 0.25
# Shares of all runs. One that could not tell counts as missed in each.
RIGHT, WITHIN, COVERED = 0.90, 0.80, 0.80
# Of one core, in every run: what the lens may take.
MOST_CORES = 0.01


def judge(run):
    """The verdict on a run's record: the last reading before the load passed half of the knee, against the knee."""
    reading, knee = run["reading"], run["knee"]
    forecast = reading["forecast"]
    error = forecast["load"] / knee - 1 if forecast and knee else None
    return {
        "right": (reading["nearest"] or "").startswith(run["cliff"]),
        "error": error,
        "within": error is not None and abs(error) <= TOLERANCE,
        "covered": bool(forecast and knee) and forecast["low"] <= knee <= forecast["high"],
        "cheap": run["lens_cores"] <= MOST_CORES,
    }


@dataclass(frozen=True)
class Total:
    """How many of the runs did, and what share of them should."""

    text: str
    key: str
    goal: float
    count: int
    runs: int

    @property
    def met(self):
        return self.runs > 0 and self.count >= self.goal * self.runs


def totals(runs):
    verdicts = [run["verdict"] for run in runs]
    return [
        Total(text, key, goal, sum(verdict[key] for verdict in verdicts), len(verdicts))
        for text, key, goal in (
            ("the right cliff named", "right", RIGHT),
            (f"forecast within ± {TOLERANCE:.0%} of the knee", "within", WITHIN),
            ("range covers the knee", "covered", COVERED),
            (f"the lens takes no more than {MOST_CORES:.0%} of a core", "cheap", 1.0),
        )
    ]
