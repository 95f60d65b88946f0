//! One POST to a URL that somebody configured, over a fresh connection. Redirects are not followed: the configuration says
//! whom to trust.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use deepwater_tls::{Authorities, ClientSpec, ClientTls, TlsVersion, Trust, server_name};
use http::header::{HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// More of an answer's body is not read, bytes. It only says what went wrong.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// Where to post, and how that is reached.
pub(super) struct Destination {
    /// A name, or an address without brackets.
    dial: String,
    port: u16,
    /// As `Host` has it.
    host: HeaderValue,
    path: String,
    tls: Option<(ClientTls, ServerName<'static>)>,
}

/// Files for a server that is not of the public web. All may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// PEM file of the authorities that its certificate may come from.
    pub(super) ca: Option<String>,
    /// PEM file of the certificate shown to it.
    pub(super) cert: Option<String>,
    /// PEM file of that certificate's key.
    pub(super) key: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// For how long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Empty when it was longer than 64 KiB, or broke off.
    pub(super) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
}

impl Destination {
    /// Takes a URL apart; for https it reads the authorities, a few hundred files with the system's.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that does not repeat the URL, which may hold a secret.
    pub(super) fn parse(url: &str, files: &Files, directory: &Path) -> Result<Self, String> {
        let malformed = || "it is no URL like \"https://host:port/path\"".to_owned();
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(malformed()),
        };
        if authority.as_str().contains('@') {
            return Err("a user or password does not belong in it; a header carries them".into());
        }
        let name = authority.host();
        let port = match authority.port() {
            Some(port) if port.as_u16() > 0 => port.as_u16(),
            None if authority.as_str() == name => {
                if secure {
                    443
                } else {
                    80
                }
            }
            _ => return Err("its port is none".into()),
        };
        let dial = name.trim_matches(['[', ']']).to_owned();
        if dial.is_empty() {
            return Err(malformed());
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| malformed())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let tls = if secure { Some(tls_to(name, files, directory)?) } else { None };
        Ok(Self { dial, port, host, path, tls })
    }

    /// Scheme, host and port: what may be shown of it.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.host.to_str().unwrap_or(&self.dial))
    }

    /// The whole URL; only for tests, since it may hold a secret.
    #[cfg(test)]
    pub(super) fn url(&self) -> String {
        self.shown() + &self.path
    }

    /// Posts, and waits for the whole answer no longer than `deadline`. `wall` is the civil time, for `Retry-After`.
    pub(super) async fn post(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        deadline: Duration,
        wall: SystemTime,
    ) -> Result<Answer, PostError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        // The path came out of a URI.
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        headers.clone_into(request.headers_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        match tokio::time::timeout(deadline, self.send(request, wall)).await {
            Ok(result) => result,
            Err(_) => Err(PostError::Timeout(deadline)),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>, wall: SystemTime) -> Result<Answer, PostError> {
        let address = (self.dial.as_str(), self.port);
        let tcp = TcpStream::connect(address).await.map_err(PostError::Connect)?;
        let _ = tcp.set_nodelay(true);
        let Some((tls, name)) = &self.tls else { return exchange(tcp, request, wall).await };
        let connecting = TlsConnector::from(tls.config()).connect(name.clone(), tcp);
        exchange(connecting.await.map_err(PostError::Tls)?, request, wall).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, wall: SystemTime) -> Result<Answer, PostError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT_BYTES).collect().await;
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| retry_after(value, wall));
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok(Answer { status: head.status, retry_after, body })
    };
    let mut exchange = pin!(exchange);
    // The connection does its work beside the exchange, and ends with it.
    tokio::select! {
        result = &mut exchange => result,
        _ = connection => exchange.await,
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(value: &HeaderValue, wall: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(wall).unwrap_or_default())
}

fn tls_to(host: &str, files: &Files, directory: &Path) -> Result<(ClientTls, ServerName<'static>), String> {
    let name = server_name(host).ok_or("its host is neither a name nor an address")?;
    let authorities = files.ca.clone().map_or(Authorities::System, Authorities::File);
    let spec = ClientSpec {
        trust: Trust::Web(authorities),
        cert: files.cert.clone(),
        key: files.key.clone(),
        min: TlsVersion::V1_2,
        alpn: vec![b"http/1.1".to_vec()],
        resume: true,
    };
    let tls = ClientTls::load(spec, directory)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok((tls, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Destination, String> {
        Destination::parse(url, &Files::default(), Path::new("."))
    }

    #[test]
    fn a_destination_is_a_url() {
        for (url, dial, port, path, shown) in [
            ("http://127.0.0.1:4318/v1/metrics", "127.0.0.1", 4318, "/v1/metrics", "http://127.0.0.1:4318"),
            ("http://collector", "collector", 80, "/", "http://collector"),
            ("http://[::1]:9/x?secret=1", "::1", 9, "/x?secret=1", "http://[::1]:9"),
        ] {
            let destination = parse(url).unwrap();
            assert_eq!((destination.dial.as_str(), destination.port), (dial, port), "{url}");
            assert_eq!((destination.path.as_str(), destination.shown()), (path, shown.to_owned()), "{url}");
        }
        for wrong in [
            "",
            "/",
            "collector:4318",
            "ftp://a/b",
            "http://",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://me:pw@a/",
            "https:///x",
            "http://a b/",
        ] {
            let fault = parse(wrong).err().unwrap_or_else(|| panic!("{wrong} is taken"));
            assert!(!fault.contains("pw"), "{fault}");
        }
    }

    #[test]
    fn a_server_says_how_long_to_wait() {
        let wall = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let after = |text| retry_after(&HeaderValue::from_static(text), wall);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }
}
