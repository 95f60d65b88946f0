//! Advice on the size of a pool: what its database's host is good for, corrected by what was measured. Says which numbers
//! it used, and gives none without them.
//!
//! - The start is `(2 × cores) + spindles` (PostgreSQL wiki, "Number Of Database Connections"): more at once only take
//!   cores and disks from each other. Application servers that share the host share it.
//! - Little's law: connections that are busy on average are L = λ·W, the rate at which connections are handed out times
//!   the time each is held. Clients that waited wanted one too: they count as if they had held it.
//! - Requests that come independently of each other make the number in use a Poisson variable (Erlang), whose standard
//!   deviation is √L: in 19 moments of 20 it is at most L + 1.645·√L.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::config::PoolMode;
use crate::history::Minute;
use crate::pools::Pool;
use crate::shared::Shared;

/// The 95th percentile of the normal distribution, in standard deviations.
const P95: f64 = 1.645;
/// Below this many transactions in the busiest minute, chance decides.
const MIN_TRANSACTIONS: u64 = 1_000;
/// A minute, but for what clocks differ by.
const MIN_SECONDS: f64 = 59.0;

/// What is known of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub mode: PoolMode,
    /// The size in force.
    pub size: usize,
    /// Of the database's host.
    pub cores: Option<usize>,
    pub spindles: usize,
    /// How many share the host.
    pub application_servers: usize,
    /// The busiest of late.
    pub minute: Option<Minute>,
}

/// How large a pool should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Advice {
    /// Server connections; none when something needed is not known.
    pub size: Option<usize>,
    /// The size in force.
    pub current_size: usize,
    /// Why, or what is missing.
    pub sentence: String,
    /// What it was computed from.
    pub numbers: Numbers,
}

/// The numbers behind the advice; none where they are not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Numbers {
    pub server_cores: Option<usize>,
    pub server_spindles: usize,
    pub application_servers: usize,
    /// `(2 × cores) + spindles`.
    pub host_is_good_for: Option<usize>,
    /// The share of it of one application server.
    pub share: Option<usize>,
    /// How long was measured: the busiest minute of the last hour.
    pub seconds: Option<f64>,
    pub transactions: Option<u64>,
    /// λ: connections handed out a second.
    pub handed_out_per_second: Option<f64>,
    /// W: how long one was held, on average.
    pub held_ms: Option<f64>,
    /// L = λ·W: connections busy on average.
    pub busy: Option<f64>,
    /// Clients waiting on average.
    pub waiting: Option<f64>,
    /// How long a client waited, on average over all that got a connection.
    pub wait_ms: Option<f64>,
    /// What would be in use in 19 moments of 20, had nobody to wait.
    pub wanted: Option<usize>,
}

/// Advice on a pool.
pub(crate) fn of(shared: &Shared, pool: &Pool) -> Advice {
    let plan = shared.plan.load();
    let (settings, all) = (pool.settings.load(), &plan.config);
    let own = &settings.database.config;
    advise(&Known {
        mode: settings.mode,
        size: plan.limits(&settings.database, &pool.key.user).size,
        cores: own.server_cores.or(all.server_cores),
        spindles: own.server_spindles.unwrap_or(all.server_spindles),
        application_servers: own.application_servers.unwrap_or(all.application_servers),
        minute: shared.history.busiest(&pool.key),
    })
}

/// Advice from what is known.
pub(crate) fn advise(known: &Known) -> Advice {
    let numbers = numbers(known);
    let missing = missing(known);
    let (size, sentence) = match (numbers.share, numbers.wanted) {
        (Some(share), Some(wanted)) if missing.is_empty() => {
            (Some(wanted.min(share)), reasons(&numbers, share, wanted))
        }
        _ => (None, format!("no advice: {}", missing.join("; "))),
    };
    Advice { size, current_size: known.size, sentence, numbers }
}

