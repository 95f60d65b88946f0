//! Giving a repeat the answer of the first request.

use std::cell::Cell;
use std::time::Duration;

use http::StatusCode;

use crate::body::{Stalls, relay};
use crate::downstream::Reply;
use crate::head::{Fields, Name};
use crate::http1::framing::Framing;
use crate::io::Deadline;

use super::answer::Answer;
use super::body::Buffered;

/// Tells a repeat from the first: the name that Stripe has given it.
const REPLAYED: &[u8] = b"idempotent-replayed";

/// Sends a stored answer, marked as such; `edit` sees its fields last. False if the client did not take all of it.
pub(crate) async fn replay<R: Reply>(
    answer: &Answer,
    reply: &mut R,
    edit: impl FnOnce(&mut Fields),
    (deadline, stall): (&Deadline, Duration),
    sent_bytes: &Cell<u64>,
) -> bool {
    let mut fields = answer.fields.clone();
    fields.set(REPLAYED, b"true");
    let bodiless = matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = match answer.body.len() {
        // Trailers come after chunks only.
        _ if !answer.trailers.is_empty() => Framing::Chunked,
        _ if bodiless => Framing::Empty,
        length => {
            fields.add_known(Name::ContentLength, itoa::Buffer::new().format(length).as_bytes());
            if length == 0 { Framing::Empty } else { Framing::Length(length as u64) }
        }
    };
    edit(&mut fields);
    if let Some(made) = answer.fields.get_known(Name::Date) {
        // It was made then, not now (RFC 9110 §6.6.1).
        fields.set(Name::Date.as_str().as_bytes(), made);
    }
    reply.head(answer.status, &fields, framing);
    let mut body = Buffered::stored(answer.body.clone(), &answer.trailers);
    deadline.set(stall);
    let stalls = Stalls::both(stall);
    let sending = relay(&mut body, reply, deadline, &stalls, sent_bytes);
    let whole = matches!(deadline.guard(sending).await, Ok(Ok(())));
    if !whole {
        reply.abort();
    }
    whole
}
