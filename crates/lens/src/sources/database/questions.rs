//! What is asked, for PostgreSQL 10 and later, and how the answers about totals become rates.

use std::collections::HashMap;
use std::time::Instant;

use deepwater_core::ask::Rows;

use super::scans::Scans;
use super::tally::{Tally, number};

/// One row: client sessions, those whose state may not be seen, running ones, idle in a transaction, running without a wait,
/// and how many there may be.
pub(super) const SESSIONS: &str = "\
SELECT count(*), count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state = 'active'), \
count(*) FILTER (WHERE state LIKE 'idle in transaction%'), \
count(*) FILTER (WHERE state = 'active' AND wait_event IS NULL), \
current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
- coalesce(current_setting('reserved_connections', true)::int, 0) \
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// By table that is written to: sessions that hold locks of it and do not wait, that wait, that others wait for, and the most
/// that wait for the same transaction, as all do who want a row that it has written to.
pub(super) const LOCKS: &str = "\
WITH l AS (SELECT locktype, database, relation, transactionid, pid, mode, granted FROM pg_locks \
WHERE pid <> pg_backend_pid()), \
q AS (SELECT transactionid, count(*) AS n FROM l WHERE transactionid IS NOT NULL AND NOT granted GROUP BY 1), \
w AS (SELECT l.pid, max(q.n) AS n FROM l LEFT JOIN q ON q.transactionid = l.transactionid WHERE NOT l.granted GROUP BY 1), \
b AS (SELECT DISTINCT l.pid FROM l JOIN q ON q.transactionid = l.transactionid WHERE l.granted) \
SELECT s.nspname || '.' || c.relname, count(DISTINCT l.pid) FILTER (WHERE w.pid IS NULL), \
count(DISTINCT l.pid) FILTER (WHERE w.pid IS NOT NULL), count(DISTINCT b.pid), coalesce(max(w.n), 0) \
FROM l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace s ON s.oid = c.relnamespace \
LEFT JOIN w ON w.pid = l.pid LEFT JOIN b ON b.pid = l.pid \
WHERE l.locktype = 'relation' AND c.relkind IN ('r', 'p') \
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
AND s.nspname NOT IN ('pg_catalog', 'information_schema') \
AND l.mode NOT IN ('AccessShareLock', 'ShareLock', 'ShareUpdateExclusiveLock') \
GROUP BY 1 ORDER BY count(*) DESC LIMIT 20";

/// One row: deadlocks so far, and how many seconds the slowest replica is behind.
pub(super) const SERVER: &str = "\
SELECT deadlocks, (SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication) \
FROM pg_stat_database WHERE datname = current_database()";

/// By table, the twenty most written: rows written so far.
pub(super) const TABLES: &str = "\
SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables \
ORDER BY 2 DESC LIMIT 20";

/// The five largest tables that are not partitioned, and their bytes without indexes as the last VACUUM or ANALYZE counted them.
pub(super) const LARGEST: &str = "\
SELECT n.nspname || '.' || c.relname, c.relpages::bigint * current_setting('block_size')::bigint \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) ORDER BY c.relpages DESC LIMIT 5";

/// Totals as they were when they were asked for last.
#[derive(Default)]
pub(super) struct Slow {
    deadlocks: Option<(Instant, f64)>,
    tables: HashMap<String, (Instant, f64)>,
    pub(super) scans: Scans,
}

impl Slow {
    pub(super) fn server(&mut self, now: Instant, rows: &Rows, tally: &mut Tally) {
        let Some(row) = rows.first() else { return };
        if let Some(total) = number(row, 0) {
            tally.deadlocks = rate(self.deadlocks.replace((now, total)), now, total);
        }
        tally.lag = number(row, 1);
    }

    pub(super) fn tables(&mut self, now: Instant, rows: &Rows, tally: &mut Tally) {
        let mut before = std::mem::take(&mut self.tables);
        for row in rows {
            let (Some(Some(table)), Some(total)) = (row.first(), number(row, 1)) else { continue };
            if let Some(rate) = rate(before.remove(table), now, total) {
                tally.writes.insert(table.clone(), rate);
            }
            self.tables.insert(table.clone(), (now, total));
        }
    }
}

/// Growth in a second; none when it went back (statistics were reset).
pub(super) fn rate(before: Option<(Instant, f64)>, now: Instant, total: f64) -> Option<f64> {
    let (then, earlier) = before?;
    let seconds = now.saturating_duration_since(then).as_secs_f64();
    (seconds > 0.0 && total >= earlier).then(|| (total - earlier) / seconds)
}