fn numbers(known: &Known) -> Numbers {
    let servers = known.application_servers.max(1);
    let start = known.cores.map(|cores| cores.saturating_mul(2).saturating_add(known.spindles));
    let measured = known.minute.filter(|minute| minute.seconds > 0.0 && minute.assignments > 0);
    let by = |what: fn(&Minute) -> f64| measured.as_ref().map(what);
    Numbers {
        server_cores: known.cores,
        server_spindles: known.spindles,
        application_servers: servers,
        host_is_good_for: start,
        share: start.map(|start| (start / servers).max(1)),
        seconds: known.minute.map(|minute| minute.seconds),
        transactions: known.minute.map(|minute| minute.transactions),
        handed_out_per_second: by(|minute| minute.assignments as f64 / minute.seconds),
        held_ms: by(|minute| minute.used_seconds / minute.assignments as f64 * 1e3),
        busy: by(|minute| minute.used_seconds / minute.seconds),
        waiting: by(|minute| minute.waited_seconds / minute.seconds),
        wait_ms: by(|minute| minute.waited_seconds / minute.assignments as f64 * 1e3),
        wanted: by(Minute::wanted).map(in_19_of_20),
    }
}

/// How many are in use in 19 moments of 20, when so many are on average.
fn in_19_of_20(average: f64) -> usize {
    // Never more than the clients there can be: it fits.
    ((average + P95 * average.sqrt()).ceil() as usize).max(1)
}

/// What keeps from advice, in clauses.
fn missing(known: &Known) -> Vec<String> {
    let mut missing = Vec::new();
    if known.mode == PoolMode::Session {
        missing.push(
            "in session mode a client keeps its connection until it leaves, so there must be as many as clients; \
             mode = \"transaction\" lets them share"
                .to_owned(),
        );
    }
    if known.cores.is_none() {
        missing.push("server_cores is not set: how many cores the database's host has".to_owned());
    }
    match known.minute {
        None => missing.push("nothing has been measured for a minute yet".to_owned()),
        Some(minute)
            if minute.transactions < MIN_TRANSACTIONS
                || minute.seconds < MIN_SECONDS
                || minute.assignments == 0 =>
        {
            let Minute { transactions, seconds, .. } = minute;
            missing.push(format!(
                "{transactions} transactions in the busiest minute ({seconds:.0} s) are too few to tell, \
                 {MIN_TRANSACTIONS} are needed"
            ));
        }
        Some(_) => {}
    }
    missing
}

fn reasons(numbers: &Numbers, share: usize, wanted: usize) -> String {
    let Numbers { server_cores, server_spindles, application_servers, host_is_good_for, .. } = numbers;
    let (cores, start) = (server_cores.unwrap_or(0), host_is_good_for.unwrap_or(0));
    let value = |number: Option<f64>| number.unwrap_or(0.0);
    let (rate, held, busy) =
        (value(numbers.handed_out_per_second), value(numbers.held_ms), value(numbers.busy));
    let waits = match value(numbers.waiting) {
        waiting if waiting >= 0.05 => format!(" while {waiting:.1} clients wait"),
        _ => String::new(),
    };
    let measured = format!(
        "in the busiest minute {rate:.1} connections a second were handed out and held for {held:.2} ms, so that {busy:.1} \
         are busy on average (L = λ·W){waits}, and {wanted} would be in 19 moments of 20"
    );
    let shared = match application_servers {
        1 => String::new(),
        servers => format!(", {share} for each of {servers} application servers"),
    };
    let plural = if *server_spindles == 1 { "" } else { "s" };
    let host = format!(
        "its host is good for {start} at once ((2 × {cores} cores) + {server_spindles} spindle{plural}){shared}"
    );
    if wanted <= share {
        return format!("{wanted} are enough: {measured}; {host}");
    }
    format!(
        "{share}, and the database is the limit: {host}; {measured}. More connections would only take its cores from each \
         other: make queries shorter, or move reads to a replica"
    )
}
