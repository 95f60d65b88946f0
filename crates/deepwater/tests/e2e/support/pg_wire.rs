//! One end of a connection that speaks PostgreSQL's protocol by hand: it says exactly what it is told to, in any
//! order, and tells what it hears message by message.

mod login;
mod reply;
pub mod say;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::postgres::Place;
use super::soon;
use super::wire::Stream;

pub use reply::Reply;

/// A connection to a server, or to what stands for one.
pub struct Pg {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    /// The session's number and key, for cancelling.
    pub pid: u32,
    pub key: Vec<u8>,
    /// What the server has reported.
    pub parameters: BTreeMap<String, String>,
}

impl fmt::Debug for Pg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.pid)
    }
}

/// A step of a conversation.
#[derive(Clone)]
pub enum Step {
    /// Say these messages in one go.
    Say(Vec<u8>),
    /// Hear until the server is ready for a query.
    Ready,
    /// Hear this many messages.
    Hear(usize),
    /// Hear until a message with this tag.
    Until(u8),
    /// Hear until the server closes the connection.
    Closed,
}

/// Messages in one go.
pub fn at_once<const N: usize>(messages: [Vec<u8>; N]) -> Step {
    Step::Say(messages.concat())
}

impl Pg {
    /// A connection on which nothing was said yet.
    pub fn over(stream: impl Stream + 'static) -> Self {
        let (pid, key, parameters) = (0, Vec::new(), BTreeMap::new());
        Self { stream: Box::new(stream), unread: Vec::new(), pid, key, parameters }
    }

    /// A TCP connection on which nothing was said yet.
    pub async fn dial(place: &Place) -> Self {
        let stream = soon("a connection", TcpStream::connect(place.address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// A connection through a Unix socket on which nothing was said yet.
    pub async fn dial_unix(socket: &Path) -> Self {
        Self::over(soon("a connection", UnixStream::connect(socket)).await.unwrap())
    }

    /// Says these bytes. The other end may have left: what it did say tells the story.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_say(bytes).await;
    }

    pub async fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        soon("the server to read", async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        })
        .await
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn fill(&mut self) -> bool {
        self.unread.reserve(64 * 1024);
        let read = soon("the server to say something", self.stream.read_buf(&mut self.unread)).await;
        // A reset after all was said is an end too.
        read.is_ok_and(|count| count > 0)
    }

    /// One byte outside of any message: the answer to a request for TLS. `None` when the connection was closed.
    pub async fn byte(&mut self) -> Option<u8> {
        while self.unread.is_empty() {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.unread.remove(0))
    }

    /// Bytes of the first unread message, once all of them are there.
    fn whole(&self) -> Option<usize> {
        let length = self.unread.get(1..5)?.try_into().map(u32::from_be_bytes).unwrap();
        let whole = 1 + length as usize;
        (self.unread.len() >= whole).then_some(whole)
    }

    /// Whatever comes, messages or not, until it ends like an answer or the connection is closed.
    pub async fn bytes_until_closed_or_ready(&mut self) -> Vec<u8> {
        while !self.unread.windows(5).any(|part| part == b"Z\0\0\0\x05") && self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    /// Whatever comes until the connection is closed.
    pub async fn bytes_until_closed(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    /// The next message; `None` when the connection was closed after a whole one.
    pub async fn try_hear(&mut self) -> Option<Reply> {
        let whole = loop {
            if let Some(whole) = self.whole() {
                break whole;
            }
            if !self.fill().await {
                assert!(self.unread.is_empty(), "broken off inside a message: {:?}", self.unread);
                return None;
            }
        };
        let rest = self.unread.split_off(whole);
        let message = std::mem::replace(&mut self.unread, rest);
        let reply = Reply { tag: message[0], payload: message[5..].to_vec() };
        if reply.tag == b'S' {
            self.parameters.extend([reply.parameter()]);
        }
        Some(reply)
    }

    /// The next message.
    pub async fn hear(&mut self) -> Reply {
        self.try_hear().await.expect("the connection is open")
    }

    /// All messages up to one with a tag.
    pub async fn hear_until(&mut self, tag: u8) -> Vec<Reply> {
        let mut replies = vec![self.hear().await];
        while replies.last().is_some_and(|last| last.tag != tag) {
            match self.try_hear().await {
                Some(reply) => replies.push(reply),
                None => panic!("closed before {:?}: {replies:#?}", char::from(tag)),
            }
        }
        replies
    }

    /// All messages until the connection is closed.
    pub async fn hear_out(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.try_hear().await {
            replies.push(reply);
        }
        replies
    }

    /// All messages until the server is ready, or closes the connection.
    pub async fn hear_out_or_ready(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.try_hear().await {
            let ready = reply.tag == b'Z';
            replies.push(reply);
            if ready {
                break;
            }
        }
        replies
    }

    /// Passes over a message too large to keep: its tag, and how long it was.
    pub async fn skip_message(&mut self) -> (u8, usize) {
        while self.unread.len() < 5 {
            assert!(self.fill().await, "closed before a message");
        }
        let tag = self.unread[0];
        let length = u32::from_be_bytes(self.unread[1..5].try_into().unwrap()) as usize - 4;
        let mut rest = 5 + length;
        while rest > 0 {
            let part = rest.min(self.unread.len());
            self.unread.drain(..part);
            rest -= part;
            assert!(rest == 0 || self.fill().await, "closed inside a message");
        }
        (tag, length)
    }

    /// Says something, and hears until the server is ready again.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Reply> {
        self.say(bytes).await;
        self.hear_until(b'Z').await
    }

    /// A text in the simple protocol.
    pub async fn query(&mut self, sql: &str) -> Vec<Reply> {
        self.ask(say::query(sql)).await
    }

    /// A text in the simple protocol; what is heard until the server is ready, or closes the connection.
    pub async fn query_or_end(&mut self, sql: &str) -> Vec<Reply> {
        self.say(say::query(sql)).await;
        self.hear_out_or_ready().await
    }

    /// The rows of a text that succeeds.
    pub async fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let replies = self.query(sql).await;
        succeeded(sql, &replies);
        replies.iter().filter(|reply| reply.tag == b'D').map(Reply::row).collect()
    }

    /// The one value of a text that succeeds; NULL is empty.
    pub async fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: {rows:?}");
        rows[0][0].clone().unwrap_or_default()
    }

