//! Messages that are read whole: while logging in, where all are short and understood.

use std::io;

use deepwater_pgwire::message::{self, HEADER_BYTES, Malformed};
use deepwater_pgwire::startup::{self, Startup, StartupError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stream::{Socket, Stream};

/// Bytes asked for at once.
const READ_BYTES: usize = 2 * 1024;
/// What most answers take: all that a client is told when it is in.
const OUTPUT_BYTES: usize = 512;

/// A message, taken out of the stream.
pub(crate) struct Message {
    pub tag: u8,
    pub payload: Vec<u8>,
}

/// Why no message could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    /// The other side ended the connection between two messages.
    #[error("the connection was closed")]
    Closed,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// What came first is no first packet.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// The message is longer than any that belongs here.
    #[error("a message of {0} bytes has no place here")]
    TooLong(usize),
}

/// Bytes that have arrived and are not used yet.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    used: usize,
}

impl Inbox {
    /// What has arrived already.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0 }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Whether all that arrived was used.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// What arrived and was not used.
    pub(crate) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.used);
        self.bytes
    }

    /// The next message, at most `max` bytes long without its header.
    pub(crate) async fn message(&mut self, stream: &mut Stream, max: usize) -> Result<Message, TalkError> {
        loop {
            if let Some(header) = message::header(self.rest())? {
                if header.payload > max {
                    return Err(TalkError::TooLong(header.payload));
                }
                if let Some(payload) = self.rest().get(HEADER_BYTES..header.total()) {
                    let message = Message { tag: header.tag, payload: payload.to_vec() };
                    self.used += header.total();
                    return Ok(message);
                }
            }
            self.fill(stream).await?;
        }
    }

    /// The next first packet.
    async fn startup(&mut self, stream: &mut Stream) -> Result<Startup, TalkError> {
        loop {
            if let Some((startup, used)) = startup::read(self.rest())? {
                self.used += used;
                return Ok(startup);
            }
            self.fill(stream).await?;
        }
    }

    async fn fill(&mut self, stream: &mut Stream) -> Result<(), TalkError> {
        if self.used > 0 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.reserve(READ_BYTES);
        match stream.read_buf(&mut self.bytes).await? {
            0 if self.bytes.is_empty() => Err(TalkError::Closed),
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }
}

/// A connection while it logs in.
pub(crate) struct Talk {
    pub stream: Stream,
    pub inbox: Inbox,
    /// What goes out with the next [`Talk::send`].
    pub output: Vec<u8>,
}

impl Talk {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, inbox: Inbox::default(), output: Vec::with_capacity(OUTPUT_BYTES) }
    }

    /// The next message, at most `max` bytes long without its header.
    pub(crate) async fn message(&mut self, max: usize) -> Result<Message, TalkError> {
        self.inbox.message(&mut self.stream, max).await
    }

    /// The next first packet.
    pub(crate) async fn startup(&mut self) -> Result<Startup, TalkError> {
        self.inbox.startup(&mut self.stream).await
    }

    /// Sends what is in `output`.
    pub(crate) async fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }

    /// The socket, to be put back as another stream; what is used in between fails.
    pub(crate) fn take_socket(&mut self) -> Socket {
        match std::mem::replace(&mut self.stream, Stream::Plain(Socket::Lost)) {
            Stream::Plain(socket) => socket,
            // Encryption within encryption is refused before anybody asks for the socket.
            Stream::TlsServer(_) | Stream::TlsClient(_) => Socket::Lost,
        }
    }
}
