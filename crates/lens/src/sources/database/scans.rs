//! By what the largest tables are filtered: scans of their indexes, by the column that an index begins with.

use std::collections::HashMap;
use std::time::Instant;

use deepwater_core::ask::Rows;

use super::questions::rate;
use super::tally::{Tally, number};
use crate::store::{Column, EXPRESSION, OTHER, SEQUENTIAL, Table};

/// Rows that are looked at: an answer has no more.
const MOST_ROWS: usize = 200;
/// Columns of a table that are told apart.
const MOST_COLUMNS: usize = 6;

/// By table (the five largest that are not partitioned) and column: scans so far, the most scanned first, and what
/// partitioning by it would go by. An index's keys end where `indclass` does, what it INCLUDEs follows in `indkey`. `OFFSET 0`
/// has the statistics looked up by name; joined, they would be read for all tables of the database.
pub(super) const SCANS: &str = "\
WITH large AS (SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltuples \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) ORDER BY c.relpages DESC LIMIT 5), \
keys AS (SELECT i.indrelid, x.oid, x.relname, x.relpages, i.indisunique OR i.indisexclusion AS strict, \
i.indisunique AND i.indpred IS NULL AND array_length(i.indclass::oid[], 1) = 1 AS single, \
(i.indkey::int2[])[0:array_length(i.indclass::oid[], 1) - 1] AS columns \
FROM large l JOIN pg_index i ON i.indrelid = l.oid JOIN pg_class x ON x.oid = i.indexrelid), \
scans AS (SELECT oid, 0::int2 AS attnum, 'sequential' AS kind, pg_stat_get_numscans(oid) AS total FROM large UNION ALL \
SELECT indrelid, columns[1], CASE columns[1] WHEN 0 THEN 'expression' ELSE 'column' END, sum(pg_stat_get_numscans(oid)) \
FROM keys GROUP BY 1, 2, 3) \
SELECT l.nspname || '.' || l.relname, quote_ident(l.nspname) || '.' || quote_ident(l.relname), \
quote_ident(l.nspname) || '.' || quote_ident(l.relname || '_parts'), \
(l.relpages + coalesce((SELECT sum(k.relpages) FROM keys k WHERE k.indrelid = l.oid), 0)) \
* current_setting('block_size')::bigint, l.reltuples, s.kind, s.total, a.attname, quote_ident(a.attname), t.dated, \
(SELECT array_to_string((array_agg(quote_ident(k.relname) ORDER BY k.relname))[1:3], ', ') \
|| CASE WHEN count(*) > 3 THEN ' and ' || count(*) - 3 || ' more' ELSE '' END \
FROM keys k WHERE k.indrelid = l.oid AND k.strict AND a.attnum <> ALL (k.columns)), \
CASE WHEN EXISTS (SELECT FROM keys k WHERE k.indrelid = l.oid AND k.single AND a.attnum = k.columns[1]) THEN l.reltuples \
WHEN d.n_distinct < 0 THEN -d.n_distinct * l.reltuples ELSE nullif(d.n_distinct, 0) END, \
CASE WHEN t.dated THEN (SELECT extract(epoch FROM max(v) - min(v)) \
FROM unnest(d.histogram_bounds::text::timestamp[]) v WHERE isfinite(v)) END \
FROM scans s JOIN large l ON l.oid = s.oid \
LEFT JOIN pg_attribute a ON s.kind = 'column' AND a.attrelid = s.oid AND a.attnum = s.attnum \
LEFT JOIN LATERAL (SELECT coalesce(nullif(y.typbasetype, 0), y.oid) \
IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) AS dated FROM pg_type y WHERE y.oid = a.atttypid) t ON true \
LEFT JOIN LATERAL (SELECT p.n_distinct, p.histogram_bounds FROM pg_stats p WHERE p.schemaname = l.nspname \
AND p.tablename = l.relname AND p.attname = a.attname AND NOT p.inherited OFFSET 0) d ON true \
ORDER BY s.total DESC, a.attnum LIMIT 200";

/// Totals as they were when they were asked for last, by table and what it is scanned by.
#[derive(Default)]
pub(super) struct Scans(HashMap<(String, String), (Instant, f64)>);

