//! Client connections: HTTP/1.1 and HTTP/2, each reading requests and replying in its own way.

pub(crate) mod h1;
pub(crate) mod h2;
mod intake;

pub(crate) use h2::{Excess, copy_head as copy_http2_head, payloads as http2_payloads};

use std::future::poll_fn;
use std::task::{Context, Poll};

use http::StatusCode;

use crate::body::BodyWrite;
use crate::head::{Fields, Response};
use crate::http1::framing::Framing;

/// What a client gets to see of the answer to one request.
pub(crate) trait Reply: BodyWrite {
    /// Sends an interim (1xx) response, if the client understands those.
    fn interim(&mut self, response: &Response);

    /// Sends the final head. The body that follows is framed at its source as given; fields describe the body and
    /// hold nothing that belongs to another connection.
    fn head(&mut self, status: StatusCode, fields: &Fields, framing: Framing);

    /// Writes a whole answer at once: stored field lines, more lines, the body (none for a HEAD). It leaves with the
    /// body's end.
    fn stored(&mut self, status: StatusCode, lines: [&[u8]; 2], body: &[u8]);

    /// Sends a 101 head (HTTP/1.1) or accepts a CONNECT, after which both directions are bytes.
    fn tunnel(&mut self, status: StatusCode, fields: &Fields, protocol: Option<&[u8]>);

    /// Breaks off so that the client cannot take what it got for a whole answer.
    fn abort(&mut self);

    /// Ready once the client is seen to have left; asked only while nothing more is read from it.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Waits until the client is seen to have left, whatever it has sent that nobody has read; nothing else may use its
    /// connection meanwhile.
    fn gone(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_gone(cx))
    }

    /// Whether a final head is on its way and cannot be replaced by another.
    fn head_sent(&self) -> bool;

    /// The client's connection must not be used after this reply.
    fn close_after(&mut self);
}
