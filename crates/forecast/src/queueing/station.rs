//! Waits at a station: how long, how likely, and at which load they are too long.

use super::QueueError;
use super::erlang::{check, erlang_c};
use super::waits::{finite, mean_variation, utilisation};
use crate::numbers::root_of_rising;

/// A station of equal servers with one queue, first come, first served.
///
/// Tails are conditional-exponential: a request must wait with Erlang's probability `C`, and if so, its wait is
/// exponential with the mean `(Ca² + Cs²)/2 · S/(c(1 - ρ))` (Allen and Cunneen; exact for M/M/c, close in heavy
/// traffic for others). With this mean all quantiles rise with load, so that they can be turned round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    servers: u32,
    service_s: f64,
    arrival_variation: f64,
    service_variation: f64,
}

impl Station {
    /// Poisson arrivals and exponential service of the given mean: M/M/c.
    ///
    /// # Errors
    /// No or too many servers, or a service time that is not above 0.
    pub fn new(servers: u32, service_s: f64) -> Result<Self, QueueError> {
        check(servers, service_s)?;
        // Times whose inverse is no number are no service times.
        if !(1e-150..1e150).contains(&service_s) {
            return Err(QueueError::Invalid);
        }
        Ok(Self { servers, service_s, arrival_variation: 1.0, service_variation: 1.0 })
    }

    /// With the measured squared coefficients of variation of the times between arrivals and of service times.
    ///
    /// # Errors
    /// Numbers that are negative or not finite.
    pub fn with_variation(self, arrivals: f64, service: f64) -> Result<Self, QueueError> {
        mean_variation(arrivals, service)?;
        Ok(Self { arrival_variation: arrivals, service_variation: service, ..self })
    }

    /// The arrival rate at which all servers are always busy.
    pub fn most_arrivals(&self) -> f64 {
        f64::from(self.servers) / self.service_s
    }

    /// `P(W > t)`.
    ///
    /// # Errors
    /// A bad rate or time, or an overloaded station.
    pub fn wait_exceeds(&self, arrivals: f64, time_s: f64) -> Result<f64, QueueError> {
        let tail = self.tail(arrivals)?;
        check(self.servers, time_s)?;
        Ok(tail.wait_exceeds(time_s))
    }

    /// The wait that only the share `1 - p` of requests exceeds.
    ///
    /// # Errors
    /// A bad rate, `p` outside 0 to 1 (1 excluded), or an overloaded station.
    pub fn wait_quantile_s(&self, arrivals: f64, p: f64) -> Result<f64, QueueError> {
        let tail = self.tail(arrivals)?;
        let beyond = beyond(p)?;
        if beyond >= tail.waits { Ok(0.0) } else { finite((tail.waits / beyond).ln() * tail.mean_s) }
    }

    /// The highest arrival rate at which the `p` quantile of the wait is within the target: bisection, since what exceeds
    /// the target rises with load.
    ///
    /// # Errors
    /// A bad target or `p`.
    pub fn arrivals_for_wait(&self, p: f64, target_s: f64) -> Result<f64, QueueError> {
        let beyond = beyond(p)?;
        check(self.servers, target_s)?;
        // An overloaded station exceeds any target.
        let exceeds = |arrivals: f64| self.wait_exceeds(arrivals, target_s).unwrap_or(1.0) > beyond;
        Ok(root_of_rising(0.0, self.most_arrivals(), |arrivals| if exceeds(arrivals) { 1.0 } else { -1.0 }))
    }

    fn tail(&self, arrivals: f64) -> Result<Tail, QueueError> {
        let share = utilisation(self.servers, arrivals, self.service_s)?;
        let waits = erlang_c(self.servers, share * f64::from(self.servers))?;
        let variation = mean_variation(self.arrival_variation, self.service_variation)?;
        let mean_s = variation * self.service_s / (f64::from(self.servers) * (1.0 - share));
        Ok(Tail { waits, mean_s: finite(mean_s)? })
    }
}

/// Who must wait, and how long on average.
struct Tail {
    waits: f64,
    mean_s: f64,
}

impl Tail {
    fn wait_exceeds(&self, time_s: f64) -> f64 {
        // Without any variation nobody waits.
        if self.mean_s > 0.0 { self.waits * (-time_s / self.mean_s).exp() } else { 0.0 }
    }
}

fn beyond(p: f64) -> Result<f64, QueueError> {
    if (0.0..1.0).contains(&p) { Ok(1.0 - p) } else { Err(QueueError::Invalid) }
}
