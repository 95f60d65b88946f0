//! Message bodies: one trait to read a body, one to write it, and a relay that moves bytes between any two.
//!
//! Each protocol implements both; requests and responses, clients and origins use the same pair.

pub mod h1;
pub mod h2;
mod relay;
mod replay;

use std::io;
use std::task::{Context, Poll};

use crate::head::Fields;

pub(crate) use relay::{RelayError, Stalls, relay, relay_both};
pub(crate) use replay::Replay;

/// What a reader found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// There are bytes in [`BodyRead::data`].
    Data,
    /// The body is over, whole.
    End,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The connection ended before the body did.
    #[error("the connection ended before the body did")]
    Truncated,
    /// The body breaks its coding.
    #[error("the body is malformed")]
    Malformed,
    /// The body is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The peer reset the stream or the HTTP/2 connection failed.
    #[error("the stream failed: {0}")]
    Stream(#[from] ::h2::Error),
}

/// A body being read.
pub trait BodyRead {
    /// Makes sure [`data`](Self::data) is not empty, or tells that the body is over.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>>;
    /// Body bytes at hand, without any framing.
    fn data(&self) -> &[u8];
    /// Uses up bytes from the front of [`data`](Self::data).
    fn consume(&mut self, n: usize);
    /// Whether nothing follows the bytes at hand, as far as is known already.
    fn ends_with_data(&self) -> bool;
    /// The trailer fields, once the body is over.
    fn trailers(&self) -> Option<&Fields>;
    /// Whether the end has been read.
    fn is_done(&self) -> bool;
    /// From here on silence is no sign of a client that only wants to hold on: it may be waiting for an answer.
    fn become_conversation(&mut self) {}
    /// From here on everything is body until the connection ends: the message was an upgrade or a CONNECT.
    fn become_tunnel(&mut self) {}
}

/// A body being written. Nothing is sure to leave before a flush.
pub trait BodyWrite {
    /// Takes some bytes from the front of `data` (at least one) and says how many; `last` when these are all.
    fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8], last: bool) -> Poll<Result<usize, BodyError>>;
    /// Ends the body, with trailers if any, and flushes.
    fn poll_end(&mut self, cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>>;
    /// Lets everything taken so far leave.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>>;
}

/// The body of a message that has none.
pub(crate) struct Nothing;

impl BodyRead for Nothing {
    fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        Poll::Ready(Ok(Frame::End))
    }

    fn data(&self) -> &[u8] {
        &[]
    }

    fn consume(&mut self, _n: usize) {}

    fn ends_with_data(&self) -> bool {
        true
    }

    fn trailers(&self) -> Option<&Fields> {
        None
    }

    fn is_done(&self) -> bool {
        true
    }
}
