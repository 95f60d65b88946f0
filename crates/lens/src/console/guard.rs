//! Who may ask, and from where.
//!
//! Two dangers come through the browser of somebody who may: a foreign page that has its own name resolve
//! to this address (DNS rebinding) and reads, and a foreign page that posts (cross-site request forgery).
//! The first is answered by looking at `Host`, the second by asking for a header that a foreign page cannot
//! set without a CORS preflight, which is never granted.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::{constant_time, digest, hmac};
use deepwater_host::{Roots, host_name};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use http::{HeaderMap, Uri};

use super::StartError;

/// Name of the login cookie. Browsers send cookies to every port of a host, so its value is derived from
/// the token and opens the console only; the token itself stays with the user.
const COOKIE_NAME: &str = "deepwater_console";

/// Decides who may ask.
pub(super) struct Guard {
    token: Option<Token>,
    /// The machine's own name, which people type instead of `localhost`.
    own_name: String,
}

struct Token {
    digest: digest::Digest,
    session: String,
}

/// Why a caller was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or a wrong one: 401.
    Unauthorized,
    /// The `Host` is a name that anybody could point here: 403.
    ForeignHost(String),
    /// A command that a foreign page could have sent: 403.
    CrossSite,
}

impl Guard {
    /// # Errors
    /// The address can be reached by others and there is no token.
    pub(super) fn new(address: SocketAddr, token: Option<&str>) -> Result<Self, StartError> {
        if token.is_none() && reachable_by_others(address) {
            return Err(StartError::TokenMissing(address));
        }
        let own_name = host_name(&Roots::default()).unwrap_or_default();
        Ok(Self { token: token.map(Token::new), own_name })
    }

    /// Whether the caller may ask at all.
    ///
    /// # Errors
    /// The refusal, when it may not.
    pub(super) fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.token {
            Some(token) if token.shown_in(headers) => Ok(()),
            Some(_) => Err(Refusal::Unauthorized),
            None => self.check_host(uri, headers),
        }
    }

    /// Whether a command comes from this page or a program, not from a foreign page.
    ///
    /// # Errors
    /// The refusal, when it may come from a foreign page.
    pub(super) fn admit_command(headers: &HeaderMap) -> Result<(), Refusal> {
        let json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/json")
        });
        let marked = headers.get("x-deepwater").is_some_and(|value| value == "1");
        if json || marked { Ok(()) } else { Err(Refusal::CrossSite) }
    }

    /// The `Set-Cookie` value that logs a browser in, when the token is right.
    pub(super) fn login(&self, candidate: &str) -> Option<String> {
        let token = self.token.as_ref().filter(|token| token.equals(candidate))?;
        // Lax: a link from a chat may open the console, a foreign page may not post with the cookie.
        Some(format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax", token.session))
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = match uri.host() {
            Some(host) => host,
            None => match headers.get(HOST).map(|host| host.to_str()) {
                Some(Ok(host)) => without_port(host),
                Some(Err(_)) => return Err(Refusal::ForeignHost("unreadable".into())),
                // Every browser sends it: whoever does not is a program.
                None => return Ok(()),
            },
        };
        if self.is_ours(host) { Ok(()) } else { Err(Refusal::ForeignHost(host.to_owned())) }
    }

    /// A literal address cannot be rebound; `localhost` never leaves the machine (RFC 6761 §6.3).
    fn is_ours(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || (!host.is_empty() && host.eq_ignore_ascii_case(&self.own_name))
    }
}

impl Token {
    fn new(text: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let tag = hmac::sign(&key, b"deepwater console session");
        let session = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { digest: digest::digest(&digest::SHA256, text.as_bytes()), session }
    }

    /// Digests are compared, so the time taken tells neither the length nor the first wrong byte.
    fn equals(&self, candidate: &str) -> bool {
        let candidate = digest::digest(&digest::SHA256, candidate.as_bytes());
        constant_time::verify_slices_are_equal(self.digest.as_ref(), candidate.as_ref()).is_ok()
    }

