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
    /// Its columns in `SHOW STATS`.
    pub stats_total: &'static str,
    pub stats_average: &'static str,
    /// Its column in `SHOW STATS_TOTALS`.
    pub total: &'static str,
    /// Its column in `SHOW STATS_AVERAGES`.
    pub average: &'static str,
    /// Its rows in `SHOW TOTALS`, without `total_` and `avg_`.
    pub overall: &'static str,
    /// The position of the figure that the average is taken by; none for seconds.
    by: Option<usize>,
}

const ASSIGNMENTS: usize = 0;
const TRANSACTIONS: usize = 1;
const QUERIES: usize = 2;

/// A row of the table: metric, names in the order of [`Figure`], and what the average is taken by.
const fn figure(metric: &'static str, names: [&'static str; 5], by: Option<usize>) -> Figure {
    let [stats_total, stats_average, total, average, overall] = names;
    Figure { metric, stats_total, stats_average, total, average, overall, by }
}

/// In the order of their columns.
#[rustfmt::skip]
pub(super) const FIGURES: [Figure; FIGURE_COUNT] = [
    figure(names::ASSIGNMENTS, ["total_server_assignment_count", "avg_server_assignment_count", "server_assignment_count", "server_assignment_count", "server_assignment_count"], None),
    figure(names::TRANSACTIONS, ["total_xact_count", "avg_xact_count", "xact_count", "xact_count", "xact_count"], None),
    figure(names::QUERIES, ["total_query_count", "avg_query_count", "query_count", "query_count", "query_count"], None),
    figure(names::RECEIVED, ["total_received", "avg_recv", "bytes_received", "bytes_received", "client_bytes"], None),
    figure(names::SENT, ["total_sent", "avg_sent", "bytes_sent", "bytes_sent", "server_bytes"], None),
    figure(names::TRANSACTION_MICROS, ["total_xact_time", "avg_xact_time", "xact_time", "xact_time", "xact_time"], Some(TRANSACTIONS)),
    figure(names::QUERY_MICROS, ["total_query_time", "avg_query_time", "query_time", "query_time", "query_time"], Some(QUERIES)),
    figure(names::WAIT_MICROS, ["total_wait_time", "avg_wait_time", "wait_time", "wait_time", "wait_time"], Some(ASSIGNMENTS)),
    figure(names::CLIENT_PARSES, ["total_client_parse_count", "avg_client_parse_count", "client_parse_count", "avg_client_parse_count", "ps_client_parse_count"], None),
    figure(names::SERVER_PARSES, ["total_server_parse_count", "avg_server_parse_count", "server_parse_count", "avg_server_parse_count", "ps_server_parse_count"], None),
    figure(names::BINDS, ["total_bind_count", "avg_bind_count", "bind_count", "avg_bind_count", "ps_bind_count"], None),
];

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
