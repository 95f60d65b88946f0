//! The seams and the vocabulary every plane shares: configuration, context, events, metrics, status,
//! administration and shutdown. Small and stable; it knows no plane and opens no socket.

mod admin;
pub mod ask;
pub mod clock;
pub mod config;
mod context;
mod error;
pub mod event;
pub mod handover;
pub mod metrics;
pub mod random;
pub mod shutdown;

pub use admin::{Call, Endpoint, Reply};
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::Context;
pub use error::Blame;
pub use event::{Event, Events, Level};
pub use handover::Handover;
pub use shutdown::Shutdown;
