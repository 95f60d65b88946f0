//! One GET and its answer, over HTTP/1.1 and HTTP/2.

use std::io;

use ::h2::client;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::head::{Fields, Name, Response};
use crate::http1::chunked::{Decoder, Step};
use crate::http1::framing::{self, Framing};
use crate::http1::parse;
use crate::io::Transport;

/// Bytes of a response head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Get<'a> {
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) user_agent: &'a str,
    /// Whether the body matters even if it does not say that it is JSON.
    pub(crate) wants_body: bool,
    /// Bytes of a body that are read; a longer one is a fault.
    pub(crate) max_body_bytes: usize,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body, if it was asked for or says that it is JSON.
    pub(crate) body: Result<Option<Vec<u8>>, BodyFault>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// No connection.
    #[error("{}", cause(.0))]
    Connect(io::Error),
    /// No TLS connection.
    #[error("TLS: {}", cause(.0))]
    Tls(io::Error),
    /// There is no name that the target's certificate could bear.
    #[error("TLS: no server name is known for {0}")]
    ServerName(String),
    /// The connection broke.
    #[error("no answer: {}", cause(.0))]
    Io(#[from] io::Error),
    /// The connection ended within or before the head.
    #[error("closed the connection without an answer")]
    Closed,
    /// Not HTTP/1.
    #[error("the answer is not HTTP/1.1: {0}")]
    Head(#[from] parse::BadHead),
    /// Too long a head.
    #[error("the answer's head is larger than {} KiB", MAX_HEAD_BYTES / 1024)]
    HeadTooLarge,
    /// Not HTTP/2, or the stream failed.
    #[error("HTTP/2: {0}")]
    Http2(#[from] ::h2::Error),
    /// Path or host cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Request(#[from] http::Error),
}

/// Why a body cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    /// It broke off.
    #[error("the body broke off")]
    Truncated,
    /// It breaks its coding.
    #[error("the body is malformed")]
    Malformed,
    /// It goes on and on, beyond so many bytes.
    #[error("the body is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
}

/// `connection refused`, without the number of the system's error where the kind says it all.
fn cause(error: &io::Error) -> String {
    match error.kind() {
        kind if error.raw_os_error().is_some() && kind != io::ErrorKind::Other => kind.to_string(),
        _ => error.to_string(),
    }
}

/// Whether a media type is JSON or says that it is built on it (RFC 6839 §3.1).
fn is_json(content_type: Option<&[u8]>) -> bool {
    let essence =
        content_type.unwrap_or_default().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let ends_with = |suffix: &[u8]| {
        essence.len() > suffix.len() && essence[essence.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
    };
    ends_with(b"/json") || ends_with(b"+json")
}

pub(crate) async fn http1(mut io: Transport, get: Get<'_>) -> Result<Answer, ExchangeError> {
    let Get { host, path, user_agent, wants_body, max_body_bytes } = get;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {user_agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    io.write_all(request.as_bytes()).await?;
    io.flush().await?;
    let mut reader = Http1Reader { io, buffer: Vec::new(), max_body_bytes };
    let head = reader.head().await?;
    let body = if wants_body || is_json(head.fields.get_known(Name::ContentType)) {
        reader.body(&head).await.map(Some)
    } else {
        Ok(None)
    };
    Ok(Answer { status: head.status, body })
}

/// Reads a response; bytes before `buffer` are used up.
struct Http1Reader {
    io: Transport,
    buffer: Vec<u8>,
    max_body_bytes: usize,
}

impl Http1Reader {
    /// Reads more; 0 is the end of the stream.
    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(4 * 1024);
        self.io.read_buf(&mut self.buffer).await
    }

    /// The head of the final response.
    async fn head(&mut self) -> Result<Response, ExchangeError> {
        let mut response = Response::default();
        loop {
            if let Some(len) = parse::response(&self.buffer, &mut response)? {
                self.buffer.drain(..len);
                if response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS {
                    continue;
                }
                return Ok(response);
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(ExchangeError::HeadTooLarge);
            }
            if self.fill().await? == 0 {
                return Err(ExchangeError::Closed);
            }
        }
    }

    async fn body(&mut self, head: &Response) -> Result<Vec<u8>, BodyFault> {
        let most = self.max_body_bytes;
        match framing::of_response(head, &Method::GET).map_err(|_| BodyFault::Malformed)? {
            Framing::Empty => Ok(Vec::new()),
            Framing::Length(len) => {
                let len =
                    usize::try_from(len).ok().filter(|len| *len <= most).ok_or(BodyFault::TooLarge(most))?;
                while self.buffer.len() < len {
                    self.fill_body().await?;
                }
                self.buffer.truncate(len);
                Ok(std::mem::take(&mut self.buffer))
            }
            Framing::UntilClose => loop {
                if self.buffer.len() > most {
                    return Err(BodyFault::TooLarge(most));
                }
                match self.fill().await {
                    Ok(0) => return Ok(std::mem::take(&mut self.buffer)),
                    Ok(_) => {}
                    Err(_) => return Err(BodyFault::Truncated),
                }
            },
            Framing::Chunked => self.chunked().await,
        }
    }

    async fn chunked(&mut self) -> Result<Vec<u8>, BodyFault> {
        let (mut decoder, mut trailers, mut body) = (Decoder::default(), Fields::default(), Vec::new());
        let mut at = 0;
        loop {
            match decoder.step(&self.buffer[at..], &mut trailers).map_err(|_| BodyFault::Malformed)? {
                Step::Skip(n) => at += n,
                Step::Data(n) => {
                    if body.len() + n > self.max_body_bytes {
                        return Err(BodyFault::TooLarge(self.max_body_bytes));
                    }
                    body.extend_from_slice(&self.buffer[at..at + n]);
                    decoder.took(n);
                    at += n;
                }
                Step::End(_) => return Ok(body),
                Step::More => {
                    self.buffer.drain(..at);
                    at = 0;
                    self.fill_body().await?;
                }
            }
        }
    }

    async fn fill_body(&mut self) -> Result<(), BodyFault> {
        match self.fill().await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(BodyFault::Truncated),
        }
    }
}

pub(super) async fn http2(io: Transport, secure: bool, get: Get<'_>) -> Result<Answer, ExchangeError> {
    let Get { host, path, user_agent, wants_body, max_body_bytes } = get;
    let scheme = if secure { "https" } else { "http" };
    let uri = http::Uri::builder().scheme(scheme).authority(host).path_and_query(path).build()?;
    let request = http::Request::get(uri).header("user-agent", user_agent).header("accept", "*/*").body(())?;
    let (sender, connection) = client::handshake(io).await?;
    let exchange = async {
        let (response, _) = sender.ready().await?.send_request(request, true)?;
        let response = response.await?;
        let status = response.status();
        let content_type =
            response.headers().get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let body = if wants_body || is_json(content_type) {
            http2_body(response.into_body(), max_body_bytes).await.map(Some)
        } else {
            Ok(None)
        };
        Ok(Answer { status, body })
    };
    // The connection makes progress only while it is polled, and is dropped with the answer.
    tokio::select! {
        biased;
        answer = exchange => answer,
        ended = connection => Err(ended.map_or_else(ExchangeError::Http2, |()| ExchangeError::Closed)),
    }
}

async fn http2_body(mut stream: ::h2::RecvStream, most: usize) -> Result<Vec<u8>, BodyFault> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data.map_err(|_| BodyFault::Truncated)?;
        if body.len() + data.len() > most {
            return Err(BodyFault::TooLarge(most));
        }
        body.extend_from_slice(&data);
        // It fails only on a stream already gone.
        let _ = stream.flow_control().release_capacity(data.len());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        for json in ["application/json", "application/health+json; charset=utf-8", "Text/JSON"] {
            assert!(is_json(Some(json.as_bytes())), "{json}");
        }
        for other in ["text/html", "application/jsonp", "/", ""] {
            assert!(!is_json(Some(other.as_bytes())), "{other}");
        }
        assert!(!is_json(None));
    }
}
