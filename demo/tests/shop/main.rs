//! The shop over real sockets, as its customers meet it.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod accounts;
mod cart;
mod catalogue;
mod checkout;
mod client;
mod load;
mod operator;
mod shutdown;
mod static_content;
mod ticker;
