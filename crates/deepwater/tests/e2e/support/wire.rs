//! One end of a connection that speaks HTTP/1.1 by hand: it says exactly what it is told to, and tells a whole
//! message from a broken one.

use std::io;
use std::ops::Deref;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::soon;

/// Any connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The start line and the fields of a message.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub start: String,
    pub fields: Vec<(String, String)>,
}

impl Head {
    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self { start, fields: lines.map(field).collect() }
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        let code = self.start.split(' ').nth(1).and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("no status line: {:?}", self.start))
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that comes at most once.
    pub fn get(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} comes {} times: {values:?}", values.len());
        values.first().copied()
    }

    /// Whether a list field has a member.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        let members = |value: &&str| value.split(',').any(|m| m.trim().eq_ignore_ascii_case(member));
        self.all(name).iter().any(members)
    }
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As its framing says.
    Whole,
    /// Before that.
    Broken,
}

/// A message that was read.
#[derive(Debug, Clone)]
pub struct Message {
    pub head: Head,
    /// The 1xx heads before it.
    pub interim: Vec<Head>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    pub ending: Ending,
}

impl Deref for Message {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Message {
    /// The body as text.
    pub fn text(&self) -> &str {
        assert_eq!(self.ending, Ending::Whole, "the body is broken: {self:?}");
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// One end of a connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Wire {
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new() }
    }

    /// Says these bytes. The other end may have left: what it did say tells the story.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes).await;
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        soon("the other end to read", async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        })
        .await
    }

    /// Writes as much as the other end takes at the moment; bytes taken.
    pub async fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).await
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.unread.reserve(64 * 1024);
        soon("the other end to say something", self.stream.read_buf(&mut self.unread)).await
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        self.unread.drain(..n).collect()
    }

    /// Exactly so many bytes, or as many as came.
    pub async fn bytes(&mut self, n: usize) -> Vec<u8> {
        while self.unread.len() < n {
            if !matches!(self.fill().await, Ok(1..)) {
                break;
            }
        }
        self.take(n.min(self.unread.len()))
    }

    /// Whatever comes next; empty at the end.
    pub async fn some_bytes(&mut self) -> Vec<u8> {
        if self.unread.is_empty() {
            let _ = self.fill().await;
        }
        std::mem::take(&mut self.unread)
    }

    /// Up to and without a line end; `None` when the connection ends before.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2);
                return Some(String::from_utf8(line[..end].to_vec()).expect("a line is text"));
            }
            if !matches!(self.fill().await, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next head; `None` when the connection ends before.
    pub async fn try_head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.take(end + 4);
                return Some(Head::parse(&String::from_utf8_lossy(&head[..end])));
            }
            if !matches!(self.fill().await, Ok(1..)) {
                return None;
            }
        }
    }

    pub async fn head(&mut self) -> Head {
        self.try_head().await.expect("a head comes before the connection ends")
    }

    /// The next response to a request that is not HEAD.
    pub async fn response(&mut self) -> Message {
        self.response_to("GET").await
    }

    pub async fn response_to(&mut self, method: &str) -> Message {
        self.try_response_to(method).await.expect("a response comes before the connection ends")
    }

    /// The next response; `None` when the connection ends before its head.
    pub async fn try_response_to(&mut self, method: &str) -> Option<Message> {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.try_head().await?;
            match head.status() {
                100 | 102..=199 => interim.push(head),
                _ => break head,
            }
        };
        let bodiless = method == "HEAD" || matches!(head.status(), 101 | 204 | 304);
        let message = if bodiless { Self::empty(head) } else { self.body_of(head, true).await };
        Some(Message { interim, ..message })
    }

    /// The next request; `None` when the connection ends before.
    pub async fn try_request(&mut self) -> Option<Message> {
        let head = self.try_head().await?;
        Some(self.body_of(head, false).await)
    }

    fn empty(head: Head) -> Message {
        Message { head, interim: Vec::new(), body: Vec::new(), trailers: Vec::new(), ending: Ending::Whole }
    }

    /// Reads the body that the head announces.
    pub async fn body_of(&mut self, head: Head, until_close: bool) -> Message {
        let mut message = Self::empty(head);
        let length = message.head.get("content-length").map(|n| n.parse::<usize>().expect("a length"));
        let whole = if message.head.lists("transfer-encoding", "chunked") {
            assert_eq!(length, None, "both a length and chunks: {:?}", message.head);
            self.chunks(&mut message).await.is_some()
        } else if let Some(length) = length {
            message.body = self.bytes(length).await;
            message.body.len() == length
        } else if until_close {
            loop {
                let ended = self.fill().await;
                message.body.append(&mut self.unread);
                match ended {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(_) => break false,
                }
            }
        } else {
            true
        };
        message.ending = if whole { Ending::Whole } else { Ending::Broken };
        message
    }

    async fn chunks(&mut self, message: &mut Message) -> Option<()> {
        while let Some(chunk) = self.chunk().await? {
            message.body.extend_from_slice(&chunk);
        }
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some(());
            }
            let (name, value) = line.split_once(':').expect("a trailer field");
            message.trailers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// One chunk of a body, `Some(None)` for the last one (trailers follow), `None` when the connection ends.
    pub async fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("not a chunk size: {size:?}"));
        if size == 0 {
            return Some(None);
        }
        let mut chunk = self.bytes(size + 2).await;
        if chunk.len() < size + 2 {
            // What did come counts as received.
            return None;
        }
        assert_eq!(chunk.split_off(size), b"\r\n", "a chunk ends with a line end");
        Some(Some(chunk))
    }

    /// Says a request and reads its response.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request).await;
        self.response().await
    }

    /// Asks for a path as an ordinary client does.
    pub async fn get(&mut self, path: &str) -> Message {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n")).await
    }

    /// Waits until the other end closes; whether it had said anything more.
    pub async fn closes(&mut self) -> Closed {
        let mut rest = std::mem::take(&mut self.unread);
        loop {
            let ended = self.fill().await;
            rest.append(&mut self.unread);
            match ended {
                Ok(0) => return Closed { rest, reset: false },
                Ok(_) => {}
                Err(_) => return Closed { rest, reset: true },
            }
        }
    }
}

/// The end of a connection.
#[derive(Debug)]
pub struct Closed {
    /// What came before it.
    pub rest: Vec<u8>,
    /// Whether it broke off rather than ended.
    pub reset: bool,
}
