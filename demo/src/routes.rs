//! The handlers, one file per subject.

pub(crate) mod accounts;
pub(crate) mod cart;
pub(crate) mod catalogue;
pub(crate) mod checkout;
pub(crate) mod deal;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod operator;
pub(crate) mod prices;
pub(crate) mod recommendations;
pub(crate) mod report;
pub(crate) mod ticker;

use axum::http::HeaderName;

/// The tags of a response, for caches that can purge by tag.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
