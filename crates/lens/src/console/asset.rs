//! The pages for people, and the content security policy that goes with each.

use aws_lc_rs::digest;
use bytes::Bytes;

/// The dashboard, built from `ui/` by `npm run build`.
const DASHBOARD: &str = include_str!("console.html");
/// The form shown to a browser without a token.
const SIGN_IN: &str = include_str!("sign_in.html");

/// An HTML page whose scripts and styles stand within it.
pub(super) struct Asset {
    pub(super) html: Bytes,
    /// Value of `Content-Security-Policy`: nothing but what the page itself holds may run or be shown.
    pub(super) policy: String,
}

impl Asset {
    pub(super) fn dashboard() -> Self {
        Self::new(DASHBOARD)
    }

    pub(super) fn sign_in() -> Self {
        Self::new(SIGN_IN)
    }

    fn new(html: &'static str) -> Self {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            sources(html, "script"),
            sources(html, "style"),
        );
        Self { html: Bytes::from_static(html.as_bytes()), policy }
    }
}

/// The CSP hash of every inline element of a kind; `'none'` when there is none (CSP Level 3 §8.3).
fn sources(html: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let mut sources = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some((content, after)) =
            after.split_once('>').and_then(|(_, content)| content.split_once(close.as_str()))
        else {
            break;
        };
        let hash = digest::digest(&digest::SHA256, content.as_bytes());
        sources.push(format!("'sha256-{}'", base64(hash.as_ref())));
        rest = after;
    }
    if sources.is_empty() { "'none'".into() } else { sources.join(" ") }
}

/// Base 64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, n| group << 8 | usize::from(chunk.get(n).copied().unwrap_or(0)));
        for digit in 0..4 {
            let used = digit <= chunk.len();
            text.push(if used { char::from(ALPHABET[group >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let examples = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in examples {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn every_inline_element_is_allowed_by_its_hash() {
        // printf %s 'alert(1)' | openssl dgst -sha256 -binary | base64
        let sources = sources("<script type=module>alert(1)</script><p><script></script>", "script");
        let (first, second) = sources.split_once(' ').unwrap();
        assert_eq!(first, "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='");
        assert_eq!(second, "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
    }

    #[test]
    fn the_dashboard_is_one_file_with_nothing_from_elsewhere() {
        let page = Asset::dashboard();
        let html = std::str::from_utf8(&page.html).unwrap();
        assert!(html.contains("<title>Deepwater"), "the page was not built");
        for from_elsewhere in [" src=\"http", "href=\"http", "@import", "url(http"] {
            assert!(!html.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(page.policy.contains("script-src 'sha256-"), "{}", page.policy);
        assert!(!page.policy.contains("unsafe"), "{}", page.policy);
        assert!(Asset::sign_in().policy.contains("script-src 'none'"));
    }
}
