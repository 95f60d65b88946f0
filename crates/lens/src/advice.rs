//! What to do about what is seen: one rule for each technique, each in a file of its own.
//!
//! A rule looks at the measurements and says either what to switch on, with the gain it computes, its price and the lines
//! that do it, or why there is no need. Most of the time there is none: that is an answer, too. The [`ledger`] keeps what
//! was dismissed, and compares what was predicted with what came of it.

mod asynchronous;
mod auto_prepare;
mod autoscaling;
mod cache;
mod cache_tiers;
mod concurrency;
mod cqrs;
mod databases;
mod descriptors;
mod disk;
mod ease;
mod edge_auth;
mod edge_computing;
mod instances;
mod ledger;
mod lines;
mod locks;
mod memory;
mod network;
mod partitioning;
mod pool_size;
mod pool_sum;
mod pooling;
mod pooling_mode;
mod replica_lag;
mod replicas;
mod stampede;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::cliffs::{self, Cliff, Cliffs, Evidence, Kind, Level};
use crate::picture::Picture;
use crate::signal::{self, Signal};

pub use ledger::{Applied, Dismissed, Page, Row};
pub(crate) use ledger::{Ledger, Memory};
pub use lines::Lines;

/// All rules. The order is that of the page where cliffs do not decide: what gains most for the least price comes first.
const RULES: [&dyn Rule; 23] = [
    &cache::Cache,
    &stampede::Stampede,
    &pool_size::PoolSize,
    &pool_sum::PoolSum,
    &pooling_mode::PoolingMode,
    &pooling::Pooling,
    &locks::Locks,
    &instances::Instances,
    &memory::Memory,
    &concurrency::Concurrency,
    &descriptors::Descriptors,
    &disk::Disk,
    &network::Network,
    &edge_auth::EdgeAuth,
    &cache_tiers::CacheTiers,
    &asynchronous::Asynchronous,
    &auto_prepare::AutoPrepare,
    &replicas::Replicas,
    &replica_lag::ReplicaLag,
    &autoscaling::Autoscaling,
    &partitioning::Partitioning,
    &edge_computing::EdgeComputing,
    &cqrs::Cqrs,
];

/// Advises one technique.
trait Rule: Sync {
    /// The technique, as in `pool_size`.
    fn technique(&self) -> &'static str;
    /// What the measurements say about it.
    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict;
}

/// What a rule says.
#[derive(Debug)]
enum Verdict {
    /// Do it, here.
    Advise(Vec<Advice>),
    /// There is no need, and why.
    NoNeed(String),
    /// It cannot be told: what is missing.
    CannotTell(String),
}

impl Verdict {
    /// Of what was found, what could not be told and why there is no need, the first that there is.
    fn of(found: Vec<Advice>, missing: &[String], no_need: impl FnOnce() -> String) -> Self {
        match (found.is_empty(), missing.is_empty()) {
            (false, _) => Self::Advise(found),
            (true, false) => Self::CannotTell(missing.join("; ")),
            (true, true) => Self::NoNeed(no_need()),
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// Its name: technique and what it is applied to.
    pub id: String,
    /// The technique.
    pub technique: &'static str,
    /// In a few words.
    pub title: String,
    /// Why, in a sentence.
    pub why: String,
    /// The cliff it moves, if it is for one.
    pub cliff: Option<String>,
    /// What it brings.
    pub gain: Gain,
    /// What it costs.
    pub price: Price,
    /// Lines of the configuration that switch it on; none where Deepwater cannot do it.
    pub lines: Option<String>,
    /// How to do it without those lines.
    pub elsewhere: Option<String>,
    /// What it follows from.
    pub evidence: Vec<Evidence>,
    /// Whether it is in force; not shown.
    #[serde(skip)]
    pub(crate) done: Done,
}

/// What it brings: a figure as it is, and as it will be where that can be computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// In a sentence.
    pub text: String,
    /// Now; none when it is not measured.
    pub from: Option<f64>,
    /// Then; none when it cannot be computed.
    pub to: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// Where the figure is measured again afterwards.
    #[serde(skip)]
    pub(crate) measured: Measured,
}

/// A figure that is measured before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measured {
    /// The load at which a cliff is reached.
    Knee(String),
    /// A signal, by name and label: the mean of a minute.
    Signal(#[serde(with = "signal::by_name")] &'static Signal, String),
    /// The same of what grows with the load: as it would be at the load at which it was measured before.
    AtLoad(#[serde(with = "signal::by_name")] &'static Signal, String, Option<f64>),
    /// The sum over some labels of a signal, so many times.
    Sum(#[serde(with = "signal::by_name")] &'static Signal, Vec<String>, f64),
}

/// What it costs, in the user's terms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// What there is more to understand.
    pub complexity: &'static str,
    /// How old what users see may be.
    pub staleness: &'static str,
    /// What is to be paid.
    pub money: &'static str,
    /// What there is more to look after.
    pub operations: &'static str,
}

/// How it is seen in the configuration that advice was followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    /// The pool of a database has at least so many connections.
    PoolSize { database: String, least: usize },
    /// A pool of targets has a limit on requests at once.
    Limited { application: String },
    /// A pool of targets has at least so many targets.
    Targets { application: String, least: usize },
    /// A route caches.
    Cached { route: String },
    /// A database's clients share server connections.
    Shared { database: String },
    /// What comes again in a database is prepared once.
    AutoPrepares { database: String },
    /// Each pool of a database has at most so many connections.
    PoolSizeWithin { database: String, most: usize },
    /// Requests on a route that caches share fetches.
    Coalesces { route: String },
    /// The cache has at least so much memory.
    CacheBytes { least: f64 },
    /// A route asks for a proof of identity.
    Authenticated { route: String },
    /// It does not show there.
    NotSeen,
}

impl Measured {
    /// What grows with the load, at the load of now.
    fn at_load(picture: &Picture<'_>, signal: &'static Signal, label: &str) -> Self {
        Self::AtLoad(signal, label.to_owned(), picture.minute(&signal::REQUESTS, ""))
    }
}

impl Done {
    fn is_in_force(&self, facts: &crate::facts::Facts) -> bool {
        match self {
            Self::PoolSize { database, least } => {
                facts.databases.iter().any(|known| known.name == *database && known.pool_size >= *least)
            }
            Self::Limited { application } => {
                facts.applications.iter().any(|known| known.name == *application && known.limited)
            }
            Self::Targets { application, least } => facts
                .applications
                .iter()
                .any(|known| known.name == *application && known.targets.len() >= *least),
            Self::Cached { route } => facts.routes.iter().any(|known| known.name == *route && known.cached),
            Self::Shared { database } => {
                facts.databases.iter().any(|known| known.name == *database && known.mode != "session")
            }
            Self::AutoPrepares { database } => {
                facts.databases.iter().any(|known| known.name == *database && known.auto_prepare)
            }
            Self::PoolSizeWithin { database, most } => {
                facts.databases.iter().any(|known| known.name == *database && known.pool_size <= *most)
            }
            Self::Coalesces { route } => {
                facts.routes.iter().any(|known| known.name == *route && known.coalesces)
            }
            Self::CacheBytes { least } => facts.cache_bytes >= *least,
            Self::Authenticated { route } => {
                facts.routes.iter().any(|known| known.name == *route && known.authenticated)
            }
            Self::NotSeen => false,
        }
    }
}

/// A technique that is not advised, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Considered {
    /// The technique.
    pub technique: &'static str,
    /// `no_need` or `cannot_tell`.
    pub verdict: &'static str,
    /// Why, or what is missing.
    pub why: String,
}

