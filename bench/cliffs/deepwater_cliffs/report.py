"""What is told of a record, for the terminal and for Markdown."""

from deepwater_bench.table import Table, number

from . import ramp
from .verdict import totals


def text(record):
    return _told(record, Table.text, "  ")


def markdown(record):
    return _told(record, Table.markdown, "- ")


def _told(record, form, bullet):
    machine = record["machine"]
    lines = [
        f"{bullet}{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}",
        f"{bullet}Deepwater {record['version']}, commit {record['commit']}, {record['date']}, seed {record['seed']}, "
        f"ramps of {record['ramp_seconds']:g} s",
        "",
        form(_table(record["runs"])),
        "",
    ]
    for total in totals(record["runs"]):
        mark = "met" if total.met else "missed"
        lines.append(f"{bullet}{total.text}: {total.count} of {total.runs} (goal {total.goal:.0%}): {mark}")
    if record["runs"]:
        cores, held = (max(run[key] for run in record["runs"]) for key in ("lens_cores", "lens_bytes"))
        lines.append(f"{bullet}The lens took {cores:.2%} of a core and {held / 2**20:.1f} MiB where it took most")
    for run in record["runs"]:
        if run["unsound"]:
            lines.append(f"{bullet}{_name(run)} proves nothing: {run['unsound']}")
    if record["incomplete"]:
        lines.append(f"{bullet}The run broke off: {record['incomplete']}")
    return "\n".join(lines)


def _table(runs):
    title = f"Forecast from the load up to {ramp.LAST:.0%} of the expected knee, requests per second"
    head = ["limiter", "knee measured", "seen up to", "forecast", "low – high", "error", "covered", "nearest cliff named", "right"]
    table = Table(title, head)
    for run in runs:
        reading, verdict = run["reading"], run["verdict"]
        forecast = reading["forecast"]
        seen = f"{run['ramp']['rate'] / run['knee']:.0%}" if run["knee"] else "–"
        table.add(
            _name(run),
            number(run["knee"], 0),
            seen,
            number(forecast["load"], 0) if forecast else reading["state"].replace("_", " "),
            f"{forecast['low']:,.0f} – {forecast['high']:,.0f}" if forecast else "–",
            "–" if verdict["error"] is None else f"{verdict['error']:+.0%}",
            _yes(verdict["covered"]),
            reading["nearest"] or "none",
            _yes(verdict["right"]),
        )
    return table


def _name(run):
    return f"{run['limiter']} {run['round']}"


def _yes(value):
    return "yes" if value else "no"
