//! One server behind the pool, shared by every core.

use std::fmt;
use std::str::FromStr;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::Endpoint;
use crate::hash::hash_bytes;
use crate::load::Load;
use crate::pool::Pool;

/// Names a target across cores, reloads, restarts and machines: a hash of its configured name and its
/// address, written as sixteen hexadecimal digits. It can be computed by anybody; a cookie that must not
/// be guessed or forged has to sign it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(u64);

impl TargetId {
    /// The identity of the target configured as `name` and dialled at `endpoint`.
    pub fn new(name: &str, endpoint: &Endpoint) -> Self {
        // Neither half can contain the separator.
        Self(hash_bytes(format!("{name}\0{endpoint}").as_bytes()))
    }

    /// The number behind it.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for TargetId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for TargetId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One server. It stays the same object, with its counts, for as long as its name and address are in the
/// pool's specification, whatever else is reloaded.
#[derive(Debug)]
pub struct Target {
    /// Stable identity.
    pub id: TargetId,
    /// As configured: `host:port` or `unix:/path`. Targets resolved from one DNS name share it.
    pub name: String,
    /// What to dial.
    pub endpoint: Endpoint,
    weight: AtomicU32,
    available: AtomicBool,
    pub(crate) load: Load,
    pub(crate) pool: Weak<Pool>,
}

impl Target {
    pub(crate) fn new(name: &str, endpoint: Endpoint, weight: u32, pool: Weak<Pool>) -> Self {
        Self {
            id: TargetId::new(name, &endpoint),
            name: name.to_owned(),
            endpoint,
            weight: AtomicU32::new(weight),
            available: AtomicBool::new(true),
            load: Load::default(),
            pool,
        }
    }

    /// Configured weight, at least 1.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Whether it takes new requests of its own right: not draining, ejected or unhealthy.
    pub fn is_available(&self) -> bool {
        self.available.load(Relaxed)
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u32 {
        self.load.in_flight()
    }

    pub(crate) fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Relaxed);
    }

    pub(crate) fn set_available(&self, available: bool) {
        self.available.store(available, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_written_and_read() {
        let endpoint = Endpoint::Tcp("127.0.0.1:3000".parse().unwrap());
        let id = TargetId::new("127.0.0.1:3000", &endpoint);
        assert_eq!(id.to_string().len(), 16);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, TargetId::new("localhost:3000", &endpoint));
    }
}
