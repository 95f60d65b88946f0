//! The whole of Deepwater, driven from outside: the real binary, real sockets, real clients and origins.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what cannot go on has failed, and says how far it came"
)]

mod addresses;
mod auth;
mod balancing;
mod cache;
mod cache_commands;
mod commands;
mod demo;
mod documents;
mod drain;
mod files;
mod hostile;
mod http1;
mod http2;
mod hygiene;
mod idempotency;
mod lens;
mod origins;
mod out;
mod pgbouncer;
mod postgres;
mod rates;
mod reload;
mod resilience;
mod routing;
mod seeing;
mod shutdown;
mod support;
mod tcp;
mod tls;
mod upgrade;
