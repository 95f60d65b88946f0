//! Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016) on weighted
//! rendezvous: a key goes to its highest-scoring target unless that one already has 1.25 times its share of
//! what is in flight, then to the next highest that has room. A hot key spills over instead of melting one
//! server. Without a key, the client's address; without that, chance.

use deepwater_core::random::Random;

use super::ip_hash::client_key;
use super::{Balancer, Query, rendezvous};
use crate::rotation::Rotation;

/// How far above its share a target may be loaded.
const BOUND: f64 = 1.25;

#[derive(Debug)]
pub(super) struct ConsistentHash {
    random: Random,
}

impl ConsistentHash {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::from_seed(seed) }
    }
}

impl Balancer for ConsistentHash {
    fn rebuild(&mut self, _: &Rotation) {}

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        let key =
            query.hash.or_else(|| query.client.map(client_key)).unwrap_or_else(|| self.random.next_u64());
        let allowed = |position| query.allows(rotation, position);
        let first = rendezvous::highest(rotation, key, allowed)?;
        // Everybody has room for one.
        if rotation.targets[first].load.in_flight() == 0 {
            return Some(first);
        }
        let has_room = room(rotation);
        if has_room(first) {
            return Some(first);
        }
        // Not all can be full, but the one with room may be among those to avoid.
        rendezvous::highest(rotation, key, |position| allowed(position) && has_room(position)).or(Some(first))
    }
}

/// Whether a target can take one more: capacity is ⌈bound × share × (in flight + 1)⌉.
fn room(rotation: &Rotation) -> impl Fn(usize) -> bool {
    let in_flight: f64 = rotation.targets.iter().map(|target| f64::from(target.load.in_flight())).sum();
    let per_weight = BOUND * (in_flight + 1.0) / rotation.total_weight;
    move |position| {
        let capacity = (per_weight * rotation.weights[position]).ceil();
        f64::from(rotation.targets[position].load.in_flight()) < capacity
    }
}
