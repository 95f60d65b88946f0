//! Idempotency keys: a request that is repeated with its key is done once, and each repeat gets the answer of the first
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! [`Asking`] reads a request whole, finds its key in the store ([`KeyStore`], on each core a [`Keeper`]) and says what
//! becomes of it. What is new is done by a task of its own that holds the key ([`Attempt`]), records the answer and
//! stores it ([`Recorder`]), while the client gets it as it comes ([`Tap`]): the client may leave, its retry finds the
//! answer.
//!
//! - Nothing is sent before the store knows ([`Attempt::sending`]). A process that dies earlier leaves a key that is free
//!   once its lease ends; one that dies later leaves a key of unknown outcome.
//! - An answer is whole for its client only when it is stored.
//! - An answer is kept if it came whole from an origin, is of a status that is kept, and is not too large.

mod admit;
pub(crate) mod answer;
mod attempt;
mod body;
mod buffers;
mod digest;
mod keeper;
mod key;
mod measure;
mod pipe;
mod plan;
mod problem;
mod recorder;
mod replay;
mod scope;
mod store;
mod subject;
mod tap;
#[cfg(test)]
mod tests;

pub(crate) use admit::{Admission, Asking};
pub(crate) use attempt::Attempt;
pub(crate) use body::Buffered;
pub(crate) use keeper::{Keeper, KeyStore};
pub use key::{Key, KeyFault};
pub(crate) use measure::{KeyMetrics, show};
pub(crate) use plan::KeyPlan;
pub(crate) use problem::Problem;
pub(crate) use recorder::Recorder;
pub(crate) use replay::replay;
pub(crate) use subject::Verified;
pub(crate) use tap::Passed;
#[cfg(test)]
pub(crate) use tap::Tap;
