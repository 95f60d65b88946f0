//! A request's body on its way in, held to a size and a pace.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::body::{BodyError, BodyRead, Frame};
use crate::head::Fields;
use crate::io::Deadline;
use crate::plan::Limits;

/// Bytes of a body that must come in the time allowed between two reads. Who sends less (R.U.D.Y.) only wants to hold a
/// connection of ours and one of the origin's.
const MIN_BYTES: u64 = 1_024;

/// Reads a body for as long as it is neither too long nor too slow.
pub(crate) struct Intake<'a, B> {
    body: B,
    deadline: &'a Deadline,
    /// Bytes that may still come.
    left: u64,
    /// The time in which [`MIN_BYTES`] must come; none where that is not asked for any more.
    pace: Option<Duration>,
    /// When the time under way began, once it did.
    since: Option<Instant>,
    /// Bytes that came in it.
    came: u64,
    too_slow: bool,
}

impl<'a, B: BodyRead> Intake<'a, B> {
    pub(crate) fn new(body: B, deadline: &'a Deadline, limits: &Limits) -> Self {
        let (left, pace) = (limits.max_body_bytes, Some(limits.body_stall));
        Self { body, deadline, left, pace, since: None, came: 0, too_slow: false }
    }

    /// Notes what came. False when it is too little for the time it took.
    fn keeps_pace(&mut self, n: u64, now: impl FnOnce() -> Instant) -> bool {
        let Some(pace) = self.pace else { return true };
        self.came += n;
        if self.came >= MIN_BYTES {
            // Whatever comes next begins a time of its own.
            (self.since, self.came) = (None, 0);
            return true;
        }
        let now = now();
        now.saturating_duration_since(*self.since.get_or_insert(now)) < pace
    }
}

impl<B: BodyRead> BodyRead for Intake<'_, B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        if self.too_slow {
            return Poll::Pending;
        }
        if !self.body.data().is_empty() {
            return Poll::Ready(Ok(Frame::Data));
        }
        let frame = match self.body.poll_frame(cx) {
            Poll::Ready(Ok(Frame::Data)) => Frame::Data,
            other => return other,
        };
        let n = self.body.data().len() as u64;
        let Some(left) = self.left.checked_sub(n) else {
            return Poll::Ready(Err(BodyError::TooLarge));
        };
        self.left = left;
        if !self.keeps_pace(n, Instant::now) {
            // As if nothing had come: whoever waits for it is told that its time is over.
            self.too_slow = true;
            self.deadline.set(Duration::ZERO);
            return Poll::Pending;
        }
        Poll::Ready(Ok(frame))
    }

    fn data(&self) -> &[u8] {
        if self.too_slow { &[] } else { self.body.data() }
    }

    fn consume(&mut self, n: usize) {
        self.body.consume(n);
    }

    fn ends_with_data(&self) -> bool {
        self.body.ends_with_data()
    }

    fn trailers(&self) -> Option<&Fields> {
        self.body.trailers()
    }

    fn is_done(&self) -> bool {
        self.body.is_done()
    }

    fn become_conversation(&mut self) {
        self.pace = None;
        self.body.become_conversation();
    }

    fn become_tunnel(&mut self) {
        self.left = u64::MAX;
        self.pace = None;
        self.body.become_tunnel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Nothing;

    const PACE: Duration = Duration::from_secs(60);

    fn intake(deadline: &Deadline) -> Intake<'_, Nothing> {
        Intake {
            body: Nothing,
            deadline,
            left: u64::MAX,
            pace: Some(PACE),
            since: None,
            came: 0,
            too_slow: false,
        }
    }

    #[test]
    fn a_body_that_drips_is_too_slow_once_its_time_is_over() {
        let (deadline, start) = (Deadline::default(), Instant::now());
        let mut body = intake(&deadline);
        for second in 0..60 {
            assert!(body.keeps_pace(1, || start + Duration::from_secs(second)), "{second}");
        }
        assert!(!body.keeps_pace(1, || start + PACE));
    }

    #[test]
    fn a_body_that_keeps_the_least_pace_is_not() {
        let (deadline, start) = (Deadline::default(), Instant::now());
        let mut body = intake(&deadline);
        for minute in 0..1_000 {
            assert!(body.keeps_pace(1, || start + PACE * minute), "{minute}");
            assert!(body.keeps_pace(MIN_BYTES, || start + PACE * minute + PACE / 2), "{minute}");
        }
    }
}
