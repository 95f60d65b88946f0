//! `Cache-Control` and its relatives (RFC 9111 §5.2, RFC 5861, RFC 8246, RFC 9213).
//!
//! Choices: a directive given twice counts as given first (RFC 9111 §4.2.1 allows it); directives that forbid win
//! over those that allow, and hold whatever argument they carry, while those that allow must be well-formed. A
//! lifetime that cannot be read is 0: stale.

mod directive;
mod request;
mod targeted;

use std::borrow::Cow;

use super::fields::Fields;
use super::list::{is_token, members};
use directive::{Directive, directives};

pub(crate) use directive::seconds;
pub use request::RequestControl;

/// The longest lifetime there is, in seconds: what larger ones are taken for (RFC 9111 §1.2.2).
pub const LONGEST_S: u32 = 1 << 31;
/// More field names than this in one `no-cache` or `private` stand for all of them.
const MAX_NAMES: usize = 64;
/// A stored response without these is not the response: naming them withholds all of it.
const ESSENTIAL: [&str; 5] = ["cache-control", "content-encoding", "content-range", "content-type", "vary"];

/// What a response says about its caching. Lifetimes in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseControl {
    /// `max-age`.
    pub max_age: Option<u32>,
    /// `s-maxage`.
    pub s_maxage: Option<u32>,
    /// `stale-while-revalidate` (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache` of the whole response.
    pub no_cache: bool,
    /// `private` of the whole response.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `no-transform`.
    pub no_transform: bool,
    /// `immutable` (RFC 8246).
    pub immutable: bool,
    /// The fields, in lower case, that `no-cache="…"` and `private="…"` keep from being stored.
    pub withheld: Vec<Box<[u8]>>,
    /// Whether a targeted field decides: `Cache-Control` and `Expires` count for nothing then (RFC 9213 §2.2).
    pub targeted: bool,
}

impl ResponseControl {
    /// Of a response: from the first of the targeted fields (names in lower case) that is valid and not empty,
    /// or else from `Cache-Control`.
    pub fn of<F: Fields + ?Sized>(response: &F, targeted: &[String]) -> Self {
        let targeted = targeted.iter().find_map(|name| targeted::control(response.values(name)));
        targeted.unwrap_or_else(|| Self::of_lines(response.values("cache-control")))
    }

