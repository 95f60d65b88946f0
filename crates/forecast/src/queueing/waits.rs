//! What waits are made of.

use super::QueueError;
use super::erlang::check;

/// `ρ`, below 1.
pub(super) fn utilisation(servers: u32, arrivals: f64, service_s: f64) -> Result<f64, QueueError> {
    check(servers, arrivals)?;
    check(servers, service_s)?;
    let share = arrivals * service_s / f64::from(servers);
    if share < 1.0 { Ok(share) } else { Err(QueueError::Overloaded) }
}

/// `(Ca² + Cs²)/2`.
pub(super) fn mean_variation(arrivals: f64, service: f64) -> Result<f64, QueueError> {
    let sound = |value: f64| (0.0..f64::INFINITY).contains(&value);
    if sound(arrivals) && sound(service) {
        finite(arrivals / 2.0 + service / 2.0)
    } else {
        Err(QueueError::Invalid)
    }
}

/// Waits beyond the range of numbers are as good as endless.
pub(super) fn finite(wait: f64) -> Result<f64, QueueError> {
    if wait.is_finite() { Ok(wait) } else { Err(QueueError::Overloaded) }
}
