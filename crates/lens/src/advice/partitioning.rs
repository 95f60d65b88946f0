//! Partitioning: for a large table that is always filtered by one column. By what it is filtered is seen from which of its
//! indexes are scanned: by the column that an index begins with. PostgreSQL divides tables, Deepwater does not.

#[cfg(test)]
mod tests;
mod way;

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::{Cliffs, Evidence};
use crate::picture::Picture;
use crate::signal;
use crate::store::{Column, EXPRESSION, OTHER, SEQUENTIAL, Span, Table};

use way::{Division, Way};

pub(super) struct Partitioning;

const GIB: f64 = 1_073_741_824.0;
/// Below, a table with the right index is as fast as its partitions would be, and easier to look after.
const LARGE: f64 = 20.0 * GIB;
/// Share of the scans that go by one column, from which it is always filtered by that.
const ALWAYS: f64 = 0.95;
/// Means of ten seconds that are looked at: an hour, so that what is done every few minutes counts.
const WINDOW: usize = 360;
/// Fewer tell nothing: two minutes.
const LEAST_TENS: usize = 12;
/// Fewer scans tell nothing either.
const LEAST_SCANS: f64 = 100.0;

const BY_TIME: Price = Price {
    complexity: "the column must be in every primary key, unique constraint and foreign key to the table, and a query without it \
                 reads all partitions",
    staleness: "none",
    money: "while rows are copied, the table's size again on the disk",
    operations: "somebody must create the next partitions before they are needed, and drop the old ones: pg_partman",
};
const BY_VALUE: Price = Price {
    operations: "somebody must create a partition for a new value, or divide those that outgrow the others",
    ..BY_TIME
};

impl Rule for Partitioning {
    fn technique(&self) -> &'static str {
        "partitioning"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        if picture.facts.databases.is_empty() {
            return Verdict::NoNeed("no database goes through Deepwater".into());
        }
        let tables: Vec<Large> =
            picture.facts.databases.iter().flat_map(|it| sizes(picture, &it.name)).collect();
        let Some(largest) = tables.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes)) else {
            return Verdict::CannotTell(
                "how large tables are is not known yet: it is asked every ten seconds".into(),
            );
        };
        if largest.bytes < LARGE {
            return Verdict::NoNeed(format!(
                "the largest table, {}, has {:.1} GiB: an index does what partitions would, up to some 20 GiB",
                largest.name,
                largest.bytes / GIB
            ));
        }
        let (mut found, mut missing, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for table in tables.iter().filter(|table| table.bytes >= LARGE) {
            match table.look(picture) {
                Ok(Ok(advice)) => found.push(advice),
                Ok(Err(reason)) => reasons.push(table.say(&reason)),
                Err(why) => missing.push(table.say(&why)),
            }
        }
        Verdict::of(found, &missing, || reasons.join("; "))
    }
}

/// A table, and its bytes without indexes.
struct Large {
    database: String,
    name: String,
    label: String,
    bytes: f64,
}

/// Tables of a database that were told of in the last two minutes.
fn sizes(picture: &Picture<'_>, database: &str) -> Vec<Large> {
    let prefix = format!("{database}/");
    let of = |label: std::sync::Arc<str>| {
        let name = label.strip_prefix(&prefix)?.to_owned();
        let bytes = picture.store.mean(&signal::TABLE_BYTES, &label, 120)?;
        Some(Large { database: database.to_owned(), name, label: label.to_string(), bytes })
    };
    picture.store.labels(&signal::TABLE_BYTES).into_iter().filter_map(of).collect()
}

impl Large {
    fn say(&self, what: &str) -> String {
        format!("{} has {:.0} GiB, {what}", self.name, self.bytes / GIB)
    }

    fn look(&self, picture: &Picture<'_>) -> Result<Result<Advice, String>, String> {
        let table = picture
            .store
            .table(&self.database, &self.name)
            .ok_or("and by what it is filtered is not known: it is asked every ten seconds")?;
        let scans = self.scans(picture, table)?;
        let column = |by: &str| table.columns.iter().find(|column| column.name == by);
        let [(by, most), ..] = &scans.by[..] else { return Err("and nobody has looked into it yet".into()) };
        let share = most / scans.total;
        if share < ALWAYS {
            let shares = scans.by.iter().take(3);
            let shares: Vec<String> =
                shares.map(|(by, of)| format!("{} {:.0} %", words(by), of / scans.total * 100.0)).collect();
            return Ok(Err(format!(
                "and no column that nearly all of its scans go by: {}",
                shares.join(", ")
            )));
        }
        match column(by) {
            Some(column) => Ok(Division::of(table, column)
                .map(|division| self.advise(picture, (table, column), &division, (share, &scans)))
                .map_err(|why| format!("and is filtered {why}"))),
            None if *by == OTHER => {
                Err("and too many columns that it is filtered by to tell them apart".into())
            }
            None => Ok(Err(format!("and is scanned by no column: {}", words(by)))),
        }
    }