impl Scans {
    pub(super) fn answered(&mut self, now: Instant, rows: &Rows, tally: &mut Tally) {
        let mut before = std::mem::take(&mut self.0);
        let mut tables: Vec<Table> = Vec::new();
        for row in rows.iter().take(MOST_ROWS) {
            let (Some(named), Some(total)) = (table(row), number(row, 6)) else { continue };
            let at = tables.iter().position(|known| known.name == named.name).unwrap_or(tables.len());
            if at == tables.len() {
                tables.push(named);
            }
            let table = &mut tables[at];
            let (key, by) = match text(row, 5).as_deref() {
                Some("sequential") => (SEQUENTIAL.to_owned(), SEQUENTIAL.to_owned()),
                Some("expression") => (EXPRESSION.to_owned(), EXPRESSION.to_owned()),
                _ => {
                    let Some(column) = column(row) else { continue };
                    let name = column.name.clone();
                    // What nobody uses takes no room.
                    if table.columns.len() < MOST_COLUMNS && total > 0.0 {
                        table.columns.push(column);
                        (name.clone(), name)
                    } else {
                        (name, OTHER.to_owned())
                    }
                }
            };
            let key = (table.name.clone(), key);
            if let Some(rate) = rate(before.remove(&key), now, total).filter(|_| total > 0.0) {
                *tally.scans.entry(format!("{}/{by}", table.name)).or_default() += rate;
            }
            self.0.insert(key, (now, total));
        }
        tally.known = Some(tables);
    }
}

fn table(row: &[Option<String>]) -> Option<Table> {
    Some(Table {
        name: text(row, 0)?,
        sql: text(row, 1)?,
        successor: text(row, 2)?,
        bytes: number(row, 3)?,
        rows: number(row, 4)?,
        columns: Vec::new(),
    })
}

fn column(row: &[Option<String>]) -> Option<Column> {
    Some(Column {
        name: text(row, 7)?,
        sql: text(row, 8)?,
        dated: text(row, 9)? == "t",
        lacking: text(row, 10),
        values: number(row, 11),
        span: number(row, 12),
    })
}

fn text(row: &[Option<String>], column: usize) -> Option<String> {
    row.get(column)?.clone()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::signal;
    use crate::store::Store;

    const TABLE: [&str; 5] =
        ["public.Or/ders", "public.\"Or/ders\"", "public.\"Or/ders_parts\"", "1000", "50"];

    /// An answer's row: what it is scanned by, and how often.
    fn row(kind: &str, column: &str, total: u32) -> Vec<Option<String>> {
        let total = total.to_string();
        let told = [kind, &total, column, column, "t", "orders_pkey", "50", "86400"];
        TABLE
            .into_iter()
            .chain(told)
            .map(|value| Some(value.to_owned()).filter(|value| !value.is_empty()))
            .collect()
    }

    /// What two answers say that lie ten seconds apart.
    fn seen(first: &Rows, second: &Rows) -> Store {
        let (mut scans, mut store, now) = (Scans::default(), Store::new(1 << 24), Instant::now());
        for (seconds, rows) in [(0, first), (10, second)] {
            let mut tally = Tally::default();
            scans.answered(now + Duration::from_secs(seconds), rows, &mut tally);
            tally.tell(&mut store, "shop");
            store.pass(1);
        }
        store
    }

    fn latest(store: &Store, by: &str) -> Option<f64> {
        store.latest(&signal::SCANS, &format!("shop/public.Or/ders/{by}"))
    }

    #[test]
    fn totals_become_rates_by_column() {
        let first = vec![row("column", "at", 100), row("sequential", "", 7), row("column", "never", 0)];
        let second = vec![row("column", "at", 300), row("sequential", "", 12), row("expression", "", 5)];
        let store = seen(&first, &second);
        assert_eq!(latest(&store, "at"), Some(20.0));
        assert_eq!(latest(&store, SEQUENTIAL), Some(0.5));
        // It was not there before, or is not used.
        assert_eq!((latest(&store, EXPRESSION), latest(&store, "never")), (None, None));
        let table = store.table("shop", "public.Or/ders").unwrap();
        assert_eq!((table.sql.as_str(), table.columns.len()), ("public.\"Or/ders\"", 1));
        let column = &table.columns[0];
        assert_eq!(
            (column.dated, column.span, column.lacking.as_deref()),
            (true, Some(86_400.0), Some("orders_pkey"))
        );
    }

    #[test]
    fn statistics_that_were_reset_are_no_rate() {
        let store = seen(&vec![row("column", "at", 100)], &vec![row("column", "at", 3)]);
        assert_eq!(latest(&store, "at"), None);
    }

    #[test]
    fn labels_are_bounded_and_what_is_beyond_counts_together() {
        let rows = |total| -> Rows { (0..5_000).map(|n| row("column", &format!("c{n}"), total)).collect() };
        let store = seen(&rows(10), &rows(20));
        assert_eq!(store.labels(&signal::SCANS).len(), MOST_COLUMNS + 1);
        assert_eq!(latest(&store, OTHER), Some((MOST_ROWS - MOST_COLUMNS) as f64));
    }

    #[test]
    fn nonsense_says_nothing() {
        let nonsense: Rows =
            vec![vec![], vec![None; 13], vec![Some("x".into()); 13], vec![Some("1".into()); 3]];
        let store = seen(&nonsense, &nonsense);
        assert_eq!(store.count(), 0);
    }
}
