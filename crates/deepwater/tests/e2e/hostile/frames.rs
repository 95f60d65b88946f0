//! One end of an HTTP/2 connection that speaks frames by hand, whatever they say.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Deepwater, soon};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
const ACK: u8 = 0x1;

pub const PROTOCOL_ERROR: u32 = 1;
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The status of the first response on a connection.
    pub fn status(&self) -> u16 {
        match self.payload[0] {
            // Indexed, from the static table (RFC 7541, appendix A).
            0x88 => 200,
            0x8c => 400,
            0x8d => 404,
            // A literal with the name `:status`.
            0x08 | 0x48 => digits(&self.payload[1..]),
            other => panic!("not a status: {other:#x}"),
        }
    }
}

/// Three digits, Huffman-coded or not (RFC 7541, appendix B).
fn digits(text: &[u8]) -> u16 {
    let len = usize::from(text[0] & 0x7f);
    let bytes = &text[1..=len];
    if text[0] & 0x80 == 0 {
        return std::str::from_utf8(bytes).unwrap().parse().unwrap();
    }
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut take = |n: usize| bits.by_ref().take(n).fold(0, |code, bit| code << 1 | bit);
    (0..3).fold(0, |number, _| {
        let short = take(5);
        let digit = if short <= 2 { short } else { (short << 1 | take(1)) - 0x19 + 3 };
        number * 10 + digit
    })
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals that nobody needs to remember (RFC 7541 §6.2.2).
pub fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name.as_bytes(), value] {
            assert!(text.len() < 127 + 128, "lengths of two bytes at most");
            if text.len() < 127 {
                out.push(text.len() as u8);
            } else {
                out.extend([127, (text.len() - 127) as u8]);
            }
            out.extend_from_slice(text);
        }
    }
    out
}

/// The fields of an ordinary request.
pub fn get(path: &str) -> Vec<(&str, &[u8])> {
    vec![(":method", b"GET"), (":scheme", b"http"), (":authority", b"a"), (":path", path.as_bytes())]
}

/// A client's end.
pub struct Frames {
    stream: TcpStream,
}

impl Frames {
    /// Connects and says who it is.
    pub async fn to(edge: &Deepwater) -> Self {
        Self::with_settings(edge, &[]).await
    }

    /// The same, with SETTINGS of its own.
    pub async fn with_settings(edge: &Deepwater, settings: &[u8]) -> Self {
        let mut stream = edge.dial(0).await;
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]].concat();
        stream.write_all(&preface).await.unwrap();
        Self { stream }
    }

    /// Says these bytes. False when the other end has gone.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        soon("the edge to read, or to leave", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Begins a request without a body.
    pub async fn ask(&mut self, stream: u32, fields: &[(&str, &[u8])]) -> bool {
        self.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(fields))).await
    }

    /// The next frame; `None` once the edge has left. SETTINGS are acknowledged.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            soon("a frame", self.stream.read_exact(&mut head)).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            soon("a payload", self.stream.read_exact(&mut payload)).await.ok()?;
            let stream = u32::from_be_bytes(stream);
            if kind == SETTINGS {
                if flags & ACK == 0 {
                    self.send(&frame(SETTINGS, ACK, 0, &[])).await;
                }
                continue;
            }
            return Some(Frame { kind, stream, payload });
        }
    }

    /// The next frame of that kind; `None` once the edge has left.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Says the same over and over, whatever the edge says, until that has left; the error code it gave.
    pub async fn flood(self, mut bytes: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
        let (mut from, mut to) = self.stream.into_split();
        let writing = async {
            // Odd numbers, as those of a client's streams are.
            for stream in (1..).step_by(2) {
                if to.write_all(&bytes(stream)).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let mut said = Vec::new();
        let reading = soon("the edge to leave", from.read_to_end(&mut said));
        tokio::select! {
            // Cut off, it has said what it had to say.
            _ = reading => {}
            () = writing => {}
        }
        goodbye(&said)
    }
}

impl Frames {
    /// Says the same now and then, until the edge has left; the error code it gave.
    pub async fn drip(self, piece: &[u8]) -> Option<u32> {
        let (mut from, mut to) = self.stream.into_split();
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        let writing = async {
            while to.write_all(piece).await.is_ok() {
                ticks.tick().await;
            }
            std::future::pending::<()>().await;
        };
        let mut said = Vec::new();
        tokio::select! {
            _ = soon("the edge to leave", from.read_to_end(&mut said)) => {}
            () = writing => {}
        }
        goodbye(&said)
    }
}

/// The error code of the GOAWAY in these frames.
fn goodbye(mut bytes: &[u8]) -> Option<u32> {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let (payload, next) = rest.split_at_checked(u32::from_be_bytes([0, *a, *b, *c]) as usize)?;
        if *kind == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = next;
    }
    None
}
