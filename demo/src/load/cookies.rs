//! A visitor's cookies: names and values, for the one site there is.

use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// More than the shop and whatever stands before it can reasonably set.
const MAX_COOKIES: usize = 16;

#[derive(Debug, Default)]
pub(super) struct CookieJar(Vec<(String, String)>);

impl CookieJar {
    /// Takes up what a response sets (RFC 6265 §5.2). Of the attributes only a `Max-Age` that has run out
    /// matters to a visit of minutes.
    pub(super) fn store(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let expired = parts.filter_map(|attribute| attribute.split_once('=')).any(|(key, age)| {
                key.eq_ignore_ascii_case("max-age") && age.parse::<i64>().is_ok_and(|age| age <= 0)
            });
            self.0.retain(|(known, _)| known != name);
            if !expired && self.0.len() < MAX_COOKIES {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The value of the `Cookie` header, when there is anything to send.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| HeaderValue::from_str(&pairs.join("; ")).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_replaced_and_forgotten() {
        let mut jar = CookieJar::default();
        assert_eq!(jar.header(), None);

        let mut set = |cookies: &[&'static str]| {
            let headers = cookies.iter().map(|&cookie| (SET_COOKIE, HeaderValue::from_static(cookie)));
            jar.store(&headers.collect());
            jar.header().map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(
            set(&["shop-session=a; Path=/; HttpOnly", "lb-server=x=1"]).unwrap(),
            "shop-session=a; lb-server=x=1"
        );
        assert_eq!(set(&["shop-session=b"]).unwrap(), "lb-server=x=1; shop-session=b");
        assert_eq!(set(&["lb-server=; Max-Age=0"]).unwrap(), "shop-session=b");
    }
}
