//! What the application does.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "The application",
    panels: &[
        panel(
            "Time until it begins to answer",
            Unit::Seconds,
            &[
                line(
                    "{{pool}} p50",
                    "histogram_quantile(0.5, sum by (le, pool) (rate(deepwater_edge_upstream_response_seconds_bucket{@}[@])))",
                ),
                line(
                    "{{pool}} p95",
                    "histogram_quantile(0.95, sum by (le, pool) (rate(deepwater_edge_upstream_response_seconds_bucket{@}[@])))",
                ),
            ],
            "From choosing a target to its response head, by pool.",
        ),
        panel(
            "Targets that are up",
            Unit::Count,
            &[line("{{pool}}", "sum by (pool) (deepwater_upstream_target_up{@})")],
            "Healthy and not ejected.",
        ),
        panel(
            "Requests by target",
            Unit::PerSecond,
            &[line(
                "{{pool}} {{address}}",
                "sum by (pool, address) (rate(deepwater_upstream_target_requests_total{@}[@]))",
            )],
            "How the load is spread.",
        ),
        panel(
            "Failures by target",
            Unit::PerSecond,
            &[line(
                "{{pool}} {{address}}",
                "sum by (pool, address) (rate(deepwater_upstream_target_failures_total{@}[@]))",
            )],
            "One target alone: that target. All at once: what they share.",
        ),
        panel(
            "Concurrency against its limit",
            Unit::Count,
            &[
                line("{{pool}} with it", "sum by (pool) (deepwater_edge_upstream_admitted{@})"),
                line("{{pool}} limit", "sum by (pool) (deepwater_edge_upstream_concurrency_limit{@})"),
                line("{{pool}} waiting", "sum by (pool) (deepwater_edge_upstream_waiting{@})"),
            ],
            "Of pools with `concurrency`: once `with it` meets the limit, requests wait.",
        ),
        panel(
            "Refused to protect it",
            Unit::PerSecond,
            &[
                line(
                    "{{pool}} {{reason}}",
                    "sum by (pool, reason) (rate(deepwater_edge_upstream_shed_total{@}[@]))",
                ),
                line(
                    "{{route}} rate limit",
                    "sum by (route) (rate(deepwater_edge_rate_limited_total{@}[@])) > 0",
                ),
            ],
            "Requests answered with 503 or 429 at once, so that the others are served.",
        ),
        panel(
            "Retries",
            Unit::PerSecond,
            &[line("{{pool}}", "sum by (pool) (rate(deepwater_edge_upstream_retries_total{@}[@]))")],
            "Requests sent again.",
        ),
        panel(
            "Connections to it",
            Unit::PerSecond,
            &[
                line("{{pool}} opened", "sum by (pool) (rate(deepwater_edge_upstream_connects_total{@}[@]))"),
                line("{{pool}} reused", "sum by (pool) (rate(deepwater_edge_upstream_reused_total{@}[@]))"),
            ],
            "Many opened: the application closes them too early.",
        ),
    ],
};
