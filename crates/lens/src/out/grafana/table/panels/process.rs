//! What Deepwater itself does and costs.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "Deepwater itself",
    panels: &[
        panel(
            "CPU",
            Unit::Count,
            &[line("{{instance}}", "rate(deepwater_process_cpu_seconds_total{@}[@])")],
            "Cores at work.",
        ),
        panel(
            "Memory of the process",
            Unit::Bytes,
            &[line("{{instance}}", "deepwater_process_resident_bytes{@}")],
            "Held in RAM, the cache included.",
        ),
        panel(
            "Connections and files",
            Unit::Count,
            &[
                line("{{instance}} clients", "sum by (instance) (deepwater_edge_connections{@})"),
                line("{{instance}} files", "deepwater_process_open_files{@}"),
            ],
            "Client connections, and all file descriptors.",
        ),
        panel(
            "Bytes from and to clients",
            Unit::BytesPerSecond,
            &[
                line("received", "sum(rate(deepwater_edge_received_bytes_total{@}[@]))"),
                line("sent", "sum(rate(deepwater_edge_sent_bytes_total{@}[@]))"),
            ],
            "Bodies of requests and answers.",
        ),
        panel(
            "Refused clients",
            Unit::PerSecond,
            &[
                line(
                    "too many from one address",
                    "sum(rate(deepwater_edge_refused_connections_total{@}[@]))",
                ),
                line(
                    "HTTP/2 flood by {{kind}}",
                    "sum by (kind) (rate(deepwater_edge_http2_floods_total{@}[@]))",
                ),
                line(
                    "{{auth}} {{result}}",
                    "sum by (auth, result) (rate(deepwater_edge_auth_total{@,result!~\"accepted|anonymous\"}[@]))",
                ),
            ],
            "Attackers, or clients that are configured wrongly.",
        ),
        panel(
            "Lost lines",
            Unit::PerSecond,
            &[
                line("log", "sum(rate(deepwater_log_dropped_total{@}[@]))"),
                line("access log", "sum(rate(deepwater_edge_access_log_dropped_total{@}[@]))"),
            ],
            "The log is slower than what is to be written. Counters are exact all the same.",
        ),
    ],
};
