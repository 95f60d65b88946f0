//! What answers said since the last tick.

use std::collections::BTreeMap;

use deepwater_core::ask::Rows;

use crate::signal::{self, Signal};
use crate::store::{Store, Table};

/// Tables that are told apart, of all databases of a tick.
const MOST_TABLES: usize = 40;

/// What is counted of each table that is written to.
const LOCKS: [&Signal; 4] =
    [&signal::LOCK_HOLDERS, &signal::LOCK_WAITERS, &signal::LOCK_BLOCKERS, &signal::LOCK_QUEUE];
/// Ticks in which rows written are counted together.
const SLOW_TICKS: usize = super::SLOW.as_secs() as usize;

/// Answers, added up.
#[derive(Default)]
pub(super) struct Tally {
    /// Sums of each column of the answers about sessions, and how many there were.
    sessions: [f64; 6],
    session_answers: u32,
    /// Sums of the numbers of sessions by table, in the order of [`LOCKS`].
    tables: BTreeMap<String, [f64; 4]>,
    lock_answers: u32,
    /// Deadlocks a second.
    pub(super) deadlocks: Option<f64>,
    /// Seconds that the slowest replica is behind.
    pub(super) lag: Option<f64>,
    /// Rows written a second, by table.
    pub(super) writes: BTreeMap<String, f64>,
    /// Bytes of the largest tables.
    sizes: Vec<(String, f64)>,
    /// Scans a second, by table and what it is scanned by.
    pub(super) scans: BTreeMap<String, f64>,
    /// What is known of the largest tables; none when they were not asked for.
    pub(super) known: Option<Vec<Table>>,
}

impl Tally {
    pub(super) fn sessions(&mut self, rows: &Rows) {
        let Some(row) = rows.first() else { return };
        let columns: Vec<f64> = (0..6).filter_map(|column| number(row, column)).collect();
        if columns.len() == 6 {
            self.session_answers += 1;
            self.sessions.iter_mut().zip(columns).for_each(|(sum, value)| *sum += value);
        }
    }

