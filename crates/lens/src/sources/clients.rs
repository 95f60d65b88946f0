//! How the network serves our clients: what the kernel knows of the connections they have with us.
//!
//! Every ten ticks, since the kernel walks through its table of sockets for it. Of a listener with many clients some are
//! looked at, as chance has put them in that table. Round trips are as they are now; what was sent and waited for is
//! counted between two looks, so that connections that live long say nothing of yesterday.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use deepwater_host::{Connections, Diag, TcpInfo};

use super::Unknown;
use crate::facts::{Facts, Listener, Protocol};
use crate::signal;
use crate::store::Samples;

/// Ticks from look to look.
const EVERY: u64 = 10;
/// Connections that are looked at of each listener: a millisecond's work.
const MOST_CONNECTIONS: usize = 512;
/// Listeners that are looked at.
const MOST_LISTENERS: usize = 8;
/// Of fewer, the largest would pass for what 95 % do not pass.
const LEAST_ROUND_TRIPS: usize = 20;
/// Time with something to send below which it cannot be told what share of it was spent how: the kernel counts it in
/// steps of up to ten milliseconds.
const LEAST_BUSY: Duration = Duration::from_millis(100);
/// Bytes below which one that is lost is too large a share: a hundred segments.
const LEAST_SENT: u64 = 128 * 1_024;

/// All connections of clients.
#[derive(Default)]
pub(crate) struct Clients {
    diag: Diag,
    ticks: u64,
    looks: BTreeMap<SocketAddr, Look>,
    unknown: Vec<Unknown>,
}

/// What was seen of a listener's connections the last time.
struct Look {
    /// By cookie.
    totals: BTreeMap<u64, Totals>,
    /// Whether there were more.
    cut_short: bool,
}

/// What a connection has counted since it began.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// Microseconds in which the client did not read, of those with something to send.
    unread: Part,
    /// Bytes sent again, of those sent.
    again: Part,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    part: u64,
    whole: u64,
}

/// What clients that speak the same have in common.
#[derive(Default)]
struct Group {
    round_trips: Vec<Duration>,
    grown: Totals,
}

impl Clients {
    /// Looks, when it is time.
    pub(crate) fn read(&mut self, out: &mut Samples, facts: &Facts) {
        let due = self.ticks.is_multiple_of(EVERY);
        self.ticks += 1;
        if !due {
            return;
        }
        self.unknown.clear();
        let listeners = told_apart(&facts.listeners);
        if listeners.len() > MOST_LISTENERS {
            let why = format!("{MOST_LISTENERS} of {} listeners are looked at", listeners.len());
            self.note("connections of clients to further listeners", why);
        }
        let looked_at = &listeners[..listeners.len().min(MOST_LISTENERS)];
        self.looks.retain(|address, _| looked_at.iter().any(|listener| listener.address == *address));
        let mut groups: BTreeMap<Protocol, Group> = BTreeMap::new();
        let mut counted = true;
        for listener in looked_at {
            match self.diag.connections(listener.address, MOST_CONNECTIONS) {
                Ok(connections) => {
                    counted &= connections.found.iter().all(|connection| counts(&connection.info));
                    let look = Look::of(&connections);
                    let before = self.looks.insert(listener.address, look);
                    groups.entry(listener.protocol).or_default().add(&connections, before.as_ref());
                }
                Err(error) => {
                    self.note(
                        "connections of clients",
                        format!("the kernel does not tell (sock_diag): {error}"),
                    );
                    break;
                }
            }
        }
        if !counted {
            let why = "this kernel does not count it: Linux 4.19 and later do".to_owned();
            self.note("network.receiver_limited, network.client_loss", why);
        }
        groups.into_iter().for_each(|(protocol, group)| group.tell(out, protocol.as_str()));
    }

    /// What cannot be measured here.
    pub(crate) fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }

    fn note(&mut self, what: &str, why: String) {
        self.unknown.push(Unknown { what: what.to_owned(), why });
    }
}

impl Look {
    fn of(connections: &Connections) -> Self {
        let totals =
            connections.found.iter().map(|connection| (connection.cookie, Totals::of(&connection.info)));
        Self { totals: totals.collect(), cut_short: connections.cut_short }
    }

    /// What a connection counted since; none when that cannot be told.
    fn grown(&self, cookie: u64, now: Totals) -> Option<Totals> {
        match self.totals.get(&cookie) {
            Some(before) => Some(now.since(*before)),
            // All there were are known, so it began since.
            None if !self.cut_short => Some(now),
            None => None,
        }
    }
}

impl Totals {
    fn of(info: &TcpInfo) -> Self {
        let micros = |time: Option<Duration>| {
            time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        };
        Self {
            unread: Part { part: micros(info.receive_window_limited), whole: micros(info.busy) },
            again: Part { part: info.bytes_retransmitted.unwrap_or(0), whole: info.bytes_sent.unwrap_or(0) },
        }
    }

    fn since(self, before: Self) -> Self {
        Self { unread: self.unread.since(before.unread), again: self.again.since(before.again) }
    }
}

impl Part {
    fn since(self, before: Self) -> Self {
        Self { part: self.part.saturating_sub(before.part), whole: self.whole.saturating_sub(before.whole) }
    }

    fn add(&mut self, other: Self) {
        self.part = self.part.saturating_add(other.part);
        self.whole = self.whole.saturating_add(other.whole);
    }

    /// None of a whole that is too small to tell.
    fn share(self, least: u64) -> Option<f64> {
        (self.whole >= least).then(|| (self.part as f64 / self.whole as f64).min(1.0))
    }
}

impl Group {
    fn add(&mut self, connections: &Connections, before: Option<&Look>) {
        for connection in &connections.found {
            self.round_trips.extend(connection.info.round_trip);
            let grown = before.and_then(|look| look.grown(connection.cookie, Totals::of(&connection.info)));
            if let Some(grown) = grown {
                self.grown.unread.add(grown.unread);
                self.grown.again.add(grown.again);
            }
        }
    }

    fn tell(mut self, out: &mut Samples, label: &str) {
        self.round_trips.sort_unstable();
        let count = self.round_trips.len();
        // The nearest rank.
        let passed_by =
            |percent: usize| self.round_trips.get((count * percent).div_ceil(100).checked_sub(1)?);
        let told = [
            (&signal::ROUND_TRIP, passed_by(50).map(Duration::as_secs_f64)),
            (
                &signal::ROUND_TRIP_P95,
                passed_by(95).filter(|_| count >= LEAST_ROUND_TRIPS).map(Duration::as_secs_f64),
            ),
            (&signal::RECEIVER_LIMITED, self.grown.unread.share(LEAST_BUSY.as_micros() as u64)),
            (&signal::CLIENT_LOSS, self.grown.again.share(LEAST_SENT)),
        ];
        for (signal, value) in told {
            if let Some(value) = value {
                out.put(signal, label, value);
            }
        }
    }
}

/// Whether the kernel is new enough to count what is sent.
fn counts(info: &TcpInfo) -> bool {
    info.receive_window_limited.is_some() && info.bytes_retransmitted.is_some()
}

/// Listeners whose connections the kernel tells apart: by port and version of IP.
fn told_apart(listeners: &[Listener]) -> Vec<Listener> {
    let mut known = BTreeSet::new();
    let new = |listener: &&Listener| known.insert((listener.address.port(), listener.address.is_ipv4()));
    listeners.iter().filter(new).copied().collect()
}
