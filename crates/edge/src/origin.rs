//! Connections to origins: opened, kept and reused by the core that opened them.

pub(crate) mod connect;
pub(crate) mod h1;
pub(crate) mod h2;
mod idle;

use std::task::{Context, Poll};

use crate::body::BodyRead;
use crate::failure::Failure;
use crate::head::Response;
use crate::http1::framing::Framing;

pub(crate) use idle::{Idle, Reused};

/// A response head read from an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// 1xx: another head follows.
    Interim,
    /// The final head, and how its body is framed.
    Final(Framing),
    /// 101: the connection is another protocol's from here on.
    Switched,
}

/// Why no head came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoHead {
    /// What happened.
    pub failure: Failure,
    /// Whether the origin had said anything at all: if not, on a reused connection, it had most likely closed it
    /// before the request came.
    pub silent: bool,
    /// The origin promises that it has done nothing with the request: any may be sent again.
    pub undone: bool,
}

/// The reading side of an origin.
pub(crate) trait OriginRead {
    /// What reads bodies.
    type Body: BodyRead;

    /// Reads the next head into `response`; after a final one the body can be read.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &http::Method,
        response: &mut Response,
    ) -> Poll<Result<HeadKind, NoHead>>;

    /// What follows the head.
    fn body(&mut self) -> &mut Self::Body;
}

/// The writing side of an origin, beyond bodies.
pub(crate) trait OriginWrite: crate::body::BodyWrite {
    /// Everything that follows is bytes until the connection ends.
    fn become_tunnel(&mut self);
}
