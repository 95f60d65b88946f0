//! How large a pool may be.

use std::time::Duration;

/// Limits of one pool, and of the totals it shares. 0 means no limit where one says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections.
    pub size: usize,
    /// Connections kept when idle.
    pub min: usize,
    /// Further connections once the first in the queue has waited `reserve_after`.
    pub reserve: usize,
    /// See `reserve`.
    pub reserve_after: Duration,
    /// Connections being opened at the same time.
    pub max_connecting: usize,
    /// Clients in the queue; 0 for no limit.
    pub max_waiting: usize,
    /// Longest wait; zero for no limit.
    pub max_wait: Duration,
    /// How long a failure to connect is told to those who come, before it is tried again.
    pub retry_after: Duration,
    /// Those who have logged in and wait go on doing so when connecting fails.
    pub patient: bool,
    /// Connections to the database, all pools together; 0 for no limit.
    pub database: usize,
    /// Connections of the user, all pools together; 0 for no limit.
    pub user: usize,
    /// Hand out the connection used longest ago.
    pub round_robin: bool,
}
