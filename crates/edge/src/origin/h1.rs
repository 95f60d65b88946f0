//! HTTP/1.1 to an origin.

use std::cell::RefCell;
use std::task::{Context, Poll, ready};

use http::Method;

use crate::body::h1::{Reader, Writer};
use crate::failure::Failure;
use crate::head::{Name, Request, Response, Version};
use crate::http1::framing::{self, Framing};
use crate::http1::{encode, parse};
use crate::hygiene;
use crate::io::{Buffer, Slabs, Transport};

use super::{HeadKind, NoHead, OriginRead, OriginWrite};

/// A connection that speaks HTTP/1.1.
pub(crate) struct Connection {
    pub io: RefCell<Transport>,
    pub buffer: Buffer,
}

impl Connection {
    pub fn new(transport: Transport, slabs: &Slabs) -> Self {
        Self { io: RefCell::new(transport), buffer: Buffer::new(slabs) }
    }

    /// Whether it can carry another request: nothing unread, nothing arrived.
    pub fn is_reusable(&self) -> bool {
        self.buffer.is_empty() && self.io.borrow().is_silent()
    }
}

/// Writes the request head; its body follows through the same writer.
pub(crate) fn write_request(
    writer: &mut Writer<'_>,
    request: &Request,
    host: &[u8],
    framing: Framing,
    upgrade: Option<&[u8]>,
) {
    let out = writer.head();
    encode::request_line(out, request, host);
    encode::request_framing(out, framing);
    if let Some(protocol) = upgrade {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
        out.extend_from_slice(protocol);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    writer.begin(framing);
}

/// Reads a response.
pub(crate) struct ResponseReader<'a> {
    body: Reader<'a>,
    max_head_bytes: usize,
    /// Buffer length at the last look that found the head incomplete.
    looked_at: usize,
    received: bool,
    /// Whether the connection can carry another request after this response.
    pub keeps_alive: bool,
    /// The seconds in the origin's `Keep-Alive: timeout`.
    pub keep_alive_seconds: Option<u64>,
}

impl<'a> ResponseReader<'a> {
    pub fn new(connection_io: &'a RefCell<Transport>, buffer: &'a mut Buffer, max_head_bytes: usize) -> Self {
        Self {
            body: Reader::new(connection_io, buffer, Framing::Empty),
            max_head_bytes,
            looked_at: 0,
            received: false,
            keeps_alive: false,
            keep_alive_seconds: None,
        }
    }

    fn no_head(&self, failure: Failure) -> NoHead {
        NoHead { failure, silent: !self.received, undone: false }
    }

    /// Decides framing, kind and the connection's future from a parsed head.
    fn understand(&mut self, method: &Method, response: &Response) -> Result<HeadKind, NoHead> {
        if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
            return Ok(HeadKind::Switched);
        }
        if response.status.is_informational() {
            return Ok(HeadKind::Interim);
        }
        let framing =
            framing::of_response(response, method).map_err(|_| self.no_head(Failure::BadResponse))?;
        let fields = &response.fields;
        let persistent = match response.version {
            Version::Http10 => hygiene::connection_has(fields, b"keep-alive"),
            _ => !hygiene::connection_has(fields, b"close"),
        };
        self.keeps_alive = persistent && framing != Framing::UntilClose;
        self.keep_alive_seconds = fields.get_known(Name::KeepAlive).and_then(keep_alive_timeout);
        self.body.restart(framing);
        Ok(HeadKind::Final(framing))
    }
}

impl<'a> OriginRead for ResponseReader<'a> {
    type Body = Reader<'a>;

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        response: &mut Response,
    ) -> Poll<Result<HeadKind, NoHead>> {
        loop {
            let filled = self.body.buffer().filled();
            if filled.len() > self.looked_at && may_be_complete(filled, self.looked_at) {
                match parse::response(filled, response) {
                    Ok(Some(len)) => {
                        self.looked_at = 0;
                        self.body.buffer().consume(len);
                        return Poll::Ready(self.understand(method, response));
                    }
                    Ok(None) => {}
                    Err(_) => return Poll::Ready(Err(self.no_head(Failure::BadResponse))),
                }
            }
            self.looked_at = filled.len();
            if self.looked_at > self.max_head_bytes {
                return Poll::Ready(Err(self.no_head(Failure::ResponseHeadTooLarge)));
            }
            if self.body.buffer().room().is_empty() {
                self.body.buffer().grow();
            }
            match ready!(self.body.poll_fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(self.no_head(Failure::ConnectionTerminated))),
                Ok(_) => self.received = true,
            }
        }
    }

    fn body(&mut self) -> &mut Reader<'a> {
        &mut self.body
    }
}

/// Whether the bytes that came since the last look can have completed a head: spares reading a head that
/// trickles in byte by byte from its start each time.
pub(crate) fn may_be_complete(filled: &[u8], looked_at: usize) -> bool {
    looked_at == 0 || {
        let from = looked_at.saturating_sub(3);
        memchr::memmem::find(&filled[from..], b"\n\r\n").is_some()
            || memchr::memmem::find(&filled[from..], b"\n\n").is_some()
    }
}

/// `Keep-Alive: timeout=5, max=100` → 5.
fn keep_alive_timeout(value: &[u8]) -> Option<u64> {
    crate::head::list_members(value).find_map(|member| {
        let (name, seconds) = member.split_at_checked(8)?;
        name.eq_ignore_ascii_case(b"timeout=").then(|| framing::parse_length(seconds.trim_ascii()))?
    })
}

impl OriginWrite for Writer<'_> {
    fn become_tunnel(&mut self) {
        self.begin(Framing::UntilClose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_alive_timeout_is_found() {
        assert_eq!(keep_alive_timeout(b"timeout=5"), Some(5));
        assert_eq!(keep_alive_timeout(b"max=3, Timeout=7"), Some(7));
        assert_eq!(keep_alive_timeout(b"max=3"), None);
        assert_eq!(keep_alive_timeout(b"timeout=x"), None);
    }

    #[test]
    fn a_head_is_looked_at_again_only_when_it_may_be_whole() {
        assert!(may_be_complete(b"GET", 0));
        assert!(!may_be_complete(b"GET / HTTP/1.1\r\nHost: a\r\n", 10));
        let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for looked_at in 1..whole.len() {
            assert!(may_be_complete(whole, looked_at), "{looked_at}");
        }
    }
}
