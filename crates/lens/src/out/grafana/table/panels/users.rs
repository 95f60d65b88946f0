//! What users notice.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "What users notice",
    panels: &[
        panel(
            "Requests",
            Unit::PerSecond,
            &[line("{{status}}", "sum by (status) (rate(deepwater_edge_requests_total{@}[@]))")],
            "Answers by class of status.",
        ),
        panel(
            "Latency",
            Unit::Seconds,
            &[
                line(
                    "p50",
                    "histogram_quantile(0.5, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                ),
                line(
                    "p95",
                    "histogram_quantile(0.95, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                ),
                line(
                    "p99",
                    "histogram_quantile(0.99, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                ),
            ],
            "From a request's head to its answer's end. Buckets double, so a quantile is up to a factor of two too high.",
        ),
        panel(
            "Failed requests",
            Unit::Share,
            &[line(
                "{{route}}",
                "sum by (route) (rate(deepwater_edge_requests_total{@,status=\"5xx\"}[@])) / sum by (route) (rate(deepwater_edge_requests_total{@}[@]))",
            )],
            "Share of answers with 5xx, by route.",
        ),
        panel(
            "Why requests failed",
            Unit::PerSecond,
            &[line(
                "{{error}} ({{blame}})",
                "sum by (error, blame) (rate(deepwater_edge_failures_total{@}[@]))",
            )],
            "Requests that Deepwater answered itself because something failed, and whose fault that was.",
        ),
        panel(
            "Slowest routes",
            Unit::Seconds,
            &[line(
                "{{route}}",
                "topk(10, histogram_quantile(0.95, sum by (le, route) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@]))))",
            )],
            "The 95th percentile of the ten slowest routes.",
        ),
        panel(
            "Requests under way",
            Unit::Count,
            &[line("{{route}}", "sum by (route) (deepwater_edge_in_flight{@})")],
            "By route. Growing at a constant rate of requests: something behind has become slower.",
        ),
    ],
};
