//! The rules of a shared HTTP cache (RFC 9111) as pure functions: no clock, no store, no sockets.
//!
//! Times are Unix time in milliseconds unless a name says otherwise. What the RFCs leave open is decided for
//! storing and reusing more where that is safe; each such choice is written where it is made.

mod conditional;
pub mod control;
pub mod date;
mod entity_tag;
mod excluded;
mod fields;
mod freshen;
pub mod freshness;
mod invalidation;
mod key;
mod list;
mod meta;
pub mod multipart;
mod policy;
mod range;
pub mod ranges;
mod refusal;
mod reuse;
pub mod status;
mod storing;
pub mod structured;
pub mod surrogate;
mod uri;
mod validators;
mod vary;

#[cfg(test)]
mod testing;

pub use conditional::{Outcome, evaluate, in_not_modified, is_conditional, not_modified};
pub use entity_tag::{EntityTag, entity_tags};
pub use excluded::{Excluded, is_digest};
pub use fields::{Fields, Request, Response, Times};
pub use freshen::{HeadEffect, freshen, head, validates};
pub use invalidation::{Invalid, Target, invalidated, is_safe};
pub use key::{KeyOptions, KeyParts, write_key};
pub use meta::{Flags, Freshness, Meta};
pub use policy::{Cookies, Early, Policy, SetCookie};
pub use range::{
    ByteRange, ContentRange, Selection, Wanted, parse_ranges, requested, select, write_unsatisfied,
};
pub use refusal::NotStored;
pub use reuse::{Reuse, is_error, reuse, wants_only_cached};
pub use storing::{Part, Storable, has_content, store, update};
pub use validators::{Revalidation, Validators, revalidation};
pub use vary::Vary;
