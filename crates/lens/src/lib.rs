//! The lens: what a person sees of Deepwater. For now the [`console`]: dashboard, administration API and
//! metrics. It knows no plane; planes hand it [`Endpoint`](deepwater_core::Endpoint)s and status sources.

pub mod console;

pub use console::{Build, Config, Handle, Listen, Ports, Readiness, StartError, StatusSource, start};
