//! The edge: HTTP and TCP in front of an application.
//!
//! A connection is accepted on a core and stays there ([`listener`]). Its requests are read ([`downstream`],
//! [`http1`]), routed ([`route`]), passed to a target ([`exchange`], [`origin`]) and answered, body by body
//! ([`body`]).

mod access_log;
mod body;
mod breakers;
mod cache;
pub mod config;
mod downstream;
mod exchange;
mod failure;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
pub mod head;
mod hostile;
pub mod http1;
mod hygiene;
pub mod idempotency;
mod io;
mod listener;
mod measure;
mod origin;
mod peer;
mod plan;
mod plane;
mod probe;
pub mod proxy_protocol;
mod repeats;
pub mod route;
mod sticky;
mod tls;
mod tunnel;
pub mod websocket;
mod worker;

pub use config::{Config, Pools};
pub use plane::{Handle, StartError, start, validate};
