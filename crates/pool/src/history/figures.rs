//! What is counted of a database, under PgBouncer's names.

use std::time::Duration;

use crate::measure::names;

/// How many there are.
pub(crate) const FIGURE_COUNT: usize = 11;

/// One value for each figure.
pub(crate) type Sums = [u64; FIGURE_COUNT];

/// Something that is counted.
pub(crate) struct Figure {
    /// The metric.
    pub metric: &'static str,
    /// Its name in `SHOW STATS`, without `total_`.
    pub total: &'static str,
    /// The same without `avg_`.
    pub average: &'static str,
    /// Its name in `SHOW STATS_TOTALS`.
    pub plain: &'static str,
    /// Its name in `SHOW STATS_AVERAGES`.
    pub plain_average: &'static str,
    /// Its name in `SHOW TOTALS`, without `total_` and `avg_`.
    pub overall: &'static str,
    /// The position of the figure that the average is taken by; none for seconds.
    by: Option<usize>,
}

const ASSIGNMENTS: usize = 0;
const TRANSACTIONS: usize = 1;
const QUERIES: usize = 2;

/// In the order of their columns.
pub(super) const FIGURES: [Figure; FIGURE_COUNT] = [
    same(names::ASSIGNMENTS, "server_assignment_count"),
    same(names::TRANSACTIONS, "xact_count"),
    same(names::QUERIES, "query_count"),
    Figure {
        average: "recv",
        plain: "bytes_received",
        plain_average: "bytes_received",
        overall: "client_bytes",
        ..same(names::RECEIVED, "received")
    },
    Figure {
        average: "sent",
        plain: "bytes_sent",
        plain_average: "bytes_sent",
        overall: "server_bytes",
        ..same(names::SENT, "sent")
    },
    Figure { by: Some(TRANSACTIONS), ..same(names::TRANSACTION_MICROS, "xact_time") },
    Figure { by: Some(QUERIES), ..same(names::QUERY_MICROS, "query_time") },
    Figure { by: Some(ASSIGNMENTS), ..same(names::WAIT_MICROS, "wait_time") },
    prepared(names::CLIENT_PARSES, "client_parse_count", "avg_client_parse_count", "ps_client_parse_count"),
    prepared(names::SERVER_PARSES, "server_parse_count", "avg_server_parse_count", "ps_server_parse_count"),
    prepared(names::BINDS, "bind_count", "avg_bind_count", "ps_bind_count"),
];

/// One of the same name everywhere.
const fn same(metric: &'static str, name: &'static str) -> Figure {
    Figure { metric, total: name, average: name, plain: name, plain_average: name, overall: name, by: None }
}

const fn prepared(
    metric: &'static str,
    name: &'static str,
    plain_average: &'static str,
    overall: &'static str,
) -> Figure {
    Figure { plain_average, overall, ..same(metric, name) }
}

/// All of them.
pub(crate) fn figures() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter()
}

pub(super) fn add(mut a: Sums, b: &Sums) -> Sums {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = a.wrapping_add(*b));
    a
}

/// Averages of what was counted between two moments.
pub(crate) fn averages(now: &Sums, before: &Sums, elapsed: Duration) -> Sums {
    let since: Sums = std::array::from_fn(|at| now[at].saturating_sub(before[at]));
    let micros = elapsed.as_micros().max(1);
    std::array::from_fn(|at| match FIGURES[at].by {
        None => u64::try_from(u128::from(since[at]) * 1_000_000 / micros).unwrap_or(u64::MAX),
        Some(by) => since[at].checked_div(since[by]).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_by_second_or_by_what_took_the_time() {
        let before = [10, 10, 20, 0, 0, 1_000, 500, 0, 0, 0, 0];
        let now = [30, 50, 120, 2_000, 4_000, 9_000, 10_500, 300, 5, 0, 0];
        // Two seconds: 20 assignments, 40 transactions of 200 µs, 100 queries of 100 µs, 15 µs of wait by assignment.
        let expected = [10, 20, 50, 1_000, 2_000, 200, 100, 15, 2, 0, 0];
        assert_eq!(averages(&now, &before, Duration::from_secs(2)), expected);
    }

    #[test]
    fn averages_of_nothing_are_zero() {
        let nothing = Sums::default();
        assert_eq!(averages(&nothing, &nothing, Duration::ZERO), nothing);
    }
}