    fn shown_in(&self, headers: &HeaderMap) -> bool {
        let text = |value: &'_ http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let bearer = headers.get(AUTHORIZATION).map(text).is_some_and(|value| {
            value
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .is_some_and(|(_, candidate)| self.equals(candidate.trim()))
        });
        bearer
            || headers.get_all(COOKIE).iter().map(text).any(|cookies| {
                cookies
                    .split(';')
                    .filter_map(|cookie| cookie.trim().split_once('='))
                    .filter(|(name, _)| *name == COOKIE_NAME)
                    .any(|(_, value)| self.is_session(value))
            })
    }

    fn is_session(&self, value: &str) -> bool {
        constant_time::verify_slices_are_equal(self.session.as_bytes(), value.as_bytes()).is_ok()
    }
}

/// Whether a socket bound there answers other machines.
pub(super) fn reachable_by_others(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => {
            // `::1` without brackets is an address, not a name with a port.
            if name.contains(':') && !name.starts_with('[') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(token: Option<&str>) -> Guard {
        Guard::new("127.0.0.1:9000".parse().unwrap(), token).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn admit_host(host: &str) -> Result<(), Refusal> {
        guard(None).admit(&Uri::from_static("/"), &headers(&[("host", host)]))
    }

    #[test]
    fn names_that_can_be_rebound_are_foreign() {
        for ours in ["localhost", "LOCALHOST.:9000", "127.0.0.1:9000", "[::1]:9000", "[::1]", "dw.localhost"]
        {
            assert_eq!(admit_host(ours), Ok(()), "{ours}");
        }
        for foreign in ["evil.example", "localhost.evil.example:9000", "", "127.0.0.1.evil.example", "[]"] {
            assert!(matches!(admit_host(foreign), Err(Refusal::ForeignHost(_))), "{foreign}");
        }
        let absolute = Uri::from_static("http://evil.example/api/status");
        assert!(guard(None).admit(&absolute, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn a_token_or_its_cookie_opens() {
        let guard = guard(Some("open sesame"));
        let admit = |name, value: &str| guard.admit(&Uri::from_static("/"), &headers(&[(name, value)]));
        assert_eq!(admit("authorization", "Bearer open sesame"), Ok(()));
        assert_eq!(admit("authorization", "bearer open sesame"), Ok(()));
        assert_eq!(admit("authorization", "Basic open sesame"), Err(Refusal::Unauthorized));
        assert_eq!(admit("authorization", "Bearer open"), Err(Refusal::Unauthorized));
        assert_eq!(admit("cookie", "deepwater_console=open sesame"), Err(Refusal::Unauthorized));

        assert_eq!(guard.login("open"), None);
        let cookie = guard.login("open sesame").unwrap();
        assert!(!cookie.contains("sesame"));
        let (cookie, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(admit("cookie", &format!("a=b; {cookie}; c=d")), Ok(()));
        assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite"));
    }

    #[test]
    fn a_console_others_can_reach_needs_a_token() {
        for open in ["0.0.0.0:9000", "[::]:9000", "192.0.2.1:9000"] {
            let address = open.parse().unwrap();
            assert!(matches!(Guard::new(address, None), Err(StartError::TokenMissing(_))), "{open}");
            assert!(Guard::new(address, Some("long and random")).is_ok(), "{open}");
        }
        assert!(Guard::new("[::ffff:127.0.0.1]:9000".parse().unwrap(), None).is_ok());
    }

    #[test]
    fn a_form_of_a_foreign_page_is_no_command() {
        let form = headers(&[("content-type", "application/x-www-form-urlencoded")]);
        assert_eq!(Guard::admit_command(&form), Err(Refusal::CrossSite));
        assert_eq!(Guard::admit_command(&headers(&[("x-deepwater", "1")])), Ok(()));
        let json = headers(&[("content-type", "Application/JSON; charset=utf-8")]);
        assert_eq!(Guard::admit_command(&json), Ok(()));
    }
}
