//! What holds for any system, with no fit and no assumption about distributions: operational laws (Denning and
//! Buzen, *The Operational Analysis of Queueing Network Models*, 1978) and the asymptotic bounds of closed systems
//! (Menascé, Almeida and Dowdy, *Performance by Design*, 2004, chapter 3).
//!
//! Times are seconds, throughputs are per second. What is negative, not finite or divided by 0 gives `None`.

/// Little's law: the mean number of requests in a system that each spend `time_s` in it, `N = X·R`.
pub fn in_system(throughput: f64, time_s: f64) -> Option<f64> {
    sound(sound(throughput)? * sound(time_s)?)
}

/// Little's law the other way round: the mean time in a system, `R = N/X`.
pub fn time_in_system(number: f64, throughput: f64) -> Option<f64> {
    sound(sound(number)? / sound(throughput)?)
}

/// The utilisation law: the mean number of busy servers, `U = X·D`, for a service demand `D` in seconds.
pub fn busy(throughput: f64, demand_s: f64) -> Option<f64> {
    in_system(throughput, demand_s)
}

/// The throughput at which `servers` are always busy, `X = c/D`.
pub fn most_throughput(servers: f64, demand_s: f64) -> Option<f64> {
    sound(sound(servers)? / sound(demand_s)?)
}

/// A closed system: so many users who each think, then wait for their request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closed {
    /// `R0`, the time of a request that meets no other: the sum of all demands.
    alone_s: f64,
    /// `D_max`, the demand at the bottleneck.
    bottleneck_s: f64,
    /// `Z`.
    think_s: f64,
}

impl Closed {
    /// A system of stations with one server each, by their service demands. `None` without a demand above 0.
    pub fn new(demands_s: &[f64], think_s: f64) -> Option<Self> {
        let mut closed = Self { alone_s: 0.0, bottleneck_s: 0.0, think_s: sound(think_s)? };
        for demand in demands_s {
            closed.alone_s += sound(*demand)?;
            closed.bottleneck_s = closed.bottleneck_s.max(*demand);
        }
        let cycle = sound(closed.alone_s + think_s)?;
        // Smaller ones have no finite inverse.
        (closed.bottleneck_s >= f64::MIN_POSITIVE && cycle > 0.0).then_some(closed)
    }

    /// `1/D_max`: no more comes through, however many users there are.
    pub fn most_throughput(&self) -> f64 {
        1.0 / self.bottleneck_s
    }

    /// `X(N) ≤ min(N/(R0 + Z), 1/D_max)`; `None` for a number of users that is negative or not finite.
    pub fn throughput_at_most(&self, users: f64) -> Option<f64> {
        Some((sound(users)? / (self.alone_s + self.think_s)).min(self.most_throughput()))
    }

    /// `R(N) ≥ max(R0, N·D_max - Z)`, seconds.
    pub fn response_at_least(&self, users: f64) -> Option<f64> {
        sound((sound(users)? * self.bottleneck_s - self.think_s).max(self.alone_s))
    }

    /// `N* = (R0 + Z)/D_max`: with more users than this, some must wait.
    pub fn knee_users(&self) -> Option<f64> {
        sound((self.alone_s + self.think_s) / self.bottleneck_s)
    }
}

fn sound(value: f64) -> Option<f64> {
    (0.0..f64::INFINITY).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn the_textbook_server() {
        // Menascé, Almeida and Dowdy, example 3.3: 7.04 transactions a second.
        let closed = Closed::new(&[0.092, 0.079, 0.108, 0.142], 0.0).unwrap();
        assert_near(closed.most_throughput(), 7.04, 1e-3);
        assert_near(closed.knee_users().unwrap(), 0.421 / 0.142, 1e-12);
        assert_near(closed.throughput_at_most(2.0).unwrap(), 2.0 / 0.421, 1e-12);
        assert_near(closed.throughput_at_most(100.0).unwrap(), 1.0 / 0.142, 1e-12);
        assert_near(closed.response_at_least(1.0).unwrap(), 0.421, 1e-12);
        assert_near(closed.response_at_least(100.0).unwrap(), 14.2, 1e-12);
        assert_eq!(Closed::new(&[0.02], 0.18).unwrap().knee_users().map(f64::round), Some(10.0));
    }

    #[test]
    fn laws() {
        assert_eq!(in_system(200.0, 0.05), Some(10.0));
        assert_eq!(time_in_system(10.0, 200.0), Some(0.05));
        assert_eq!(busy(100.0, 0.02), Some(2.0));
        assert_eq!(most_throughput(4.0, 0.02), Some(200.0));
        assert_eq!(time_in_system(0.0, 0.0), None);
        assert_eq!(in_system(-1.0, 1.0), None);
        assert_eq!(in_system(f64::NAN, 1.0), None);
        assert_eq!(in_system(f64::MAX, 2.0), None);
        assert_eq!(Closed::new(&[], 1.0), None);
        assert_eq!(Closed::new(&[0.0], 1.0), None);
    }

    proptest! {
        #[test]
        fn any_numbers_give_a_number_or_none(
            demands in prop::collection::vec(crate::arbitrary::number(), 0..4),
            a in crate::arbitrary::number(),
            b in crate::arbitrary::number(),
        ) {
            for value in [in_system(a, b), time_in_system(a, b), busy(a, b), most_throughput(a, b)] {
                prop_assert!(value.is_none_or(|value| value.is_finite() && value >= 0.0));
            }
            if let Some(closed) = Closed::new(&demands, a) {
                prop_assert!(closed.most_throughput().is_finite());
                for value in [closed.throughput_at_most(b), closed.response_at_least(b), closed.knee_users()] {
                    prop_assert!(value.is_none_or(|value| value.is_finite() && value >= 0.0));
                }
            }
        }
    }
}
