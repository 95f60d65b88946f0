//! The kinds of byte stream spoken over, and how one moves between threads.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop::has_budget_remaining;
use tokio_rustls::{client, server};

macro_rules! each_socket {
    ($socket:expr, $io:ident => $call:expr, $lost:expr) => {
        match $socket {
            Socket::Tcp($io) => $call,
            Socket::Unix($io) => $call,
            Socket::Lost => $lost,
        }
    };
}

/// A socket of either family.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// Lost while moving between event loops: every use fails.
    Lost,
}

impl Socket {
    /// Moves the socket to the event loop of the calling thread: readiness is told where it is waited for.
    ///
    /// # Errors
    /// When the system refuses; the socket is then lost.
    fn rehome(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Tcp(tcp) => Self::Tcp(TcpStream::from_std(tcp.into_std()?)?),
            Self::Unix(unix) => Self::Unix(UnixStream::from_std(unix.into_std()?)?),
            Self::Lost => Self::Lost,
        };
        Ok(())
    }

    /// Takes the socket from its event loop, for another process.
    ///
    /// # Errors
    /// When the system refuses, or it was lost before.
    pub(crate) fn into_descriptor(self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(tcp) => Ok(tcp.into_std()?.into()),
            Self::Unix(unix) => Ok(unix.into_std()?.into()),
            Self::Lost => Err(lost()),
        }
    }

    /// Its number in this process, to be shown; it stays with the socket on whatever event loop that is.
    pub(crate) fn descriptor(&self) -> RawFd {
        each_socket!(self, io => io.as_raw_fd(), -1)
    }

    /// Whether the event loop has told of nothing that arrived, not even the end. Costs no system call.
    #[inline]
    fn is_silent(&self) -> bool {
        each_socket!(self, io => io.try_io(Interest::READABLE, || Ok(())).is_err(), false)
    }

    /// Reads what is there; no system call when the event loop has told of nothing. A read that leaves room has emptied the
    /// socket: the next one waits to be told (`EPOLLET`).
    #[inline]
    fn read_now(&self, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut got = Poll::Pending;
        let room = into.len();
        let attempt = each_socket!(self, io => io.try_io(Interest::READABLE, || {
            let n = recv(io, &mut *into, RecvFlags::empty())?.0;
            got = Poll::Ready(Ok(n));
            // The end is told over and over.
            if n < room && n > 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }), Err(lost()));
        match attempt {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Poll::Ready(Err(error)),
            _ => got,
        }
    }

    /// Reads once; the task is woken when there is something.
    #[inline]
    fn poll_fill(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Poll::Ready(read) = self.read_now(into) {
                return Poll::Ready(read);
            }
            ready!(each_socket!(self, io => io.poll_read_ready(cx), Poll::Ready(Err(lost()))))?;
        }
    }

    /// Writes once; the task is woken when there is room.
    #[inline]
    fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let sent = each_socket!(self, io => io.try_io(Interest::WRITABLE, || {
                Ok(send(io, bytes, SendFlags::NOSIGNAL)?)
            }), Err(lost()));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                sent => return Poll::Ready(sent),
            }
            ready!(each_socket!(self, io => io.poll_write_ready(cx), Poll::Ready(Err(lost()))))?;
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was lost while moving between threads")
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each_socket!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf), Poll::Ready(Err(lost())))
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_socket!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf), Poll::Ready(Err(lost())))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each_socket!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs), Poll::Ready(Err(lost())))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_socket!(self.get_mut(), io => Pin::new(io).poll_flush(cx), Poll::Ready(Err(lost())))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_socket!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx), Poll::Ready(Err(lost())))
    }
}

/// A connection to a client or a server.
#[derive(Debug)]
pub(crate) enum Stream {
    /// In clear.
    Plain(Socket),
    /// TLS that a client opened.
    TlsServer(Box<server::TlsStream<Socket>>),
    /// TLS opened to a server.
    TlsClient(Box<client::TlsStream<Socket>>),
}

impl Stream {
    /// Whether bytes are encrypted on the way.
    pub(crate) fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::TlsServer(tls) => tls.get_ref().0,
            Self::TlsClient(tls) => tls.get_ref().0,
        }
    }

    /// Moves the connection to the event loop of the calling thread.
    ///
    /// # Errors
    /// When the system refuses; the connection is then lost.
    pub(crate) fn rehome(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.rehome(),
            Self::TlsServer(tls) => tls.get_mut().0.rehome(),
            Self::TlsClient(tls) => tls.get_mut().0.rehome(),
        }
    }

    /// Whether the event loop has told of nothing that arrived, not even the end. Costs no system call. TLS may hold
    /// bytes that arrived before.
    #[inline]
    pub(crate) fn is_silent_now(&self) -> bool {
        self.socket().is_silent()
    }

    /// Reads once into a buffer; 0 is the end of the stream.
    #[inline]
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Self::Plain(socket) = self {
            return socket.poll_fill(cx, into);
        }
        let mut room = ReadBuf::new(into);
        match Pin::new(self).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(room.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The same for a task that looks at several streams whenever it is woken. `awaited` says whether the event loop knows
    /// already that the task waits for this one: no need to say it again. To be false for a stream new to the task.
    #[inline]
    pub(crate) fn poll_fill_awaited(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
        awaited: &mut bool,
    ) -> Poll<io::Result<usize>> {
        let Self::Plain(socket) = self else { return self.poll_fill(cx, into) };
        if *awaited && socket.is_silent() {
            return Poll::Pending;
        }
        let filled = socket.poll_fill(cx, into);
        // A task that has had its share is told to come again, and the event loop is told nothing.
        *awaited = filled.is_pending() && has_budget_remaining();
        filled
    }

    /// Writes as much as the system takes now, from the front of `bytes`: how much that was. Less than all means that
    /// the task is woken when there is room.
    #[inline]
    pub(crate) fn write_now(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            let sent = match &*self {
                Self::Plain(socket) => socket.poll_send(cx, rest),
                _ => Pin::new(&mut *self).poll_write(cx, rest),
            };
            match sent {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => written += n,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(written)
    }

    /// Pushes out what TLS holds back. Nothing for a plain connection.
    #[inline]
    pub(crate) fn flush_now(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if matches!(self, Self::Plain(_)) {
            return Ok(true);
        }
        match Pin::new(self).poll_flush(cx) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(false),
        }
    }
}

macro_rules! each_stream {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($io) => $call,
            Stream::TlsServer($io) => $call,
            Stream::TlsClient($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each_stream!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_stream!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_stream!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_stream!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
