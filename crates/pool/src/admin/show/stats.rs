//! `SHOW STATS` and its relatives.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deepwater_pgwire::message::backend::write::Column;

use super::text;
use crate::admin::table::{Cell, Table, some};
use crate::history::{Average, Figure, Sums, figures};
use crate::plan::ADMINISTRATION;
use crate::shared::Shared;

pub(super) fn stats(shared: &Arc<Shared>) -> Table {
    let totals = figures().map(|figure| figure.stats_total);
    let averages = figures().map(|figure| figure.stats_average);
    by_database(shared, totals.chain(averages), |average| [average.totals, average.rows].concat())
}

pub(super) fn totals(shared: &Arc<Shared>) -> Table {
    by_database(shared, figures().map(|figure| figure.total), |average| average.totals.to_vec())
}

pub(super) fn averages(shared: &Arc<Shared>) -> Table {
    by_database(shared, figures().map(|figure| figure.average), |average| average.rows.to_vec())
}

/// All databases together, one figure a row.
pub(super) fn overall(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([text("name"), Column::numeric("value")]);
    let average = with_commands(shared, shared.history.average(shared, None));
    let mut rows = |prefix: &str, sums: Sums| {
        for (figure, value) in figures().zip(sums) {
            let Figure { overall, .. } = figure;
            table.row([some(format!("{prefix}_{overall}")), some(value)]);
        }
    };
    rows("total", average.totals);
    rows("avg", average.rows);
    table
}

fn by_database(
    shared: &Shared,
    names: impl Iterator<Item = &'static str>,
    values: impl Fn(Average) -> Vec<u64>,
) -> Table {
    let columns = std::iter::once(text("database")).chain(names.map(Column::numeric));
    let mut table = Table::new(columns);
    let pools = shared.pools.all().into_iter().map(|pool| Arc::clone(&pool.key.database));
    let databases: BTreeSet<Arc<str>> = pools.chain(std::iter::once(ADMINISTRATION.into())).collect();
    for database in databases {
        let average = match &*database {
            ADMINISTRATION => {
                with_commands(shared, Average { totals: Sums::default(), rows: Sums::default() })
            }
            database => shared.history.average(shared, Some(database)),
        };
        let cells: Vec<Cell> =
            std::iter::once(some(&*database)).chain(values(average).into_iter().map(some)).collect();
        table.row(cells);
    }
    table
}

/// The commands of administrators count as transactions and queries (as with PgBouncer).
fn with_commands(shared: &Shared, mut average: Average) -> Average {
    let commands = shared.controls.commands.load(Ordering::Relaxed);
    for (figure, total) in figures().zip(&mut average.totals) {
        if matches!(figure.total, "xact_count" | "query_count") {
            *total += commands;
        }
    }
    average
}
