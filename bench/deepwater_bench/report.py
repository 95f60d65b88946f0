"""Tables of a record, for the terminal and for Markdown."""

from . import guards, overload_report, postgres_report
from .cases import PROTOCOLS
from .goals import GOALS, SUBJECT, added_latency
from .record import NOTABLE_DISTURBANCE, disturbance, errors, ratio, ratio_of_rows
from .table import Table, latency, number, times

NAMES = {
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "varnish": "Varnish",
    "pgbouncer": "PgBouncer",
    "postgres": "PostgreSQL",
    "deepwater": "Deepwater",
    "direct": "origin alone",
}
OTHERS = ("nginx", "haproxy", "varnish")
# Decimals of a goal's measured value, by its unit.
DIGITS = {"x": 2, "KiB": 2, "": 0}


def _names(rows):
    """Peers that occur in these rows, in the order of a round."""
    return list(dict.fromkeys(name for row in rows for name in row["peers"]))


def _ratio_heads(names):
    return [f"÷ {NAMES[other]}" for other in OTHERS if other in names and SUBJECT in names]


def _ratios(row, names, figure):
    return [times(ratio(row, figure, other)) for other in OTHERS if other in names and SUBJECT in names]


def cpu_table(rows, title="CPU per request, µs (lower is better)", spread=True):
    names = [name for name in _names(rows) if name != "direct"]
    table = Table(title, ["case", *map(NAMES.get, names), *_ratio_heads(names)])
    for row in rows:
        cells = []
        for name in names:
            peer = row["peers"][name]
            cells.append(number(peer["cpu_us"]) + (f" ±{50 * peer['cpu_spread']:.0f}%" if spread else ""))
        table.add(row["case"], *cells, *_ratios(row, names, "cpu_us"))
    return table


def throughput_table(rows, title="Requests per second, and how busy the proxy's core was"):
    names = _names(rows)
    table = Table(title, ["case", *map(NAMES.get, names), *_ratio_heads(names)])
    for row in rows:
        cells = []
        for name in names:
            peer = row["peers"].get(name)
            busy = f" @{peer['core_share']:.0%}" if peer and name != "direct" else ""
            cells.append(number(peer and peer["rps"], 0) + busy)
        table.add(row["case"], *cells, *_ratios(row, names, "rps"))
    return table


def latency_table(rows, title="Latency as fast as it goes, p50 / p99"):
    names = _names(rows)
    table = Table(title, ["case", *map(NAMES.get, names)])
    for row in rows:
        table.add(row["case"], *(_pair(row["peers"].get(name)) for name in names))
    return table


def _pair(peer):
    return f"{latency(peer['p50_us'])} / {latency(peer['p99_us'])}" if peer else "–"


def equal_load_table(record):
    rows = record["equal_load"]
    names = _names(rows)
    title = "Equal load: p50 / p99 (added p50), CPU per request"
    table = Table(title, ["requests per second", *map(NAMES.get, names), *(f"p99 {head}" for head in _ratio_heads(names))])
    for row in rows:
        cells = []
        for name in names:
            cell = _pair(row["peers"][name])
            if name != "direct":
                cell += f" (+{number(added_latency(row, name), 0)}), {number(row['peers'][name]['cpu_us'])} µs"
            cells.append(cell)
        table.add(f"{row['rate']:,.0f} ({row['share']:.0%})", *cells, *_ratios(row, names, "p99_us"))
    return table


def idle_table(record):
    table = Table("Memory with idle connections", ["proxy", "connections", "before, MiB", "with them, MiB", "KiB each"])
    for name, one in record["idle"].items():
        open_after = f"{one['connections']:,}"
        if one["open_after"] < one["connections"]:
            open_after += f" ({one['open_after']:,} still open)"
        table.add(NAMES[name], open_after, number(one["before_mib"]), number(one["after_mib"]), number(one["kib_per_connection"]))
    return table


def churn_table(record):
    head = ["proxy", "seconds", "connections", "before, MiB", "settled, MiB", "after, MiB", "growth"]
    table = Table("Memory under churning connections", head)
    for name, one in record["churn"].items():
        figures = (one["before_mib"], one["settled_mib"], one["after_mib"])
        growth = f"{one['growth_mib']:+.1f} MiB ({one['growth_share']:+.1%})"
        table.add(NAMES[name], f"{one['seconds']:.0f}", f"{one['connections']:,}", *map(number, figures), growth)
    return table


HOT_KEY_TITLES = {
    "fresh": "A key that expires under load, fresh answers only",
    "stale": "A key that expires under load, stale answers while it is fetched anew",
}


def hot_key_table(row):
    one = next(iter(row["peers"].values()))
    asked = f"{one['clients']:,} at once"
    head = ["cache", "fetches per lifetime", "most at once", f"fetches for {asked}", "p50", "p99", "max"]
    table = Table(f"{HOT_KEY_TITLES[row['mode']]}; {one['clients']:,} clients", [*head, "hits: p50", "p99", "max"])
    for name, one in row["peers"].items():
        hot = one["hot"]
        fetches = (number(hot["fetches_per_lifetime"]), f"{hot['most_at_once']:,}", f"{one['herd_fetches']:,}")
        took = [latency(part[figure]) for part in (hot, one["hits"]) for figure in ("p50_us", "p99_us", "max_us")]
        table.add(NAMES[name], *fetches, *took)
    return table


