//! Deadlines that cost a store while all goes well.
//!
//! A connection has one timer. Moving its deadline later only notes the new time; the timer is set anew when it
//! fires too early. So a busy connection touches the timer wheel once per timeout, not once per request.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct Elapsed;

/// A movable deadline, shared by everything one task does for a connection.
#[derive(Debug, Default)]
pub struct Deadline {
    wanted: Cell<Option<Instant>>,
    /// No end is later than this.
    limit: Cell<Option<Instant>>,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
}

impl Deadline {
    /// Asks for an end this far from now.
    #[inline]
    pub fn set(&self, within: Duration) {
        self.end_at(Instant::now() + within);
    }

    /// Asks for an end this far from a moment just read, to spare reading the clock again.
    #[inline]
    pub fn set_from(&self, now: std::time::Instant, within: Duration) {
        self.end_at(Instant::from_std(now) + within);
    }

    /// Asks for an end no sooner than this far from now.
    pub fn put_off(&self, within: Duration) {
        let end = Instant::now() + within;
        self.end_at(self.wanted.get().map_or(end, |wanted| wanted.max(end)));
    }

    #[inline]
    fn end_at(&self, wanted: Instant) {
        self.wanted.set(Some(self.limit.get().map_or(wanted, |limit| limit.min(wanted))));
    }

    /// From here on nothing ends later than this; none for no such limit.
    #[inline]
    pub fn limit(&self, at: Option<std::time::Instant>) {
        if at.is_some() || self.limit.get().is_some() {
            self.limit.set(at.map(Instant::from_std));
        }
    }

    /// What is left until the limit; none without one.
    pub fn left(&self) -> Option<Duration> {
        self.limit.get().map(|limit| limit.saturating_duration_since(Instant::now()))
    }

    /// Whether the limit has passed.
    pub fn is_past_limit(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Runs the future until the deadline, wherever that moves meanwhile.
    ///
    /// # Errors
    /// When the deadline passes first.
    pub async fn guard<T>(&self, future: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            self.poll_elapsed(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Ready once the deadline has passed.
    #[inline]
    pub fn poll_elapsed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(wanted) = self.wanted.get() else { return Poll::Pending };
        let mut timer = self.timer.borrow_mut();
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(wanted)));
        if timer.deadline() > wanted {
            timer.as_mut().reset(wanted);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= wanted {
                return Poll::Ready(());
            }
            timer.as_mut().reset(wanted);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_moves_both_ways() {
        let deadline = Deadline::default();
        let start = Instant::now();
        deadline.set(Duration::from_secs(5));
        let late = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            deadline.set(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_secs(30)).await;
            deadline.set(Duration::from_secs(1));
            std::future::pending::<()>().await;
        };
        assert_eq!(deadline.guard(late).await, Err(Elapsed));
        assert_eq!(start.elapsed().as_secs(), 34);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_never_comes_sooner() {
        let deadline = Deadline::default();
        let start = Instant::now();
        deadline.put_off(Duration::from_secs(5));
        deadline.put_off(Duration::from_secs(1));
        assert_eq!(deadline.guard(std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(start.elapsed().as_secs(), 5);
        deadline.limit(Some((start + Duration::from_secs(7)).into_std()));
        deadline.put_off(Duration::from_secs(60));
        assert_eq!(deadline.guard(std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn no_deadline_moves_beyond_the_limit() {
        let deadline = Deadline::default();
        let start = Instant::now();
        deadline.limit(Some((start + Duration::from_secs(7)).into_std()));
        let busy = async {
            loop {
                deadline.set(Duration::from_secs(5));
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        assert!(!deadline.is_past_limit());
        assert_eq!(deadline.guard(busy).await, Err::<(), _>(Elapsed));
        assert_eq!(start.elapsed().as_secs(), 7);
        assert!(deadline.is_past_limit());
        deadline.limit(None);
        assert_eq!(deadline.left(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_deadline_nothing_ends() {
        let deadline = Deadline::default();
        let slow = tokio::time::sleep(Duration::from_secs(3_600));
        assert_eq!(deadline.guard(slow).await, Ok(()));
    }
}
