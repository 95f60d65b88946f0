//! How a table would be divided, and how large what a query's value is found in would be.

use crate::store::{Column, Table};

/// Most bytes of a partition with its indexes: a quarter of what a table may have without any.
const MOST_BYTES: f64 = super::LARGE / 4.0;
/// More values than this have no partition each.
const MOST_LISTED: f64 = 20.0;
/// More partitions take planning longer than they spare.
const MOST_PARTITIONS: f64 = 1_024.0;
/// A value with fewer rows is found by an index as fast, however large the table.
const FEW_ROWS: f64 = 100.0;
/// Ranges of time, the longest first, in seconds.
const RANGES: [(&str, f64); 5] = [
    ("year", 31_557_600.0),
    ("month", 2_629_800.0),
    ("week", 604_800.0),
    ("day", 86_400.0),
    ("hour", 3_600.0),
];

/// A way to divide it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// By time; of which length, if it is known what time the rows span.
    Range(Option<&'static str>),
    /// A partition for each value.
    List,
    /// By the remainder of a hash.
    Hash,
}

/// How it would be divided, and into how many.
#[derive(Debug, PartialEq)]
pub(super) struct Division {
    pub(super) way: Way,
    pub(super) partitions: f64,
    /// Of each, with its indexes, if they are alike.
    pub(super) bytes: f64,
}

impl Division {
    /// Into as few partitions as are small enough.
    ///
    /// # Errors
    /// Why it would be of no use.
    pub(super) fn of(table: &Table, column: &Column) -> Result<Self, String> {
        let (way, partitions) =
            if column.dated { by_time(table.bytes, column.span) } else { by_value(table, column)? };
        if partitions < 2.0 {
            return Err(format!("{} hardly differs from row to row: it divides nothing", column.name));
        }
        Ok(Self { way, partitions, bytes: table.bytes / partitions })
    }

    /// The statements that do it, and what else there is to it.
    pub(super) fn how(&self, table: &Table, column: &Column) -> String {
        let (by, each, values) = match self.way {
            Way::Range(length) => (
                "RANGE",
                format!("for each {}", length.unwrap_or("month")),
                "FROM ('its first day') TO ('the first day after it')".to_owned(),
            ),
            Way::List => ("LIST", "for each value".to_owned(), "IN ('the value')".to_owned()),
            Way::Hash => (
                "HASH",
                format!("for each r from 0 to {:.0}", self.partitions - 1.0),
                format!("WITH (MODULUS {:.0}, REMAINDER r)", self.partitions),
            ),
        };
        let next = match self.way {
            Way::Range(_) => ", which pg_partman does, and goes on doing",
            Way::List | Way::Hash => "",
        };
        let (Table { sql, successor, .. }, column) = (table, &column.sql);
        format!(
            "CREATE TABLE {successor} (LIKE {sql} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY {by} ({column}); \
             {each} CREATE TABLE … PARTITION OF {successor} FOR VALUES {values}{next}; its indexes and keys; the rows, a part \
             at a time; at last, in one transaction, what has changed meanwhile and the two names"
        )
    }
}

fn by_time(bytes: f64, span: Option<f64>) -> (Way, f64) {
    let Some(span) = span.filter(|span| *span > 0.0) else {
        return (Way::Range(None), (bytes / MOST_BYTES).ceil());
    };
    let small = |(_, length): &&(&str, f64)| bytes * length / span <= MOST_BYTES;
    let (name, length) = RANGES.iter().find(small).unwrap_or(&RANGES[RANGES.len() - 1]);
    (Way::Range(Some(name)), (span / length).ceil())
}

fn by_value(table: &Table, column: &Column) -> Result<(Way, f64), String> {
    let values = column.values.filter(|values| *values >= 1.0);
    if let Some(rows) = values.map(|values| table.rows / values).filter(|rows| (0.0..FEW_ROWS).contains(rows))
    {
        return Err(format!(
            "by {}, of which a value has few rows ({rows:.0}): an index finds them in one table as fast as in partitions",
            column.name
        ));
    }
    let wanted = (table.bytes / MOST_BYTES).ceil();
    Ok(match values {
        Some(values) if values <= MOST_LISTED => (Way::List, values.round()),
        // A power of two can be divided further.
        _ => (Way::Hash, 2_f64.powf(wanted.min(MOST_PARTITIONS).log2().ceil())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    fn table(gib: f64) -> Table {
        let (sql, successor) = ("public.\"Orders\"".to_owned(), "public.\"Orders_parts\"".to_owned());
        Table { sql, successor, bytes: gib * GIB, rows: 1e8, ..Table::default() }
    }

    fn dated(days: Option<f64>) -> Column {
        Column { sql: "at".into(), dated: true, span: days.map(|days| days * 86_400.0), ..Column::default() }
    }

    fn valued(values: Option<f64>) -> Column {
        Column { name: "tenant".into(), sql: "tenant".into(), values, ..Column::default() }
    }

    #[test]
    fn the_longest_range_that_is_small_enough() {
        let way = |gib, days| Division::of(&table(gib), &dated(days)).map(|it| (it.way, it.partitions));
        // Three years: 26.7 GiB a year, 2.2 a month.
        assert_eq!(way(80.0, Some(1_095.0)), Ok((Way::Range(Some("month")), 36.0)));
        assert_eq!(way(40.0, Some(3_652.0)), Ok((Way::Range(Some("year")), 10.0)));
        assert_eq!(way(80.0, Some(30.0)), Ok((Way::Range(Some("day")), 30.0)));
        assert_eq!(way(80.0, Some(0.5)), Ok((Way::Range(Some("hour")), 12.0)));
        assert_eq!(way(80.0, None), Ok((Way::Range(None), 16.0)));
        assert!(way(80.0, Some(0.01)).unwrap_err().contains("divides nothing"));
    }

    #[test]
    fn values_have_a_partition_each_or_share_them() {
        let way = |gib, values| Division::of(&table(gib), &valued(values)).map(|it| (it.way, it.partitions));
        assert_eq!(way(80.0, Some(7.0)), Ok((Way::List, 7.0)));
        assert_eq!(way(90.0, Some(5_000.0)), Ok((Way::Hash, 32.0)));
        assert_eq!(way(80.0, None), Ok((Way::Hash, 16.0)));
        assert_eq!(way(1e6, None), Ok((Way::Hash, 1_024.0)));
        assert!(way(80.0, Some(1.0)).unwrap_err().contains("divides nothing"));
        assert!(way(80.0, Some(1e8)).unwrap_err().contains("few rows (1)"));
    }

    #[test]
    fn the_statements_name_it_as_sql_does() {
        let hash = Division::of(&table(80.0), &valued(None)).unwrap().how(&table(80.0), &valued(None));
        assert!(
            hash.contains("\"Orders_parts\" (LIKE public.\"Orders\" ") && hash.contains("BY HASH (tenant)"),
            "{hash}"
        );
        assert!(hash.contains("r from 0 to 15") && hash.contains("MODULUS 16, REMAINDER r"), "{hash}");
        let range =
            Division::of(&table(80.0), &dated(Some(1_095.0))).unwrap().how(&table(80.0), &dated(None));
        assert!(range.contains("for each month CREATE TABLE") && range.contains("pg_partman"), "{range}");
    }
}
