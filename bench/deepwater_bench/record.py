"""The JSON record of a run: everything needed to read its figures a year later."""

import datetime
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

from . import wakeup
from .cpu import SOURCES
from .tools import BENCH, REPOSITORY, find

SCHEMA = 2
# The parts of a run, as they are before they are measured.
PARTS = {
    "cases": list,
    "equal_load": list,
    "idle": dict,
    "churn": dict,
    "cached": list,
    "hot_key": list,
    "beside": list,
    "object_memory": dict,
    "postgres": list,
    "postgres_idle": dict,
    "guards": list,
    "overload": list,
}
# Shares of the proxy's core taken by others: above the first the report warns, above the second a run
# is not published.
NOTABLE_DISTURBANCE, TOO_MUCH_DISTURBANCE = 0.05, 0.15


def machine():
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cpu": models[0] if models else platform.processor() or "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.split()[1]) / 1024 / 1024, 1),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def commit():
    """The work tree's commit, marked when the tree holds more than that."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return name + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def begin(setting, peers):
    """A record without figures yet; a peer may occur as a proxy and as a cache."""
    versions = {}
    for peer in peers:
        versions[peer.name] = versions.get(peer.name) or peer.version()
    for tool, package in (("wrk", "wrk"), ("h2load", "nghttp2-client"), ("openssl", "openssl")):
        if find(tool):
            versions[tool] = _package_version(package)
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "wakeup_us": {
            "same_core": round(wakeup.round_trip_us(setting.cores.proxy, setting.cores.proxy), 1),
            "other_core": round(wakeup.round_trip_us(setting.cores.proxy, setting.cores.load), 1),
        },
        "versions": versions,
        "cores": vars(setting.cores),
        "cpu_time_from": SOURCES[setting.cpu_source],
        "seconds": setting.seconds,
        "warmup": setting.warmup,
        "incomplete": None,
        "tls": {},
        **{part: empty() for part, empty in PARTS.items()},
    }


def _package_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else "unknown"


def summarise(rounds):
    """Medians of several rounds, with the samples they come from and how far those are apart."""
    figures = [name for name in rounds[0] if name != "errors"]
    summary = {name: statistics.median(one[name] for one in rounds) for name in figures}
    cpu = [one["cpu_us"] for one in rounds]
    summary["cpu_spread"] = (max(cpu) - min(cpu)) / summary["cpu_us"]
    summary["errors"] = sum(one["errors"] for one in rounds)
    summary["rounds"] = rounds
    return summary


def interleaved(contenders, count, one):
    """Summaries of rounds a, b, c, a, b, c, ..., so that a change of the machine meets all alike."""
    samples = {peer.name: [] for peer in contenders}
    for _ in range(count):
        for peer in contenders:
            samples[peer.name].append(one(peer))
    return {name: summarise(rounds) for name, rounds in samples.items()}


def ratio(row, figure, over, under="deepwater"):
    """Median of the ratios taken round by round: rounds of one number ran side by side in time."""
    peers = row["peers"]
    if over not in peers or under not in peers:
        return None
    pairs = zip(peers[under]["rounds"], peers[over]["rounds"])
    ratios = [ours[figure] / theirs[figure] for ours, theirs in pairs if theirs[figure] > 0]
    return statistics.median(ratios) if ratios else None


def ratio_of_rows(row, base, figure, name):
    """As `ratio`, of one peer in two rows whose rounds ran side by side in time."""
    pairs = zip(row["peers"][name]["rounds"], base["peers"][name]["rounds"])
    return statistics.median(one[figure] / other[figure] for one, other in pairs)


def find_row(rows, **wanted):
    """The first row of a record's list with these values."""
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


def errors(record):
    """Failed requests of the whole run; figures of a run with failures are not to be published."""
    rows = [row for part in ("cases", "equal_load", "cached", "hot_key", "beside", "postgres", "guards", "overload") for row in record[part]]
    counts = [peer["errors"] for row in rows for peer in row["peers"].values()]
    return sum(counts) + sum(one["errors"] for part in ("churn", "postgres_idle") for one in record[part].values())


def disturbance(record):
    """The worst share of the proxy's core that others took in a case: (share, case, peer)."""
    shares = (
        (peer["foreign_share"] + peer["stolen_share"], row["case"], name)
        for row in record["cases"] + record["cached"] + record["postgres"] + record["guards"]
        for name, peer in row["peers"].items()
        if name != "direct"
    )
    return max(shares, default=(0.0, "", ""))


def sound(record):
    """Whether the run went to its end and no request failed."""
    return record["incomplete"] is None and errors(record) == 0


def save(record, path=None):
    """Writes the record; by default under bench/results, named after date and commit."""
    if path is None:
        stamp = record["date"][:19].replace(":", "").replace("-", "")
        path = BENCH / "results" / f"{stamp}-{record['commit']}.json"
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def load(path):
    """A record of this schema or of an earlier one, which lacks parts."""
    return {part: empty() for part, empty in PARTS.items()} | json.loads(Path(path).read_text())
