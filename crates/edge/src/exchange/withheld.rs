//! An answer that another attempt is to better, kept for the case that none does.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use deepwater_upstream::{Lease, Target};

use crate::body::{BodyError, BodyRead, Frame, Stalls, relay};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Response};
use crate::http1::framing::Framing;
use crate::idempotency::Buffered;

use super::proxy::Proxying;

/// Bytes of a body that are kept. Pages that say that something failed are shorter.
const MOST_KEPT: usize = 64 * 1024;
/// How long a body may take to come: the next attempt waits for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// An answer, whole.
pub(super) struct Withheld {
    response: Response,
    framing: Framing,
    body: Buffered,
    target: Arc<Target>,
}

impl Withheld {
    /// Reads the rest of an answer whose head is here; none when that is too long, or does not come soon.
    pub(super) async fn read<B: BodyRead>(
        lease: &Lease,
        response: &mut Response,
        framing: Framing,
        body: &mut B,
    ) -> Option<Box<Self>> {
        let read = tokio::time::timeout(PATIENCE, whole(body));
        let body = read.await.ok()?.ok()?;
        Some(Box::new(Self {
            response: std::mem::take(response),
            framing,
            body,
            target: Arc::clone(lease.target()),
        }))
    }
}

async fn whole<B: BodyRead>(body: &mut B) -> Result<Buffered, BodyError> {
    let mut bytes = Vec::new();
    poll_fn(|cx| {
        loop {
            match ready!(body.poll_frame(cx))? {
                Frame::Data if bytes.len() + body.data().len() > MOST_KEPT => {
                    return Poll::Ready(Err(BodyError::TooLarge));
                }
                Frame::Data => bytes.extend_from_slice(body.data()),
                Frame::End => return Poll::Ready(Ok(())),
            }
            body.consume(body.data().len());
        }
    })
    .await?;
    Ok(Buffered::stored(Bytes::from(bytes), body.trailers().unwrap_or(&Fields::default())))
}

impl Proxying<'_> {
    /// Gives the client an answer that was kept from it.
    pub(super) async fn give<R: Reply>(&self, withheld: Withheld, reply: &mut R) {
        let Withheld { mut response, framing, mut body, target } = withheld;
        self.edit_response(None, &mut response);
        self.tally.target.set(Some(target));
        self.tally.status.set(Some(response.status));
        reply.head(response.status, &response.fields, framing);
        let stall = self.local.plan.limits.body_stall;
        self.deadline.set(stall);
        let stalls = Stalls::both(stall);
        let sending = relay(&mut body, reply, self.deadline, &stalls, &self.tally.sent_bytes);
        if !matches!(self.deadline.guard(sending).await, Ok(Ok(()))) {
            self.tally.failure.set(Some(Failure::ClientAborted));
            reply.abort();
        }
    }
}
