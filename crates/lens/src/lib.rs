//! The lens: what a person sees of Deepwater, and what it sees.
//!
//! It measures once a second ([`signal`], [`store`]), says which scalability cliff is next and at what load ([`cliffs`]), and
//! shows all of it: the [`console`] is the dashboard, the administration API and the metrics. It knows no plane: planes hand
//! it [`Endpoint`](deepwater_core::Endpoint)s, and register the metrics that it reads.

pub mod advice;
pub mod cliffs;
mod config;
pub mod console;
mod facts;
pub mod out;
mod picture;
mod plane;
pub mod signal;
mod sources;
pub mod store;

pub use config::{Config, Limits, System};
pub use facts::{Application, Database, FactSource, Facts, Listener, Protocol, Route};
pub use plane::{Lens, Ports, start};
pub use sources::Unknown;
