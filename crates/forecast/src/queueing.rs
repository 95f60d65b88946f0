//! Waits at one station of `c` equal servers, from its load: Erlang's formulas, and the load at which a wait passes its target.
//!
//! Loads are in erlangs (`a = λ·S`), rates per second, times seconds. `S` is the mean service time, `ρ = a/c`.

use std::fmt;

mod erlang;
mod station;
mod waits;

pub use erlang::{erlang_b, erlang_c};
pub use station::Station;

/// More servers than this are refused: time grows with their number.
pub const MOST_SERVERS: u32 = 100_000;

/// Why there is no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// A number is negative, not finite or (a time, a probability) out of its range.
    Invalid,
    /// There is no server, or there are more than [`MOST_SERVERS`].
    Servers,
    /// More comes than the servers can do: waits grow without end.
    Overloaded,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "a number is out of its range",
            Self::Servers => "the number of servers is 0 or too large",
            Self::Overloaded => "more comes than the servers can do",
        })
    }
}

impl std::error::Error for QueueError {}

#[cfg(test)]
mod tests;
