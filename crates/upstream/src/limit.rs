//! How many requests may be in flight: one file for each way, one line each in the list below, one
//! conformance suite for all.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod calm;
mod fixed;
mod floor;
mod gradient;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod simulation;

/// A request that ended. Times are nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) now: u64,
    /// Since it was admitted; waiting for that does not count.
    pub(crate) latency: u64,
    /// How many were in flight with it, itself among them.
    pub(crate) in_flight: u32,
    /// It got no proper answer: it would have taken at least that long.
    pub(crate) dropped: bool,
}

/// One way to find the limit. Shared by every core.
pub(crate) trait Limiter: Send + Sync + fmt::Debug {
    /// The limit to begin with.
    fn initial(&self) -> u32;

    /// Takes a sample; the new limit when it is another than before. Must not wait.
    fn observe(&self, sample: &Sample) -> Option<u32>;
}

/// The one list: names, documentation and constructors come from here. A limit's name is its module's.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $variant:ident in $name:ident;)+) => {
        /// How the number of requests in flight is limited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Limit {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Limit {
            /// Every limit, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in the configuration and the console.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)+ }
            }

            /// What it does, in a few sentences.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            fn build(self, settings: &Concurrency, seed: u64) -> Box<dyn Limiter> {
                match self { $(Self::$variant => Box::new($name::$variant::new(settings, seed)),)+ }
            }
        }
    };
}

limits! {
    /// As many as `max` says.
    Fixed in fixed;
    /// As many as are served without queueing, and a few more: the limit follows how the latency of admitted
    /// requests compares with its floor of the last minute.
    Gradient in gradient;
}

/// The first of the list.
impl Default for Limit {
    fn default() -> Self {
        Self::ALL[0]
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many requests may be in flight at a pool. There is no limit unless configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Concurrency {
    /// How the limit is found.
    pub limit: Limit,
    /// The limit, in requests, where it is fixed; the highest elsewhere.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// The lowest an adaptive limit goes, in requests.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// Where an adaptive limit begins, in requests.
    #[schemars(range(min = 1))]
    pub initial: u32,
    /// How many times its floor the latency may be before an adaptive limit goes down.
    #[schemars(range(min = 1.0))]
    pub tolerance: f64,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { limit: Limit::default(), max: 1_024, min: 4, initial: 20, tolerance: 1.25 }
    }
}

impl Concurrency {
    pub(crate) fn build(&self, seed: u64) -> Box<dyn Limiter> {
        self.limit.build(self, seed)
    }
}