/// All that is advised and all that is not, the most pressing first.
pub(crate) fn look(picture: &Picture<'_>, cliffs: &Cliffs) -> (Vec<Advice>, Vec<Considered>) {
    let (mut advice, mut considered) = (Vec::new(), Vec::new());
    for rule in RULES {
        let technique = rule.technique();
        match rule.look(picture, cliffs) {
            Verdict::Advise(found) => advice.extend(found),
            Verdict::NoNeed(why) => considered.push(Considered { technique, verdict: "no_need", why }),
            Verdict::CannotTell(why) => {
                considered.push(Considered { technique, verdict: "cannot_tell", why });
            }
        }
    }
    // What is no answer to what is broken waits.
    if let Some(broken) = cliffs::broken(picture) {
        let (first, later) = advice.into_iter().partition(|advice: &Advice| advice.cliff.is_some());
        advice = first;
        considered.extend(later.into_iter().map(|advice| Considered {
            technique: advice.technique,
            verdict: "cannot_tell",
            why: format!("first things first: {}", broken.text),
        }));
    }
    // The order of the cliffs is by how near they are.
    let place = |advice: &Advice| {
        let of = |id: &String| cliffs.cliffs.iter().position(|cliff| cliff.id == *id);
        advice.cliff.as_ref().and_then(of).unwrap_or(usize::MAX)
    };
    advice.sort_by_key(place);
    (advice, considered)
}

/// Cliffs of a kind that are worth doing something about.
fn worrying(cliffs: &Cliffs, kind: Kind) -> impl Iterator<Item = &Cliff> {
    cliffs.cliffs.iter().filter(move |cliff| cliff.kind == kind && cliff.level >= Level::Watch)
}

/// Reads the last minute of a signal, for evidence; none when it is not known.
fn evidence(
    picture: &Picture<'_>,
    signal: &'static Signal,
    label: &str,
    text: impl FnOnce(f64) -> String,
) -> Option<Evidence> {
    picture.minute(signal, label).map(|value| Evidence::of(signal, label, value, text))
}

/// The cliff of a server's connections, if it is near.
fn connections(cliffs: &Cliffs, database: &str) -> Option<String> {
    worrying(cliffs, Kind::Connections).find(|cliff| cliff.resource == database).map(|cliff| cliff.id.clone())
}

/// Cliffs that cannot be told yet, but those of which so little is in use that it does not matter.
fn untold(cliffs: &Cliffs) -> impl Iterator<Item = &Cliff> {
    let small = |cliff: &Cliff| cliff.used.zip(cliff.limit).is_some_and(|(used, limit)| used < limit / 2.0);
    cliffs.cliffs.iter().filter(move |cliff| cliff.level == Level::Unknown && !small(cliff))
}

/// What cannot be told yet of cliffs of a kind.
fn unsure(cliffs: &Cliffs, kind: Kind) -> Vec<String> {
    untold(cliffs).filter(|cliff| cliff.kind == kind).map(|cliff| cliff.text.clone()).collect()
}

/// Share of the busy cores from which they are the application's.
const MATTERS: f64 = 0.3;

/// Whether an application takes a part of the machine's busy cores that matters; none when it is not known.
fn uses_machine(picture: &Picture<'_>, application: &str) -> Option<bool> {
    let busy = picture.minute(&signal::CPU_BUSY, "")?;
    Some(picture.minute(&signal::APP_CPU, application)? >= MATTERS * busy)
}
