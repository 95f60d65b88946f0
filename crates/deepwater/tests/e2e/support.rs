//! What the stories are told with: origins that may misbehave, the real binary, and clients.

mod change;
mod deepwater;
mod h2;
mod load;
mod metrics;
mod origin;
pub mod pg_wire;
pub mod postgres;
mod tls;
pub mod tokens;
mod wire;

use std::time::Duration;

pub use change::{Successor, told_to_leave};
pub use deepwater::{Deepwater, Home, LISTEN, ROUTE, Run, UNWATCHED, pool, run};
pub use h2::{H2Client, H2Origin, read_all, request, send_all};
pub use load::{Load, Outcome};
pub use origin::{Answer, Origin, Visit, ok};
pub use tls::{Authority, Identity};
pub use wire::{Ending, Message, Wire};

/// Nothing in these tests takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
pub async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
