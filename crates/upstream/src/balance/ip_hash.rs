//! The same target for the same client: weighted rendezvous on the address. Of an IPv6 address the /64,
//! because hosts change the rest by the hour (RFC 8981). Without an address, a target by chance.

use std::net::IpAddr;

use deepwater_core::random::Random;

use super::{Balancer, Query, rendezvous};
use crate::rotation::Rotation;

#[derive(Debug)]
pub(super) struct IpHash {
    random: Random,
}

impl IpHash {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::from_seed(seed) }
    }
}

impl Balancer for IpHash {
    fn rebuild(&mut self, _: &Rotation) {}

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        let key = query.client.map_or_else(|| self.random.next_u64(), client_key);
        rendezvous::highest(rotation, key, |position| query.allows(rotation, position))
    }
}

/// The bits of an address that stay with a client: /32 of IPv4, /64 of IPv6.
pub(super) fn client_key(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_client_is_its_subnet() {
        let key = |text: &str| client_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
