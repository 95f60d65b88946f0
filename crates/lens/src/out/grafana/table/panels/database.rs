//! What the database is asked.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "Database",
    panels: &[
        panel(
            "Server connections",
            Unit::Count,
            &[
                line(
                    "{{database}} {{state}}",
                    "sum by (database, state) (deepwater_postgres_server_connections{@})",
                ),
                line("{{database}} size", "sum by (database) (deepwater_postgres_pool_size{@})"),
            ],
            "`active` at the size for long: the pool is the limit.",
        ),
        panel(
            "Waiting for one",
            Unit::Count,
            &[line("{{database}}", "sum by (database) (deepwater_postgres_waiting_clients{@})")],
            "Clients in the queue.",
        ),
        panel(
            "Wait for a connection",
            Unit::Seconds,
            &[
                line(
                    "{{database}} p95",
                    "histogram_quantile(0.95, sum by (le, database) (rate(deepwater_postgres_wait_seconds_bucket{@}[@])))",
                ),
                line(
                    "{{database}} longest now",
                    "max by (database) (deepwater_postgres_longest_wait_seconds{@})",
                ),
            ],
            "Of those who had to wait.",
        ),
        panel(
            "Time a connection is kept",
            Unit::Seconds,
            &[
                line(
                    "{{database}} p50",
                    "histogram_quantile(0.5, sum by (le, database) (rate(deepwater_postgres_use_seconds_bucket{@}[@])))",
                ),
                line(
                    "{{database}} p95",
                    "histogram_quantile(0.95, sum by (le, database) (rate(deepwater_postgres_use_seconds_bucket{@}[@])))",
                ),
            ],
            "Grows with slow queries and idle transactions.",
        ),
        panel(
            "Queries and transactions",
            Unit::PerSecond,
            &[
                line(
                    "{{database}} queries",
                    "sum by (database) (rate(deepwater_postgres_queries_total{@}[@]))",
                ),
                line(
                    "{{database}} transactions",
                    "sum by (database) (rate(deepwater_postgres_transactions_total{@}[@]))",
                ),
            ],
            "What the servers do.",
        ),
        panel(
            "Servers at work",
            Unit::Count,
            &[
                line(
                    "{{database}} in queries",
                    "sum by (database) (rate(deepwater_postgres_query_seconds_total{@}[@]))",
                ),
                line(
                    "{{database}} in transactions",
                    "sum by (database) (rate(deepwater_postgres_transaction_seconds_total{@}[@]))",
                ),
            ],
            "Connections busy on average. The difference of the two is time in transactions without a query.",
        ),
        panel(
            "Refused queries",
            Unit::PerSecond,
            &[line("{{database}}", "sum by (database) (rate(deepwater_postgres_refused_total{@}[@]))")],
            "Queries that got an error in place of a connection.",
        ),
        panel(
            "Pins",
            Unit::PerSecond,
            &[line(
                "{{database}} {{reason}}",
                "sum by (database, reason) (rate(deepwater_postgres_pins_total{@}[@]))",
            )],
            "Times a client kept its server connection between transactions, and why.",
        ),
    ],
};
