//! The HTTP cache without its sockets: decisions, stores, coalescing, tags.

pub mod flight;
pub mod purge;
pub mod replay;
pub mod rules;
pub mod store;
