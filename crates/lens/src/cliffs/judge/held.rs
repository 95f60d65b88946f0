//! What was told stays for a while when it cannot be told any more: answers do not flap either.

use std::time::Duration;

/// A value, and since when there is none any more.
#[derive(Debug)]
pub(super) struct Held<T> {
    value: Option<T>,
    absent_since: Option<Duration>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { value: None, absent_since: None }
    }
}

impl<T: Clone> Held<T> {
    /// The value, or the last one while there has been none for less than `long`. `now` is time since any start.
    pub(super) fn next(&mut self, value: Option<T>, now: Duration, long: Duration) -> Option<T> {
        if value.is_some() {
            (self.value, self.absent_since) = (value, None);
        } else if now.saturating_sub(*self.absent_since.get_or_insert(now)) >= long {
            self.value = None;
        }
        self.value.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_until_it_has_been_for_long() {
        let mut held = Held::default();
        let mut at = |second, value| held.next(value, Duration::from_secs(second), Duration::from_secs(20));
        assert_eq!(at(0, None), None);
        assert_eq!(at(5, Some(1)), Some(1));
        assert_eq!(at(10, None), Some(1));
        assert_eq!(at(25, None), Some(1));
        assert_eq!(at(29, Some(2)), Some(2));
        assert_eq!(at(35, None), Some(2));
        assert_eq!(at(55, None), None);
    }
}
