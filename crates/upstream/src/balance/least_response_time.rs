//! Least expected response time: peak EWMA (Finagle, linkerd) with what they lack for twins and the
//! recovered.
//!
//! The cost of a target is `estimate × (1 + in flight / weight)`: the latency of an idle target is the
//! same whatever its weight, and a queue counts by what the target can take.
//! - *Twins*: costs within a quarter of the least tie, and ties take turns by weight. Without that a server
//!   that is one percent faster gets everything until it queues.
//! - *The recovered*: without observations an estimate drifts towards the fastest peer's (time constant
//!   10 s); one that never had any starts there.
//! - *Floor*: a target not chosen for a second gets the next request, at no more than one request in
//!   twenty. So each is tried about once a second, or with thin traffic shares 5 % of it.
//!
//! Up to 32 targets all are looked at; beyond that the better of two drawn by weight, measured against a
//! fastest peer that is looked for once in a thousand choices.

use super::least::{Least, SCAN};
use super::{Balancer, Query};
use crate::rotation::Rotation;

/// Costs within this factor of the least are as good.
const TIE: f64 = 1.25;
/// A target left alone for so long is tried, nanoseconds.
const STALE_NS: u64 = 1_000_000_000;
/// At most one choice in so many is a try.
const CHOICES_PER_TRY: u32 = 20;
/// With many targets, how many choices a known fastest peer serves.
const CHOICES_PER_SEARCH: u32 = 1_024;
/// Any estimate will do while there is none.
const UNKNOWN_NS: f64 = 1e6;

#[derive(Debug)]
pub(super) struct LeastResponseTime {
    least: Least,
    fastest: f64,
    choices_until_search: u32,
    choices_until_try: u32,
}

impl LeastResponseTime {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            least: Least::new(seed),
            fastest: UNKNOWN_NS,
            choices_until_search: 0,
            choices_until_try: CHOICES_PER_TRY,
        }
    }

    fn search_fastest(&mut self, rotation: &Rotation) {
        self.choices_until_search = self.choices_until_search.saturating_sub(1);
        if rotation.len() > SCAN && self.choices_until_search > 0 {
            return;
        }
        self.choices_until_search = CHOICES_PER_SEARCH;
        let estimates = rotation.targets.iter().filter_map(|target| target.load.estimate());
        let fastest = estimates.fold(f64::INFINITY, f64::min);
        self.fastest = if fastest.is_finite() { fastest } else { UNKNOWN_NS };
    }

    /// The target left alone the longest (of many: one drawn), if it is time to try it.
    fn stale(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        self.choices_until_try = self.choices_until_try.saturating_sub(1);
        if self.choices_until_try > 0 {
            return None;
        }
        let picked_at = |position: usize| rotation.targets[position].load.picked_at();
        let allowed = |position: &usize| query.allows(rotation, *position);
        let candidate = if rotation.len() > SCAN {
            Some(self.least.any()).filter(allowed)
        } else {
            (0..rotation.len()).filter(allowed).min_by_key(|position| picked_at(*position))
        }?;
        if query.now.saturating_sub(picked_at(candidate)) < STALE_NS {
            return None;
        }
        self.choices_until_try = CHOICES_PER_TRY;
        Some(candidate)
    }
}

impl Balancer for LeastResponseTime {
    fn rebuild(&mut self, rotation: &Rotation) {
        self.least.rebuild(rotation);
        self.choices_until_search = 0;
    }

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        if let Some(position) = self.stale(rotation, query) {
            return Some(position);
        }
        self.search_fastest(rotation);
        let fastest = self.fastest;
        self.least.pick(rotation, query, TIE, |position| {
            let estimate = rotation.targets[position].load.estimate_among(query.now, fastest);
            estimate * (1.0 + rotation.weighted_in_flight(position))
        })
    }
}
