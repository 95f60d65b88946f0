//! What the cache saves it.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "Cache",
    panels: &[
        panel(
            "Requests by result",
            Unit::PerSecond,
            &[line("{{result}}", "sum by (result) (rate(deepwater_cache_requests_total{@}[@]))")],
            "On routes that cache.",
        ),
        panel(
            "Answered without the application",
            Unit::Share,
            &[line(
                "{{route}}",
                "sum by (route) (rate(deepwater_cache_requests_total{@,result=~\"hit|stale|coalesced\"}[@])) / sum by (route) (rate(deepwater_cache_requests_total{@,result!=\"bypass\"}[@]))",
            )],
            "The hit rate, by route; requests that may not be cached left out.",
        ),
        panel("Memory", Unit::Bytes, &[line("stored", "sum(deepwater_cache_bytes{@})")], "Bytes stored."),
        panel(
            "Evictions and purges",
            Unit::PerSecond,
            &[
                line("evicted", "sum(rate(deepwater_cache_evicted_total{@}[@]))"),
                line("purged by {{kind}}", "sum by (kind) (rate(deepwater_cache_purges_total{@}[@]))"),
            ],
            "Many evictions: too little memory. Ask `deepwater cache size`.",
        ),
    ],
};
