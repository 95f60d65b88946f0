//! What one client leaves on a server that another gets next, where it is not plain to see or cannot be put back.

mod effects;
mod encodings;
mod literals;
mod refused;

use crate::support::pg_wire::Pg;
use crate::support::postgres::{Database, Pooler, Version};

/// A pool of one server, and two clients that take turns on it.
async fn turns(version: Version) -> (Database, Pooler, Pg, Pg) {
    let database = version.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let place = pooler.place(&database);
    let (first, second) = (Pg::login(&place).await, Pg::login(&place).await);
    (database, pooler, first, second)
}
