//! Who may pass: JSON Web Tokens, Basic authentication, lists of addresses.
//!
//! The crate decides and opens no socket: time, bytes of a key set and header fields come in, verdicts go out. The edge
//! fetches key sets and runs slow jobs where they delay nobody.
//!
//! - a token is read strictly ([`Token`]), verified with keys that are bound to their algorithms ([`KeySet`]) and judged
//!   by a [`Policy`]; [`TokenCache`] remembers those that held;
//! - [`Claims`] go to the origin as headers and to limits as keys;
//! - [`BasicCache`] checks names and passwords against [`Users`], [`AddressList`] says which addresses pass;
//! - [`Auth`] is what a user writes, [`Plan`] what it means.

mod addresses;
mod algorithm;
mod base64url;
mod basic;
mod cache;
mod claims;
mod config;
mod digest;
mod json;
mod jwt;
mod key;
mod keys;
mod place;
mod plan;
mod recent;
mod refusal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verify;

pub use addresses::AddressList;
pub use algorithm::{Algorithm, Algorithms};
#[doc(hidden)]
pub use basic::read_credentials;
pub use basic::{BasicCache, BasicRefusal, Checked, HashFault, Job, Outcome, UserFault, Users};
pub use cache::{TokenCache, TokenCounts};
pub use claims::{ClaimPath, Claims, Requirements};
pub use config::{Addresses, Auth, ClaimRule, Contains, OneOrMany, Passwords, Scalar};
pub use json::JsonFault;
pub use jwt::Token;
pub use key::{Key, KeyFault};
pub use keys::{JwksFrom, KeySet, KeySetFault, Skipped};
pub use place::{TokenPlace, bearer, cookie, query};
pub use plan::{
    BasicPlan, FetchedKeys, Freshness, KeySource, Method, Plan, TokenPlan, addresses, requirements,
};
pub use refusal::Refusal;
pub use verify::Policy;
