//! The kinds of byte stream the edge speaks over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{client, server};

use super::Buffer;

/// A connection to a client or an origin.
#[derive(Debug)]
pub enum Transport {
    /// Cleartext TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS that a client opened.
    TlsServer(Box<server::TlsStream<TcpStream>>),
    /// TLS opened to an origin.
    TlsClient(Box<client::TlsStream<TcpStream>>),
}

impl Transport {
    /// Whether bytes are encrypted on the way.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::TlsServer(_) | Self::TlsClient(_))
    }

    /// The TCP socket below, if there is one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Unix(_) => None,
            Self::TlsServer(tls) => Some(tls.get_ref().0),
            Self::TlsClient(tls) => Some(tls.get_ref().0),
        }
    }

    /// Reads into the buffer's room; 0 is the end of the stream.
    #[inline]
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(buffer.room());
        debug_assert!(room.capacity() > 0, "a full buffer cannot tell the end of the stream");
        let polled = Pin::new(self).poll_read(cx, &mut room);
        let n = room.filled().len();
        match polled {
            Poll::Ready(Ok(())) => {
                buffer.advance(n);
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether an idle connection can be used: nothing has arrived on it, not even its end.
    ///
    /// Costs no system call while the socket is silent, since the event loop has told us nothing.
    pub fn is_silent(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        match self {
            Self::Unix(unix) => {
                unix.poll_read_ready(&mut cx).is_pending() || would_block(unix.try_read(&mut byte))
            }
            Self::Tcp(tcp) => {
                tcp.poll_read_ready(&mut cx).is_pending() || would_block(tcp.try_read(&mut byte))
            }
            Self::TlsServer(_) | Self::TlsClient(_) => self.tcp().is_none_or(|tcp| {
                tcp.poll_read_ready(&mut cx).is_pending() || would_block(tcp.try_read(&mut byte))
            }),
        }
    }

    /// Makes the close that follows an abort (RST), so that a peer cannot take a cut body for a whole one.
    pub fn abort_on_close(&self) {
        if let Some(tcp) = self.tcp() {
            // A socket that is closed already needs no abort.
            let _ = socket2::SockRef::from(tcp).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

fn would_block(read: io::Result<usize>) -> bool {
    matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

macro_rules! each {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp($io) => $call,
            Transport::Unix($io) => $call,
            Transport::TlsServer($io) => $call,
            Transport::TlsClient($io) => $call,
        }
    };
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
