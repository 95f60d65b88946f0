//! A connection whose frames are counted as they pass.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::Transport;

use super::calm::Calm;
use super::frames::Scanner;

/// `PRI * HTTP/2.0`, and what follows it before the first frame (RFC 9113 §3.4).
const PREFACE_BYTES: u32 = 24;

/// Reads and writes through to a transport, until the client goes too far: then nothing more is read.
pub(super) struct Meter {
    transport: Transport,
    calm: Rc<Calm>,
    received: Scanner,
    sent: Scanner,
}

impl Meter {
    pub(super) fn new(transport: Transport, calm: Rc<Calm>) -> Self {
        Self { transport, calm, received: Scanner::after(PREFACE_BYTES), sent: Scanner::after(0) }
    }
}

impl AsyncRead for Meter {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { transport, calm, received, .. } = self.get_mut();
        if calm.excess().is_some() {
            // Whoever polls the connection sees the excess next, and ends it.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(transport).poll_read(cx, buf))?;
        received.feed(&buf.filled()[before..], |frame| calm.received(frame, Instant::now));
        calm.in_head(received.head_under_way(), Instant::now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Meter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { transport, calm, sent, .. } = self.get_mut();
        let written = ready!(Pin::new(transport).poll_write(cx, buf))?;
        sent.feed(&buf[..written], |frame| calm.sent(frame));
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { transport, calm, sent, .. } = self.get_mut();
        let written = ready!(Pin::new(transport).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            sent.feed(&buf[..part], |frame| calm.sent(frame));
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
