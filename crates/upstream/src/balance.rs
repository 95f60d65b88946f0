//! Balancers: one file each, one line each in the list below, one conformance suite for all.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rotation::Rotation;
use crate::target::TargetId;

mod consistent_hash;
mod draw;
mod ip_hash;
mod least;
mod least_connections;
mod least_response_time;
mod random;
mod rendezvous;
mod round_robin;
mod smooth;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod simulation;

/// What a balancer is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    /// Nanoseconds since the pool's epoch.
    pub(crate) now: u64,
    pub(crate) client: Option<IpAddr>,
    pub(crate) hash: Option<u64>,
    /// Targets already tried.
    pub(crate) avoid: &'a [TargetId],
}

impl Query<'_> {
    /// Whether the target at a position may be chosen.
    #[inline]
    pub(crate) fn allows(&self, rotation: &Rotation, position: usize) -> bool {
        self.avoid.is_empty() || !self.avoid.contains(&rotation.ids[position])
    }
}

/// One way to choose. Each core has an instance of its own; what they share is in the targets.
pub(crate) trait Balancer: Send {
    /// The rotation is another than before, or has other weights. May allocate.
    fn rebuild(&mut self, rotation: &Rotation);

    /// A position in the rotation last given to [`Balancer::rebuild`]; `None` only if the query allows
    /// none of them. Must not allocate.
    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize>;
}

/// The one list: names, documentation and constructors come from here. A balancer's name is its module's.
macro_rules! balancers {
    ($($(#[doc = $doc:literal])+ $variant:ident in $name:ident;)+) => {
        /// How the next target is chosen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Balance {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Balance {
            /// Every balancer, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in the configuration and the console.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)+ }
            }

            /// What it does, in a few sentences.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// A balancer whose choices follow from the seed, the rotation, the queries and the loads.
            pub(crate) fn build(self, seed: u64) -> Box<dyn Balancer> {
                match self { $(Self::$variant => Box::new($name::$variant::new(seed)),)+ }
            }
        }
    };
}

balancers! {
    /// Each target in turn, in proportion to its weight and evenly interleaved (smooth weighted round robin).
    RoundRobin in round_robin;
    /// The target with the fewest requests in flight for its weight; ties in turn.
    LeastConnections in least_connections;
    /// The target expected to answer first: recent latency (peak EWMA, 10 s) and requests in flight. Targets
    /// that are about equal take turns, and every target is tried at least about once a second.
    LeastResponseTime in least_response_time;
    /// The same target for the same client address (IPv6: the same /64), as long as it is there.
    IpHash in ip_hash;
    /// The same target for the same key, as long as it is there and has at most 1.25 times its share of the
    /// load; then the key's next one. A target that comes or goes moves only its own keys.
    ConsistentHash in consistent_hash;
    /// The less loaded of two targets drawn at random.
    Random in random;
}

/// The first of the list.
impl Default for Balance {
    fn default() -> Self {
        Self::ALL[0]
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use deepwater_core::config::{Document, undocumented};

    use super::*;
    use crate::{HealthCheck, Outlier};

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        /// How to choose.
        balance: Balance,
        /// When to check.
        health: HealthCheck,
        /// When to eject.
        outlier: Outlier,
    }

    #[test]
    fn settings_are_documented_and_have_defaults() {
        assert_eq!(undocumented::<Settings>(), Vec::<String>::new());
        let text = "balance = \"ip_hash\"\nhealth.every = \"5s\"\noutlier.max_ejected = \"20%\"";
        let settings: Settings = Document::parse(text, "test.toml").unwrap().decode().unwrap();
        assert_eq!(settings.balance, Balance::IpHash);
        assert_eq!(settings.health.timeout, HealthCheck::default().timeout);
    }

    #[test]
    fn a_misspelt_balancer_is_told_the_right_name() {
        let document = Document::parse("balance = \"round-robin\"", "test.toml").unwrap();
        let problems = document.decode::<Settings>().unwrap_err().to_string();
        assert!(problems.contains("round_robin"), "{problems}");
    }

    #[test]
    fn the_configuration_uses_the_names_of_the_list() {
        for balance in Balance::ALL {
            assert_eq!(serde_json::to_value(balance).unwrap(), balance.name());
            assert!(balance.description().ends_with('.'), "{}", balance.description());
        }
    }
}
