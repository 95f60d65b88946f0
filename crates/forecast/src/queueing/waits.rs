//! Mean waits.

use super::QueueError;
use super::erlang::{check, erlang_c};

/// The mean wait of M/M/c, in the unit of the service time: `C·S/(c(1 - ρ))`. Exact for Poisson arrivals and
/// exponential service.
///
/// # Errors
/// Bad numbers, and [`QueueError::Overloaded`] from `ρ` = 1 on.
pub fn mean_wait_mmc(servers: u32, arrivals: f64, service_s: f64) -> Result<f64, QueueError> {
    let share = utilisation(servers, arrivals, service_s)?;
    let waits = erlang_c(servers, share * f64::from(servers))?;
    finite(waits * service_s / (f64::from(servers) * (1.0 - share)))
}

/// The mean wait of G/G/c (Sakasegawa, 1977): `(Ca² + Cs²)/2 · ρ^(√(2(c+1)) - 1)/(c(1 - ρ)) · S`, with the squared
/// coefficients of variation of the times between arrivals and of the service times (1 and 1 for M/M/c).
/// Within a few percent where waits matter; too high where they are rare.
///
/// # Errors
/// Bad numbers, and [`QueueError::Overloaded`] from `ρ` = 1 on.
pub fn mean_wait_sakasegawa(
    servers: u32,
    arrivals: f64,
    service_s: f64,
    arrival_variation: f64,
    service_variation: f64,
) -> Result<f64, QueueError> {
    let share = utilisation(servers, arrivals, service_s)?;
    let variation = mean_variation(arrival_variation, service_variation)?;
    let servers = f64::from(servers);
    let exponent = (2.0 * (servers + 1.0)).sqrt() - 1.0;
    finite(variation * share.powf(exponent) / (servers * (1.0 - share)) * service_s)
}

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