    /// A text that succeeds.
    pub async fn run(&mut self, sql: &str) {
        self.rows(sql).await;
    }

    /// The error that a text gives.
    pub async fn error(&mut self, sql: &str) -> Reply {
        error_in(&self.query(sql).await)
    }

    /// Ends the session as clients do.
    pub async fn leave(mut self) {
        self.say(say::terminate()).await;
        assert!(self.hear_out().await.iter().all(|reply| reply.tag != b'E'));
    }

    /// Plays a conversation; what was heard, in words.
    pub async fn converse(&mut self, steps: &[Step]) -> Vec<String> {
        let mut heard = Vec::new();
        for step in steps {
            match step {
                Step::Say(bytes) => self.say(bytes).await,
                Step::Ready => heard.extend(self.hear_until(b'Z').await),
                Step::Until(tag) => heard.extend(self.hear_until(*tag).await),
                Step::Closed => heard.extend(self.hear_out().await),
                Step::Hear(count) => {
                    for _ in 0..*count {
                        heard.push(self.hear().await);
                    }
                }
            }
        }
        heard.iter().map(ToString::to_string).collect()
    }
}

/// Fails where a server said that something failed.
pub fn succeeded(what: &str, replies: &[Reply]) {
    let error = replies.iter().find(|reply| reply.tag == b'E');
    assert!(error.is_none(), "{what}: {error:?}");
}

/// The one error among these.
pub fn error_in(replies: &[Reply]) -> Reply {
    let mut errors = replies.iter().filter(|reply| reply.tag == b'E');
    let error = errors.next().unwrap_or_else(|| panic!("no error: {replies:?}"));
    assert_eq!(errors.next(), None, "one error is enough");
    error.clone()
}
