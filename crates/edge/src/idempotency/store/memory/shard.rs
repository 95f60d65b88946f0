//! A part of the keys in memory, under one lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::UnknownOutcome;
use crate::idempotency::answer::Kept;
use crate::idempotency::digest::Digest;

use super::super::{Begun, Hold, Owner, Terms};
use super::MemoryCounts;

/// What a key takes beside its answer: its record, and its places in the table and in the order.
const RECORD_BYTES: usize = 384;

/// Keys, by what they are found by and in the order they end.
pub(super) struct Shard {
    records: HashMap<Digest, Record>,
    /// Keys under way, by the end of their lease. They are never forgotten for want of room.
    leases: BTreeSet<(Instant, Digest)>,
    /// The others, by when they are forgotten.
    settled: BTreeSet<(Instant, Digest)>,
    capacity: usize,
    bytes: usize,
    evicted: u64,
}

struct Record {
    fingerprint: Digest,
    owner: Owner,
    /// Its place in one of the two orders: the end of its lease while it is under way, else of its memory.
    until: Instant,
    state: State,
}

enum State {
    /// Nothing was sent yet.
    Held,
    /// It was sent, and is forgotten then.
    Sent {
        forget: Instant,
        is_lapsed: bool,
    },
    Done(Arc<Kept>),
}

impl Record {
    fn is_under_way(&self) -> bool {
        matches!(self.state, State::Held | State::Sent { is_lapsed: false, .. })
    }

    fn weight(&self) -> usize {
        RECORD_BYTES + if let State::Done(kept) = &self.state { kept.weight() } else { 0 }
    }
}

impl Shard {
    pub fn new(capacity: usize) -> Self {
        Self {
            records: HashMap::new(),
            leases: BTreeSet::new(),
            settled: BTreeSet::new(),
            capacity,
            bytes: 0,
            evicted: 0,
        }
    }

    pub fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.make_room(0);
    }

    pub fn counts(&mut self, now: Instant) -> MemoryCounts {
        self.sweep(now);
        MemoryCounts { keys: self.records.len(), bytes: self.bytes, evicted: self.evicted }
    }

    pub fn begin(
        &mut self,
        lookup: Digest,
        fingerprint: Digest,
        owner: Owner,
        terms: Terms,
        now: Instant,
    ) -> Begun {
        self.sweep(now);
        if let Some(record) = self.records.get(&lookup) {
            if record.fingerprint != fingerprint {
                return Begun::Mismatch;
            }
            match &record.state {
                State::Done(kept) => return Begun::Done(Arc::clone(kept)),
                State::Held if record.owner == owner => return Begun::Fresh,
                State::Held | State::Sent { is_lapsed: false, .. } => {
                    return Begun::InFlight(record.until.saturating_duration_since(now));
                }
                State::Sent { .. } if terms.unknown == UnknownOutcome::Conflict => return Begun::Unknown,
                State::Sent { .. } => self.remove(&lookup),
            }
        }
        if !self.make_room(RECORD_BYTES) {
            return Begun::Full;
        }
        self.insert(lookup, Record { fingerprint, owner, until: now + terms.lease, state: State::Held });
        Begun::Fresh
    }

    pub fn sending(&mut self, lookup: &Digest, owner: Owner, terms: Terms, now: Instant) -> Hold {
        self.lease_anew(lookup, owner, terms, now, true)
    }

    pub fn renew(&mut self, lookup: &Digest, owner: Owner, terms: Terms, now: Instant) -> Hold {
        self.lease_anew(lookup, owner, terms, now, false)
    }

    fn lease_anew(&mut self, lookup: &Digest, owner: Owner, terms: Terms, now: Instant, sends: bool) -> Hold {
        let Some(mut record) = self.take_owned(lookup, owner, now) else { return Hold::Lost };
        if !matches!(record.state, State::Done(_)) {
            let was_sent = matches!(record.state, State::Sent { .. });
            record.until = now + terms.lease;
            if sends || was_sent {
                record.state = State::Sent { forget: record.until + terms.keep, is_lapsed: false };
            }
        }
        self.insert(*lookup, record);
        Hold::Held
    }

    pub fn finish(
        &mut self,
        lookup: &Digest,
        owner: Owner,
        kept: Arc<Kept>,
        keep: Duration,
        now: Instant,
    ) -> Hold {
        let Some(record) = self.take_owned(lookup, owner, now) else { return Hold::Lost };
        let fits = self.make_room(RECORD_BYTES + kept.weight());
        let kept = if fits { kept } else { Arc::new(Kept::TooLarge(kept.status())) };
        // That it is done is remembered even where its answer finds no room.
        self.insert(*lookup, Record { until: now + keep, state: State::Done(kept), ..record });
        Hold::Held
    }

    pub fn abandon(&mut self, lookup: &Digest, owner: Owner, now: Instant) -> Hold {
        self.sweep(now);
        match self.records.get(lookup) {
            Some(record) if record.owner == owner => {
                if !matches!(record.state, State::Done(_)) {
                    self.remove(lookup);
                }
                Hold::Held
            }
            _ => Hold::Lost,
        }
    }

    fn take_owned(&mut self, lookup: &Digest, owner: Owner, now: Instant) -> Option<Record> {
        self.sweep(now);
        self.records.get(lookup).filter(|record| record.owner == owner)?;
        self.take(lookup)
    }

    /// Lets go what is over by now. Each lease and each memory ends once, so this costs next to nothing per step.
    fn sweep(&mut self, now: Instant) {
        while let Some((until, lookup)) = self.leases.first().copied().filter(|(until, _)| *until <= now) {
            self.leases.remove(&(until, lookup));
            match self.records.get_mut(&lookup) {
                Some(Record { until, state: State::Sent { forget, is_lapsed }, .. }) => {
                    *is_lapsed = true;
                    *until = *forget;
                    self.settled.insert((*forget, lookup));
                }
                _ => self.remove(&lookup),
            }
        }
        while let Some((_, lookup)) = self.settled.first().copied().filter(|(until, _)| *until <= now) {
            self.remove(&lookup);
        }
    }

    /// Forgets what ends first until there is room for that much more; false if what is under way takes too much.
    fn make_room(&mut self, bytes: usize) -> bool {
        // Nothing is forgotten in vain.
        let pinned = self.leases.len() * RECORD_BYTES;
        if pinned + bytes > self.capacity {
            return false;
        }
        while self.bytes + bytes > self.capacity {
            let Some((_, lookup)) = self.settled.first().copied() else { return false };
            self.remove(&lookup);
            self.evicted += 1;
        }
        true
    }

    fn insert(&mut self, lookup: Digest, record: Record) {
        let order = if record.is_under_way() { &mut self.leases } else { &mut self.settled };
        order.insert((record.until, lookup));
        self.bytes += record.weight();
        self.records.insert(lookup, record);
    }

    fn remove(&mut self, lookup: &Digest) {
        self.take(lookup);
    }

    fn take(&mut self, lookup: &Digest) -> Option<Record> {
        let record = self.records.remove(lookup)?;
        let place = (record.until, *lookup);
        self.leases.remove(&place);
        self.settled.remove(&place);
        self.bytes -= record.weight();
        Some(record)
    }
}
