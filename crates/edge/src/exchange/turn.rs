//! A request's turn, where only so many may be with a pool at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use deepwater_upstream::{Entered, Gate, Outcome, Permit, Ticket};

use crate::downstream::Reply;
use crate::failure::Failure;
use crate::guard::Refusal;

use super::proxy::Proxying;

/// Why a request does not get its turn.
pub(super) enum NoTurn {
    Refused(Refusal),
    /// The client has left: there is nobody to tell.
    ClientLeft,
}

impl Proxying<'_> {
    /// Waits until the request may go to the pool, for as long as it may; at once where there is no limit. And when that was.
    pub(super) async fn turn<R: Reply>(&self, reply: &mut R) -> Result<(Option<Permit>, Instant), NoTurn> {
        let came = self.tally.started;
        let Some(gate) = &self.pool.plan.gate else { return Ok((None, came)) };
        match gate.enter(self.route.priority, self.since_epoch(came)) {
            Entered::Go(permit) => Ok((Some(permit), came)),
            Entered::Full => Err(self.overloaded(gate)),
            // Boxed: most requests never wait.
            Entered::Wait(ticket) => {
                let permit = Box::pin(self.wait(gate, ticket, reply)).await?;
                Ok((Some(permit), Instant::now()))
            }
        }
    }

    async fn wait<R: Reply>(&self, gate: &Gate, mut ticket: Ticket, reply: &mut R) -> Result<Permit, NoTurn> {
        let began = Instant::now();
        let longest = Duration::from_nanos(ticket.deadline().saturating_sub(self.since_epoch(began)));
        let longest = self.deadline.left().map_or(longest, |left| left.min(longest));
        let mut gone = pin!(reply.gone());
        let served = poll_fn(|cx| {
            if let Poll::Ready(served) = Pin::new(&mut ticket).poll(cx) {
                return Poll::Ready(Some(served));
            }
            gone.as_mut().poll(cx).map(|()| None)
        });
        let served = match tokio::time::timeout(longest, served).await {
            Ok(Some(served)) => served,
            Ok(None) => return Err(NoTurn::ClientLeft),
            Err(_) => ticket.expire(),
        };
        self.pool.metrics.waited.observe(began.elapsed());
        served.map_err(|_| self.overloaded(gate))
    }

    fn overloaded(&self, gate: &Gate) -> NoTurn {
        let seconds = gate.retry_after(self.since_epoch(Instant::now())).as_secs();
        NoTurn::Refused(Refusal::new(Failure::Overloaded).with(b"retry-after", seconds.to_string()))
    }

    /// Gives the turn to the next, and tells the limit how it went.
    pub(super) fn end_turn(&self, outcome: Option<&Outcome>) {
        let (Some(permit), Some(outcome)) = (self.tally.turn.take(), outcome) else { return };
        let now = self.since_epoch(self.tally.settled.get().unwrap_or_else(Instant::now));
        let whole = Duration::from_nanos(now.saturating_sub(permit.admitted()));
        match *outcome {
            // To the first byte: the rest goes at the client's pace.
            Outcome::Success { latency } => permit.done(now, latency, false),
            Outcome::Failure { .. } => permit.done(now, whole, true),
            // Nobody knows how long it would have taken.
            Outcome::Cancelled => {}
        }
    }
}