    /// Whether somebody waits.
    pub(super) fn locks(&mut self, rows: &Rows) -> bool {
        self.lock_answers += 1;
        let mut waiting = false;
        for row in rows {
            let counts = [number(row, 1), number(row, 2), number(row, 3), number(row, 4)];
            let (Some(Some(table)), [Some(holders), Some(waiters), Some(blockers), Some(queue)]) =
                (row.first(), counts)
            else {
                continue;
            };
            waiting |= waiters > 0.0;
            if self.tables.len() < MOST_TABLES || self.tables.contains_key(table) {
                let sums = self.tables.entry(table.clone()).or_default();
                let counts = [holders, waiters, blockers, queue];
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        waiting
    }

    pub(super) fn largest(&mut self, rows: &Rows) {
        let size = |row: &Vec<Option<String>>| Some((row.first()?.clone()?, number(row, 1)?));
        self.sizes = rows.iter().filter_map(size).collect();
    }

    /// What is missing when the server hides the sessions of others.
    pub(super) fn hidden(&self) -> Option<String> {
        let [all, hidden, ..] = self.sessions;
        (self.session_answers > 0 && hidden * 2.0 > all).then(|| {
            "the server hides what the sessions of other users do: GRANT pg_monitor TO the pool's user"
                .to_owned()
        })
    }

    /// Puts the means into the store.
    pub(super) fn tell(self, store: &mut Store, database: &str) {
        if self.session_answers > 0 {
            let n = f64::from(self.session_answers);
            let [all, hidden, active, in_transaction, on_cpu, most] = self.sessions.map(|sum| sum / n);
            store.put(&signal::DB_CONNECTIONS, database, all);
            store.put(&signal::DB_CONNECTION_LIMIT, database, most);
            if hidden * 2.0 <= all {
                store.put(&signal::DB_ACTIVE, database, active);
                store.put(&signal::DB_IN_TRANSACTION, database, in_transaction);
                store.put(&signal::DB_CPU_WAIT, database, on_cpu);
            }
        }
        if self.lock_answers > 0 {
            let n = f64::from(self.lock_answers);
            let known = store.labels(&signal::LOCK_HOLDERS);
            // A table that nobody holds any more has no holders, which is known.
            let idle = known.iter().filter(|label| label.split('/').next() == Some(database));
            let idle: Vec<String> = idle.map(ToString::to_string).collect();
            for label in idle {
                LOCKS.iter().for_each(|signal| store.put(signal, &label, 0.0));
            }
            for (table, sums) in &self.tables {
                let label = format!("{database}/{table}");
                LOCKS.iter().zip(sums).for_each(|(signal, sum)| store.put(signal, &label, sum / n));
            }
        }
        for (table, rate) in &self.writes {
            let label = format!("{database}/{table}");
            store.put(&signal::LOCK_RATE, &label, *rate);
            // Little's law: who holds at any time is how often one comes to hold, times for how long.
            if let Some(holders) =
                store.mean(&signal::LOCK_HOLDERS, &label, SLOW_TICKS).filter(|_| *rate > 0.0)
            {
                store.put(&signal::LOCK_HOLD, &label, holders / rate);
            }
        }
        for (table, bytes) in &self.sizes {
            store.put(&signal::TABLE_BYTES, &format!("{database}/{table}"), *bytes);
        }
        for (by, rate) in &self.scans {
            store.put(&signal::SCANS, &format!("{database}/{by}"), *rate);
        }
        self.known.into_iter().for_each(|tables| store.set_tables(database, tables));
        self.deadlocks.iter().for_each(|rate| store.put(&signal::DEADLOCKS, database, *rate));
        self.lag.iter().for_each(|lag| store.put(&signal::REPLICA_LAG, database, *lag));
    }
}

/// A column as a number; none when it is NULL or something else.
pub(super) fn number(row: &[Option<String>], column: usize) -> Option<f64> {
    let value: f64 = row.get(column)?.as_ref()?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[&[&str]]) -> Rows {
        text.iter().map(|row| row.iter().map(|value| Some((*value).to_owned())).collect()).collect()
    }

    #[test]
    fn a_tick_is_the_mean_of_its_answers() {
        let (mut tally, mut store) = (Tally::default(), Store::new(1 << 24));
        tally.sessions(&rows(&[&["10", "0", "4", "1", "2", "97"]]));
        assert!(tally.locks(&rows(&[&["public.stock", "1", "2", "1", "2"]])));
        tally.writes.insert("public.stock".into(), 50.0);
        assert!(!tally.locks(&rows(&[])));
        assert_eq!(tally.hidden(), None);
        tally.tell(&mut store, "shop");
        store.pass(1);
        assert_eq!(store.latest(&signal::DB_CONNECTION_LIMIT, "shop"), Some(97.0));
        assert_eq!(store.latest(&signal::LOCK_HOLDERS, "shop/public.stock"), Some(0.5));
        assert_eq!(store.latest(&signal::LOCK_WAITERS, "shop/public.stock"), Some(1.0));
        assert_eq!(store.latest(&signal::LOCK_BLOCKERS, "shop/public.stock"), Some(0.5));
        assert_eq!(store.latest(&signal::LOCK_QUEUE, "shop/public.stock"), Some(1.0));

        // The next second nobody holds anything.
        let mut tally = Tally::default();
        assert!(!tally.locks(&rows(&[])));
        tally.tell(&mut store, "shop");
        store.pass(1);
        assert_eq!(store.latest(&signal::LOCK_HOLDERS, "shop/public.stock"), Some(0.0));
        assert_eq!(store.latest(&signal::LOCK_QUEUE, "shop/public.stock"), Some(0.0));
    }

    #[test]
    fn what_the_server_hides_is_not_known() {
        let (mut tally, mut store) = (Tally::default(), Store::new(1 << 24));
        tally.sessions(&rows(&[&["10", "9", "1", "0", "0", "97"]]));
        assert!(tally.hidden().unwrap().contains("pg_monitor"));
        tally.tell(&mut store, "shop");
        store.pass(1);
        assert_eq!(store.latest(&signal::DB_CONNECTIONS, "shop"), Some(10.0));
        assert_eq!(store.latest(&signal::DB_ACTIVE, "shop"), None);
    }

    #[test]
    fn nonsense_is_no_number() {
        let mut tally = Tally::default();
        tally.sessions(&vec![vec![None; 6], vec![]]);
        tally.sessions(&rows(&[&["NaN", "1", "2", "3", "4", "5"], &[]]));
        tally.locks(&rows(&[&["t", "x", "1", "0", "0"], &["t"]]));
        let mut store = Store::new(1 << 24);
        tally.tell(&mut store, "shop");
        assert_eq!(store.count(), 0);
    }
}
