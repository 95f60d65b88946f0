//! What an administrator does to pools.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::ledger::Refusal;
use crate::pools::Pool;
use crate::shared::Shared;

/// What administrators have asked for.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    disabled: Mutex<HashSet<String>>,
}

impl Controls {
    /// Whether new clients of a database are refused.
    pub(crate) fn is_disabled(&self, database: &str) -> bool {
        self.disabled.lock().expect("no panic while controls are held").contains(database)
    }

    /// Ends all clients of a pool, and its server connections.
    pub(crate) fn kill_pool(&self, shared: &Shared, pool: &Arc<Pool>, why: &str) {
        pool.renew();
        shared.ledger.refuse_all(pool.id, &Refusal::Killed);
        for client in shared.clients.all() {
            let of_pool = client.database == pool.key.database;
            if of_pool {
                client.kill("57P01", why);
            }
        }
    }
}
