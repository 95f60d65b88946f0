//! Erlang's loss and delay formulas (A. K. Erlang, 1917).

use super::{MOST_SERVERS, QueueError};

/// The probability that all servers are busy where nobody waits (M/G/c/c), for the offered load in erlangs. By the
/// recursion over the servers, all of whose values are between 0 and 1.
///
/// # Errors
/// A load that is negative or not finite; no servers, or too many.
pub fn erlang_b(servers: u32, load: f64) -> Result<f64, QueueError> {
    check(servers, load)?;
    let next = |blocked: f64, server: u32| {
        let busy = load * blocked;
        busy / (f64::from(server) + busy)
    };
    Ok((1..=servers).fold(1.0, next))
}

/// The probability that a request must wait (M/M/c), for the offered load in erlangs; 1 from the load on at which
/// all servers are always busy.
///
/// # Errors
/// Those of [`erlang_b`].
pub fn erlang_c(servers: u32, load: f64) -> Result<f64, QueueError> {
    let blocked = erlang_b(servers, load)?;
    let share = load / f64::from(servers);
    if share >= 1.0 {
        return Ok(1.0);
    }
    // 1 - ρ(1 - B), written so that nothing is lost as ρ nears 1.
    Ok((blocked / ((1.0 - share) + share * blocked)).min(1.0))
}

pub(super) fn check(servers: u32, load: f64) -> Result<(), QueueError> {
    if servers == 0 || servers > MOST_SERVERS {
        return Err(QueueError::Servers);
    }
    if (0.0..f64::INFINITY).contains(&load) { Ok(()) } else { Err(QueueError::Invalid) }
}
