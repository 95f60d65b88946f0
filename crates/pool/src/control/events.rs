//! What administrators do that is worth telling.

use deepwater_core::event;

event! {
    /// An administrator gave a command that changes something.
    pub struct AdministratorCommanded { user: String, command: String }
    administrator_commanded: Info, "{command} command issued by {user}"
}

event! {
    /// The configuration could not be put in force.
    pub struct PoolReloadFailed { reason: String }
    pool_reload_failed: Error, "the configuration of the pool stays as it was: {reason}"
}

event! {
    /// Totals of the pool over the last period.
    pub struct PoolTotals { transactions: u64, queries: u64, received: u64, sent: u64, transaction_us: u64, query_us: u64, wait_us: u64 }
    pool_totals: Info, "stats: {transactions} xacts/s, {queries} queries/s, in {received} B/s, out {sent} B/s, xact {transaction_us} us, query {query_us} us, wait {wait_us} us"
}