def beside_table(record):
    base, *rows = record["beside"]
    names = _names(record["beside"])
    title = f"Hits at {base['rate']:,} a second beside other work: p50 / p99 (÷ nothing else; share no longer hits)"
    table = Table(title, ["beside", *map(NAMES.get, names)])
    table.add(base["text"], *(_pair(base["peers"][name]) for name in names))
    for row in rows:
        table.add(row["text"], *(_beside_cell(row, base, name) for name in names))
    return table


def _beside_cell(row, base, name):
    one = row["peers"].get(name)
    if one is None:
        return "–"
    p50, p99 = (times(ratio_of_rows(row, base, figure, name)) for figure in ("p50_us", "p99_us"))
    return f"{_pair(one)} ({p50} / {p99}; {one['missed_share']:.1%})"


def object_memory_table(record):
    table = Table("Memory for each object of 1 KiB", ["cache", "objects", "before, MiB", "with them, MiB", "KiB each"])
    for name, one in record["object_memory"].items():
        figures = (number(one["before_mib"]), number(one["after_mib"]), number(one["kib_per_object"], 2))
        table.add(NAMES[name], f"{one['objects']:,}", *figures)
    return table


def goals_table(record):
    table = Table("Goals", ["goal", "limit", "measured", "verdict"])
    for goal in GOALS:
        value, met = goal.verdict(record)
        digits = DIGITS.get(goal.unit, 1)
        measured = "–" if value is None else f"{value:.{digits}f} {goal.unit}".rstrip()
        verdict = "not measured" if met is None else "met" if met else "MISSED"
        table.add(goal.text, goal.bound, measured, verdict)
    return table


def _heading(record):
    machine, versions = record["machine"], record["versions"]
    proxies = [f"{NAMES[name]} {version}" for name, version in versions.items() if name in NAMES]
    cores = record["cores"]
    shared = ["poolers, their load and PostgreSQL share all cores"] if record["postgres"] else []
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}",
        f"{', '.join(proxies)}; commit {record['commit']}, {record['date']}",
        f"proxy on core {cores['proxy']}, load on core {cores['load']}, origin on core {cores['origin']}; "
        f"medians of rounds of {record['seconds']:g} s",
        *shared,
        f"CPU time from {record['cpu_time_from']}",
        f"a byte to another process and back: {record['wakeup_us']['same_core']:.0f} µs on one core, "
        f"{record['wakeup_us']['other_core']:.0f} µs between two",
    ]


def _tables(record, brief=False):
    """All tables of what was measured; the brief ones leave spread and saturated latency out."""
    if record["cases"]:
        yield cpu_table(record["cases"], spread=not brief)
        yield throughput_table(record["cases"])
        if not brief:
            yield latency_table(record["cases"])
    if record["equal_load"]:
        yield equal_load_table(record)
    if record["idle"]:
        yield idle_table(record)
    if record["churn"]:
        yield churn_table(record)
    if record["cached"]:
        rows = record["cached"]
        yield cpu_table(rows, "CPU per answer from the cache, µs (lower is better)", spread=not brief)
        yield throughput_table(rows, "Answers from the cache per second, and how busy its core was")
        if not brief:
            yield latency_table(rows, "Latency of answers from the cache as fast as it goes, p50 / p99")
    for row in record["hot_key"]:
        yield hot_key_table(row)
    if record["beside"]:
        yield beside_table(record)
    if record["object_memory"]:
        yield object_memory_table(record)
    yield from postgres_report.tables(record, brief)
    if record["guards"]:
        yield guards.table(record["guards"])
    yield from overload_report.tables(record)
    if SUBJECT in record["versions"]:
        yield goals_table(record)


def text(record):
    """The whole report for a terminal."""
    lines = _heading(record)
    lines += [f"TLS of {NAMES[name]}: {what}" for name, what in record["tls"].items()]
    lines += [table.text() for table in _tables(record)]
    lines += ["", *notes(record)]
    return "\n".join(lines)


def notes(record):
    """What a reader should know before trusting the figures."""
    found = []
    if record["incomplete"]:
        found.append(f"! The run ended early: {record['incomplete']}")
    failed = errors(record)
    if failed:
        found.append(f"! {failed} requests failed or a rate was not reached: these figures are not valid.")
    share, case, peer = disturbance(record)
    if share > NOTABLE_DISTURBANCE:
        found.append(
            f"! Other programs or the hypervisor took up to {share:.0%} of the proxy's core "
            f"({case}, {NAMES.get(peer, peer)}): throughput and latency suffer, CPU per request less so."
        )
    found += postgres_report.notes(record) + overload_report.notes(record)
    if not record["cases"]:
        return found
    for protocol, name in PROTOCOLS.items():
        if any(row["case"].startswith(f"{protocol}-") for row in record["cases"]):
            found.append(f"{protocol}: {name}")
    found.append("Where the proxy's core was not busy, the load's core set the throughput.")
    return found


def markdown(record):
    """The tables for a README."""
    heading = "\n".join(f"- {line}" for line in _heading(record))
    return heading + "\n\n" + "\n\n".join(table.markdown() for table in _tables(record, brief=True)) + "\n"
