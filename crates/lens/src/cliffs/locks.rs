//! Rows and tables that are written to: one transaction at a time holds a row, so it can be written to no more often than
//! once in the time it is held.
//!
//! Sessions are counted that have written to a table and do not wait (*holders*), and that wait (*waiters*). While
//! nobody waits, those who write do not write to the same rows, and there is no cliff to see. When they wait, holders are
//! the utilisation of what they wait for, λ·E\[hold\]: at one it is full.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound, Queue};
use super::{Detector, Finding, Kind, Outlook, evidence};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Locks;

/// Waiters on average, below which nobody waits but by chance.
const LEAST_WAITERS: f64 = 0.005;
/// Ticks that are taken together: in each there are one to five samples.
const TOGETHER: usize = 5;
/// Waiters on average, with which the lock decides about all else.
const QUEUE: f64 = 3.0;

impl Detector for Locks {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let tables = picture.store.labels(&signal::LOCK_HOLDERS);
        tables.iter().filter_map(|table| find(picture, load, table)).collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>, table: &str) -> Option<Finding> {
    let waiters = picture.minute(&signal::LOCK_WAITERS, table)?;
    let holders = picture.minute(&signal::LOCK_HOLDERS, table)?;
    let name = table.split_once('/').map_or(table, |(_, name)| name);
    let outlook = if waiters < LEAST_WAITERS {
        Outlook::NoneInSight("nobody waits for a lock of it".into())
    } else {
        let used = picture.windows(&signal::LOCK_HOLDERS, table);
        let queue = Some(Queue { servers: 1, service: None, variation: None });
        let bound = Bound {
            used: &used,
            capacity: 1.0,
            law: Law::Utilisation,
            idle_without_load: true,
            least_used: bound::LEAST_USED,
            together: TOGETHER,
            queue,
        };
        bound::outlook(picture, load, &bound)
    };
    let now = picture.now(&signal::LOCK_WAITERS, table);
    let queues = now.is_some_and(|waiters| waiters >= QUEUE);
    let outlook = match outlook {
        // Who holds did not hold the same row.
        Outlook::AtLoad(range) if !queues && load.is_some_and(|load| load.now > range.high) => {
            Outlook::NoneInSight(
                "more is written to it than one row could carry, and hardly anybody waits".into(),
            )
        }
        outlook => outlook,
    };
    let pressing = now
        .filter(|waiters| *waiters >= QUEUE)
        .map(|waiters| format!("{waiters:.0} sessions wait for it at any time"));
    let evidence = [
        evidence(picture, &signal::LOCK_WAITERS, table, |n| {
            format!("{n:.2} sessions wait for its locks on average")
        }),
        evidence(picture, &signal::LOCK_HOLDERS, table, |n| format!("{n:.2} hold them")),
        evidence(picture, &signal::LOCK_BLOCKERS, table, |n| format!("{n:.2} of these are waited for")),
        evidence(picture, &signal::LOCK_QUEUE, table, |n| {
            format!("{n:.2} wait for the same transaction: the queue for a row")
        }),
        evidence(picture, &signal::LOCK_HOLD, table, |hold| {
            format!("they are held for {:.1} ms for each row written", hold * 1e3)
        }),
        evidence(picture, &signal::LOCK_RATE, table, |rate| {
            format!("{rate:.1} rows are written each second")
        }),
    ];
    Some(Finding {
        kind: Kind::Locks,
        resource: table.to_owned(),
        what: format!("the rows of `{name}` that all write to are locked all the time"),
        used: Some(holders),
        limit: Some(1.0),
        unit: "holders",
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}