    /// How often it was scanned by what.
    fn scans<'a>(&self, picture: &Picture<'_>, table: &'a Table) -> Result<Scans<'a>, String> {
        let columns = table.columns.iter().map(|column| column.name.as_str());
        let (mut by, mut tens) = (Vec::new(), 0);
        for name in columns.chain([SEQUENTIAL, EXPRESSION, OTHER]) {
            let label = format!("{}/{name}", self.label);
            let rates = picture.store.points(signal::SCANS.name, &label, Span::TenSeconds, WINDOW);
            let (sum, count) = rates
                .into_iter()
                .filter(|rate| rate.is_finite())
                .fold((0.0, 0_usize), |(sum, count), rate| (sum + rate, count + 1));
            tens = tens.max(count);
            by.push((name, 10.0 * sum));
        }
        by.retain(|(_, scans)| *scans > 0.0);
        by.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total: f64 = by.iter().map(|(_, scans)| scans).sum();
        if tens < LEAST_TENS {
            return Err("and by what it is filtered is told after two minutes of scans".into());
        }
        if total < LEAST_SCANS {
            return Err(format!(
                "and was scanned {total:.0} times in {} minutes: too rarely to tell by what",
                tens / 6
            ));
        }
        Ok(Scans { by, total, minutes: tens / 6 })
    }

    fn advise(
        &self,
        picture: &Picture<'_>,
        (table, column): (&Table, &Column),
        division: &Division,
        (share, scans): (f64, &Scans<'_>),
    ) -> Advice {
        let (name, by, percent) = (&self.name, &column.name, share * 100.0);
        let (count, whole, part) = (division.partitions, table.bytes / GIB, division.bytes / GIB);
        let (title, which, price) = match division.way {
            Way::Range(Some(length)) => (
                format!("partition `{name}` by {length} of `{by}`"),
                format!("{count:.0} partitions (one for each {length})"),
                BY_TIME,
            ),
            Way::Range(None) => {
                (format!("partition `{name}` by ranges of `{by}`"), format!("{count:.0} partitions"), BY_TIME)
            }
            Way::List => (
                format!("partition `{name}` by `{by}`"),
                format!("{count:.0} partitions (one for each value)"),
                BY_VALUE,
            ),
            Way::Hash => (
                format!("partition `{name}` by a hash of `{by}`"),
                format!("{count:.0} partitions"),
                BY_VALUE,
            ),
        };
        let drop = match division.way {
            Way::Range(_) => ". What is old is dropped in a moment, where DELETE writes every row of it",
            Way::List | Way::Hash => "",
        };
        let keys = match &column.lacking {
            Some(lacking) => {
                format!("{lacking} must take in {by}: without it, it no longer keeps anything unique. ")
            }
            None => format!("All that is unique in it has {by} already. "),
        };
        let scanned = Evidence {
            signal: signal::SCANS.name,
            label: format!("{}/{by}", self.label),
            value: share,
            unit: "ratio",
            text: format!(
                "{percent:.0} % of {:.0} scans in {} minutes begin with {by}",
                scans.total, scans.minutes
            ),
        };
        let size = evidence(picture, &signal::TABLE_BYTES, &self.label, |bytes| {
            format!("{:.0} GiB, {whole:.0} with its indexes", bytes / GIB)
        });
        Advice {
            id: format!("partitioning:{}", self.label),
            technique: "partitioning",
            title,
            why: format!("it has {:.0} GiB, and {percent:.0} % of its scans go by {by}", self.bytes / GIB),
            cliff: None,
            gain: Gain {
                text: format!(
                    "a query for one {} finds its rows in one of {which} of about {part:.1} GiB with indexes, in \
                     place of {whole:.0}, and VACUUM has one of these at a time{drop}",
                    if column.dated { "moment" } else { "value" }
                ),
                from: Some(table.bytes),
                to: Some(division.bytes),
                unit: "bytes".into(),
                measured: Measured::Signal(&signal::TABLE_BYTES, self.label.clone()),
            },
            price,
            lines: None,
            elsewhere: Some(format!(
                "PostgreSQL 11 and later does it, Deepwater cannot. See first whether it stays so over a day, with reports and \
                 nightly jobs (`database.scans`). {keys}Then {}",
                division.how(table, column)
            )),
            evidence: size.into_iter().chain([scanned]).collect(),
            done: Done::NotSeen,
        }
    }
}

/// Scans of a table by column, the most frequent first.
struct Scans<'a> {
    by: Vec<(&'a str, f64)>,
    total: f64,
    minutes: usize,
}

fn words(by: &str) -> &str {
    match by {
        SEQUENTIAL => "without an index",
        EXPRESSION => "an expression",
        OTHER => "others",
        column => column,
    }
}
