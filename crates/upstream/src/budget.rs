//! The retry budget: retries may be a share of the requests and no more, so that they cannot multiply an
//! outage (after Finagle's `RetryBudget`).

use std::sync::Mutex;
use std::time;

use deepwater_core::config::Percent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::window::Window;

/// How many retries a pool may cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Retries within ten seconds, as a share of the requests within the same ten seconds.
    pub share: Percent,
    /// Retries per second that are allowed on top, in number, so that low traffic may retry. Three can
    /// repeat every request of a quiet pool, and are nothing to a server that takes hundreds.
    pub min_per_second: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { share: Percent::new(20), min_per_second: 3 }
    }
}

/// Time over which requests and retries are counted.
const WINDOW: time::Duration = time::Duration::from_secs(10);
const REQUESTS: usize = 0;
const RETRIES: usize = 1;

/// The budget of one pool, shared by every core. A request costs one atomic addition, a retry a short lock.
///
/// Whenever a retry is granted, retries ≤ `share` × requests + `min_per_second` × 10 s over the window that
/// ends there. It follows, cutting time into such windows from the last retry backwards, that the same holds
/// for any longer time.
/// Times are nanoseconds since any epoch, the same in every call.
#[derive(Debug)]
pub struct RetryBudget {
    share: f64,
    reserve: f64,
    window: Window<2>,
    /// Makes looking and taking one step.
    withdrawing: Mutex<()>,
}

impl RetryBudget {
    /// A budget nothing was taken from.
    pub fn new(settings: &Budget) -> Self {
        Self {
            share: settings.share.ratio(),
            reserve: f64::from(settings.min_per_second) * WINDOW.as_secs_f64(),
            window: Window::new(WINDOW),
            withdrawing: Mutex::new(()),
        }
    }

    /// Counts a request; its retries are not requests.
    #[inline]
    pub fn deposit(&self, now: u64) {
        self.window.add(now, REQUESTS);
    }

    /// Takes one retry from the budget, if there is one left.
    pub fn withdraw(&self, now: u64) -> bool {
        let _withdrawing = self.withdrawing.lock().expect("no panic while a budget is held");
        let affordable = self.balance(now) >= 1.0;
        if affordable {
            self.window.add(now, RETRIES);
        }
        affordable
    }

    /// Retries left; may be below zero when many requests have just left the window.
    pub fn balance(&self, now: u64) -> f64 {
        let [requests, retries] = self.window.sums(now);
        // Without the addend, five times a fifth is less than one.
        self.share * requests as f64 + self.reserve - retries as f64 + 1e-9
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use deepwater_core::random::Random;
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn withdrawn(budget: &RetryBudget, now: u64, times: usize) -> usize {
        (0..times).filter(|_| budget.withdraw(now)).count()
    }

    #[test]
    fn a_share_of_the_requests_and_a_floor() {
        let budget = RetryBudget::new(&Budget::default());
        assert_eq!(withdrawn(&budget, 0, 100), 30, "the floor alone");
        (0..100).for_each(|_| budget.deposit(SECOND));
        assert_eq!(withdrawn(&budget, SECOND, 100), 20);
        assert_eq!(withdrawn(&budget, 9 * SECOND, 100), 0);
        assert_eq!(withdrawn(&budget, 10 * SECOND, 100), 30, "the first thirty have left the window");
        assert_eq!(withdrawn(&budget, 60 * SECOND, 100), 30, "an idle spell saves nothing up");
    }

    #[test]
    fn no_floor_no_requests_no_retries() {
        let budget = RetryBudget::new(&Budget { min_per_second: 0, ..Budget::default() });
        assert!(!budget.withdraw(0));
        (0..4).for_each(|_| budget.deposit(0));
        assert!(!budget.withdraw(0));
        budget.deposit(0);
        assert!(budget.withdraw(0), "five requests pay for one");
        assert!(!budget.withdraw(0));
    }

    #[test]
    fn many_threads_take_exactly_what_there_is() {
        let budget = RetryBudget::new(&Budget::default());
        (0..1_000).for_each(|_| budget.deposit(0));
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let take = || taken.fetch_add(withdrawn(&budget, 0, 200) as u64, SeqCst);
                scope.spawn(take);
            }
        });
        assert_eq!(taken.load(SeqCst), 230);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// An outage: every attempt fails, every client tries as often as it may. The load is multiplied by
        /// no more than the share and the floor allow.
        #[test]
        fn an_outage_is_not_multiplied(
            clients in 1_usize..400,
            attempts in 1_usize..6,
            percent in 0_u8..=100,
            floor in 0_u32..20,
            seed in any::<u64>(),
        ) {
            let budget = RetryBudget::new(&Budget { share: Percent::new(percent), min_per_second: floor });
            let allowed = |requests: f64, seconds: u32| {
                requests * f64::from(percent) / 100.0 + f64::from(floor * seconds) + 1e-6
            };
            let mut random = Random::from_seed(seed);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for second in 0..60 {
                let now = second * SECOND + random.below(SECOND as usize) as u64;
                let (mut sent, mut again) = (0.0, 0.0);
                for _ in 0..random.below(clients + 1) {
                    budget.deposit(now);
                    sent += 1.0;
                    again += (0..attempts).take_while(|_| budget.withdraw(now)).count() as f64;
                }
                requests.push(sent);
                retries.push(again);
                let last = requests.len().saturating_sub(10);
                let allowed = allowed(requests[last..].iter().sum(), 10);
                let granted = again > 0.0;
                prop_assert!(
                    !granted || retries[last..].iter().sum::<f64>() <= allowed,
                    "second {}", second
                );
            }
            prop_assert!(retries.iter().sum::<f64>() <= allowed(requests.iter().sum(), 70));
        }
    }
}