    fn of_lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut control = Self::default();
        for directive in lines.flat_map(directives) {
            control.add(&directive);
        }
        control
    }

    fn add(&mut self, directive: &Directive<'_>) {
        let seconds = || Some(directive.seconds().unwrap_or(0));
        match directive.name.to_ascii_lowercase().as_slice() {
            b"max-age" => self.max_age = self.max_age.or_else(seconds),
            b"s-maxage" => self.s_maxage = self.s_maxage.or_else(seconds),
            b"stale-while-revalidate" => {
                self.stale_while_revalidate = self.stale_while_revalidate.or_else(seconds);
            }
            b"stale-if-error" => self.stale_if_error = self.stale_if_error.or_else(seconds),
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache |= !self.withhold(directive.text()),
            b"private" => self.private |= !self.withhold(directive.text()),
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"no-transform" => self.no_transform = true,
            b"public" => self.public |= directive.is_bare(),
            b"must-understand" => self.must_understand |= directive.is_bare(),
            b"immutable" => self.immutable |= directive.is_bare(),
            _ => {}
        }
    }

    /// Notes the field names of `no-cache` or `private`. False when there are none to be read: then the directive
    /// is about the whole response.
    fn withhold(&mut self, names: Option<Cow<'_, [u8]>>) -> bool {
        let Some(names) = names else { return false };
        let names: Vec<Box<[u8]>> =
            members(&names).map(|name| name.to_ascii_lowercase().into_boxed_slice()).collect();
        let essential = |name: &[u8]| ESSENTIAL.iter().any(|essential| essential.as_bytes() == name);
        let readable = (1..=MAX_NAMES).contains(&names.len())
            && names.iter().all(|name| is_token(name) && !essential(name));
        if readable {
            self.withheld.extend(names);
        }
        readable
    }

    /// Whether a field of that name (in lower case) is kept from being stored.
    pub fn withholds(&self, name: &[u8]) -> bool {
        self.withheld.iter().any(|withheld| **withheld == *name)
    }

    /// Whether a stale response may never be used without asking (RFC 9111 §5.2.2.2, §5.2.2.8).
    pub fn is_strict(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.no_cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lines: &[&str]) -> ResponseControl {
        ResponseControl::of_lines(lines.iter().map(|line| line.as_bytes()))
    }

    fn max_age(line: &str) -> Option<u32> {
        of(&[line]).max_age
    }

    #[test]
    fn lifetimes() {
        for (line, expected) in [
            ("max-age=3600", Some(3600)),
            ("MaX-aGe=3600", Some(3600)),
            ("foobar, max-age=3600", Some(3600)),
            ("max-age=\"3600\"", Some(3600)),
            ("max-age=\"36\\00\"", Some(3600)),
            ("max-age=003600", Some(3600)),
            ("max-age=0", Some(0)),
            ("max-age=2147483648", Some(LONGEST_S)),
            ("max-age=99999999999999999999999", Some(LONGEST_S)),
            ("a=\"max-age=3600\", max-age=1", Some(1)),
            ("max-age=1, a=\"max-age=3600\"", Some(1)),
            ("a=\"\\\", max-age=3600\"", None),
            ("max-age=1800, max-age=1", Some(1800)),
            ("max-age=1, max-age=1800", Some(1)),
            ("max-age=x, max-age=1800", Some(0)),
            // Not to be read: stale.
            ("max-age", Some(0)),
            ("max-age=", Some(0)),
            ("max-age=\"\"", Some(0)),
            ("max-age=-100", Some(0)),
            ("max-age=a100", Some(0)),
            ("max-age=100a", Some(0)),
            ("max-age=3600.0", Some(0)),
            ("max-age='3600'", Some(0)),
            ("max-age =3600", Some(0)),
            ("max-age= 3600", Some(0)),
            ("max-age=\"3600", Some(0)),
            ("", None),
            ("max-aged=3600", None),
            ("=3600", None),
        ] {
            assert_eq!(max_age(line), expected, "{line}");
        }
        assert_eq!(of(&["max-age=1", "max-age=1800"]).max_age, Some(1));
        let all = of(&["s-maxage=5, stale-while-revalidate=6", "stale-if-error=7"]);
        assert_eq!(
            (all.s_maxage, all.stale_while_revalidate, all.stale_if_error),
            (Some(5), Some(6), Some(7))
        );
    }

    #[test]
    fn flags() {
        let all =
            of(&["No-Store, no-cache,private,PUBLIC, must-revalidate, proxy-revalidate, must-understand, \
            no-transform, immutable"]);
        assert!(all.no_store && all.no_cache && all.private && all.public && all.must_revalidate);
        assert!(all.proxy_revalidate && all.must_understand && all.no_transform && all.immutable);
        assert!(all.withheld.is_empty() && all.is_strict());
        // What forbids holds with any argument, what allows does not.
        let odd =
            of(&["no-store=1, public=1, must-understand=\"x\", immutable =, must-revalidate=0, no-cache ="]);
        assert!(odd.no_store && odd.must_revalidate && odd.no_cache);
        assert!(!odd.public && !odd.must_understand && !odd.immutable);
        // A quote that is not closed hides nothing.
        assert!(of(&["a=\"b, no-store"]).no_store);
    }

    #[test]
    fn named_fields() {
        let named = of(&["no-cache=\"A, set-cookie\", private=b"]);
        assert!(!named.no_cache && !named.private);
        assert!(named.withholds(b"a") && named.withholds(b"set-cookie") && named.withholds(b"b"));
        for line in [
            "private=\"\"",
            "private=",
            "private=\"a b\"",
            "private=\"a",
            "private=\",\"",
            "private=\"vary\"",
        ] {
            assert!(of(&[line]).private, "{line}");
        }
        let both = of(&["private=\"a\", private"]);
        assert!(both.private && both.withholds(b"a"));
        let many = format!("private=\"{}\"", "a,".repeat(MAX_NAMES + 1));
        assert!(of(&[&many]).private);
    }

    #[test]
    fn a_targeted_field_replaces_cache_control() {
        let names = ["edge-control".to_owned(), "cdn-cache-control".to_owned()];
        let of = |fields: &[(&str, &str)]| ResponseControl::of(fields, &names);
        let fields = [("Cache-Control", "no-store"), ("CDN-Cache-Control", "max-age=5")];
        let control = of(&fields);
        assert!(control.targeted && !control.no_store && control.max_age == Some(5));
        let control = of(&[fields[0], fields[1], ("Edge-Control", "max-age=6")]);
        assert_eq!(control.max_age, Some(6));
        for invalid in ["", "max-age=\"5\"", "max-age=5, &&&&&", "MaX-aGe=5"] {
            let control = of(&[fields[0], fields[1], ("Edge-Control", invalid)]);
            assert_eq!(control.max_age, Some(5), "{invalid}");
            let control = of(&[fields[0], ("CDN-Cache-Control", invalid)]);
            assert!(!control.targeted && control.no_store, "{invalid}");
        }
        // Known to nobody, but not empty.
        assert!(of(&[fields[0], ("CDN-Cache-Control", "none")]).targeted);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
            ResponseControl::of_lines([line.as_slice()].into_iter());
        }

        #[test]
        fn what_forbids_is_seen_beside_anything(
            before in "[a-z=\\\\, ]{0,20}",
            directive in prop::sample::select(vec!["no-store", "No-Store", "private", "PRIVATE=\"\""]),
            after in "[a-z=\"\\\\, ]{0,20}",
        ) {
            let control = of(&[&format!("{before},{directive},{after}")]);
            prop_assert!(control.no_store || control.private);
        }
    }
}
