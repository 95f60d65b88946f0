//! Room for connections: so many in all, so many of each client, over all cores and listeners.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Parts of the table that are locked by themselves.
const SHARDS: usize = 16;

/// An address, or with IPv6 the /64 that one client has to itself. What it holds is bounded by the connections open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    V4(u32),
    V6(u64),
}

impl Client {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            // The upper half.
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

/// The connections there may be, shared by all cores.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    shards: [Mutex<HashMap<Client, usize>>; SHARDS],
    hasher: RandomState,
}

impl Places {
    /// Room for so many connections in all.
    pub(crate) fn new(most: usize) -> Self {
        let all = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Self { all, shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }

    /// Waits for room for one more. `None` when there will be no more.
    pub(crate) async fn one(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { places: Arc::clone(self), client: None, _permit: permit })
    }

    fn shard(&self, client: Client) -> &Mutex<HashMap<Client, usize>> {
        &self.shards[self.hasher.hash_one(client) as usize % SHARDS]
    }

    fn enter(&self, client: Client, most: usize) -> bool {
        let mut counts = self.shard(client).lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        true
    }

    fn leave(&self, client: Client) {
        let mut counts = self.shard(client).lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// The place of one connection, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    client: Option<Client>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Whether the client may have it: not if it has `most` already (0 for no such limit).
    pub(crate) fn is_for(&mut self, ip: IpAddr, most: usize) -> bool {
        if most == 0 {
            return true;
        }
        let client = Client::of(ip);
        let enters = self.places.enter(client, most);
        if enters {
            self.client = Some(client);
        }
        enters
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.places.leave(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn place(places: &Arc<Places>, ip: &str, most: usize) -> Option<Place> {
        let mut place = places.one().await.unwrap();
        place.is_for(ip.parse().unwrap(), most).then_some(place)
    }

    #[tokio::test]
    async fn each_client_has_so_many_places_and_gets_them_back() {
        let places = Arc::new(Places::new(100));
        let first = place(&places, "192.0.2.1", 2).await.unwrap();
        let _second = place(&places, "::ffff:192.0.2.1", 2).await.unwrap();
        assert!(place(&places, "192.0.2.1", 2).await.is_none());
        assert!(place(&places, "192.0.2.2", 2).await.is_some(), "another client");
        assert!(place(&places, "192.0.2.1", 0).await.is_some(), "no limit");
        drop(first);
        assert!(place(&places, "192.0.2.1", 2).await.is_some());
    }

    #[tokio::test]
    async fn a_client_of_ipv6_has_a_whole_network() {
        let places = Arc::new(Places::new(100));
        let _first = place(&places, "2001:db8:0:1::1", 1).await.unwrap();
        assert!(place(&places, "2001:db8:0:1:ffff::2", 1).await.is_none());
        assert!(place(&places, "2001:db8:0:2::1", 1).await.is_some());
    }

    #[tokio::test]
    async fn clients_that_left_leave_nothing_behind() {
        let places = Arc::new(Places::new(10));
        for n in 0..1_000u32 {
            let ip = std::net::Ipv4Addr::from_bits(n).to_string();
            drop(place(&places, &ip, 1).await.unwrap());
        }
        assert!(places.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
        assert_eq!(places.all.available_permits(), 10);
    }
}
