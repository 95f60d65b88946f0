//! Choose, check, eject: which of several servers gets the next request.
//!
//! The crate is blind to protocols. It hands out a [`Lease`] on a [`Target`] and is told the [`Outcome`];
//! whoever speaks the protocol supplies the [`Probe`] for active checks. The HTTP edge uses it today, the
//! pool of PostgreSQL replicas will.
//!
//! Two halves that meet in one immutable snapshot:
//! - the *control* half ([`Pool`]) takes in checks, failures, drains, names and reloads under a lock, and
//!   publishes a new rotation whenever the set of targets to choose from, or a weight, has changed;
//! - the *hot* half ([`Picker`], one per core) compares a version, asks its balancer for a position in the
//!   rotation, and counts. It takes no lock and allocates nothing while the rotation stands.
//!
//! Around them stand guards, each a thing of its own that all cores share. A pass through one costs a few
//! atomic operations while nothing is wrong, and all are told the time, as nanoseconds since any epoch:
//! - a [`CircuitBreaker`] for a target or a pool stops sending after too many failures or slow answers, and
//!   tries again with a few probes;
//! - a [`RetryBudget`] keeps retries to a share of the requests, and [`Backoff`] spreads them;
//! - a [`Gate`] limits the requests in flight, by a fixed number or one that follows latency
//!   ([`Concurrency`]), with a bounded [`WaitingRoom`] in front;
//! - a [`RateLimiter`] gives each of many keys a token bucket.

mod address;
mod backoff;
mod balance;
mod breaker;
mod budget;
mod event;
mod gate;
mod hash;
mod health;
mod lease;
mod limit;
mod load;
mod log_mean;
mod outlier;
mod picker;
mod pool;
mod probe;
mod ramp;
mod rate;
mod resolve;
mod rotation;
mod status;
mod target;
mod window;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod testing;

pub use address::{Address, AddressError, Endpoint};
pub use backoff::Backoff;
pub use balance::Balance;
pub use breaker::{Breaker, BreakerState, Change, CircuitBreaker, OnChange, Open, Pass, ProbePass, Verdict};
pub use budget::{Budget, RetryBudget};
pub use gate::{Entered, Gate, GateStatus, Permit, Priority, Shed, Ticket, WaitingRoom};
pub use hash::hash_bytes;
pub use health::HealthCheck;
pub use lease::{Chosen, FailureKind, Lease, Outcome};
pub use limit::{Concurrency, Limit};
pub use outlier::Outlier;
pub use picker::{Ask, Picker};
pub use pool::{Pool, PoolSpec, TargetSpec};
pub use probe::{Probe, ProbeFuture, Report, TcpProbe};
pub use rate::{Rate, RateLimiter, Taken};
pub use resolve::{Resolve, ResolveError, ResolveFuture, Resolved, SystemResolver};
pub use status::{CheckStatus, NameStatus, PoolStatus, State, TargetStatus};
pub use target::{Target, TargetId};
