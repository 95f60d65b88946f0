//! Something to be done now and then only.

use std::time::Duration;

/// Says when a time has passed since the last time it said so.
#[derive(Debug)]
pub(crate) struct Every {
    period: Duration,
    last: Option<Duration>,
}

impl Every {
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// Whether it is time; the first time always. A clock that went back starts anew, or a source would keep
    /// silent for as long as the clock is behind.
    pub(crate) fn due(&mut self, now: Duration) -> bool {
        let due = self.last.is_none_or(|last| now < last || now - last >= self.period);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Another period from the last time on.
    pub(crate) fn set_period(&mut self, period: Duration) {
        self.period = period;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_first_then_after_the_period_and_when_the_clock_went_back() {
        let second = Duration::from_secs;
        let mut every = Every::new(second(10));
        assert!(every.due(second(100)));
        assert!(!every.due(second(109)));
        assert!(every.due(second(110)));
        assert!(every.due(second(5)), "the clock went back");
        assert!(!every.due(second(6)));
    }
}
