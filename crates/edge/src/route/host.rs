//! Dispatch by host: exact names, every name below a domain, any host.

use smallvec::SmallVec;

use crate::http1::parse::valid_authority;

use super::Fault;
use super::keyed::Keyed;
use super::trie::Trie;

/// Which hosts a route serves; names in lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// Any, and none.
    Any,
    /// This one.
    Exact(Box<[u8]>),
    /// Every name below this one, at any depth.
    Below(Box<[u8]>),
}

impl Host {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = text else { return Ok(Self::Any) };
        if text == "*" {
            return Err(("`*` is not a host".into(), Some("leave `host` out to match every host".into())));
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        if !name.is_ascii() {
            let fix = "write it in its ASCII form, as browsers send it: `xn--…`";
            return Err((format!("`{text}` is not an ASCII name"), Some(fix.into())));
        }
        let key = name_of(name.as_bytes()).to_ascii_lowercase();
        if !matches!(&name.as_bytes()[key.len()..], b"" | b".") {
            let prefix = if text.starts_with("*.") { "*." } else { "" };
            let fix = format!("write the host alone: `{prefix}{}`", &name[..key.len()]);
            return Err((format!("`{text}` has a port"), Some(fix)));
        }
        if key.is_empty() || name.contains(['*', '%']) || !valid_authority(name.as_bytes()) {
            let fix = "write a name such as `shop.example`, or `*.shop.example` for every name below it";
            return Err((format!("`{text}` is not a host"), Some(fix.into())));
        }
        Ok(if text.starts_with("*.") { Self::Below(key.into()) } else { Self::Exact(key.into()) })
    }

    /// Whether every request to `other` is one to this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let below = |name: &[u8], domain: &[u8]| {
            name.strip_suffix(domain).is_some_and(|rest| rest.last() == Some(&b'.'))
        };
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(domain), Self::Exact(name)) => below(name, domain),
            (Self::Below(domain), Self::Below(name)) => name == domain || below(name, domain),
            (Self::Exact(name), Self::Exact(other)) => name == other,
            (Self::Exact(_) | Self::Below(_), _) => false,
        }
    }
}

/// The host of an authority: without port, and without the dot that may end a full name.
pub fn name_of(authority: &[u8]) -> &[u8] {
    let host = match memchr::memrchr(b':', authority) {
        Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => &authority[..colon],
        _ => authority,
    };
    host.strip_suffix(b".").unwrap_or(host)
}

/// The tries of every host.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: Keyed<Trie>,
    below: Keyed<Trie>,
    any: Trie,
}

impl Hosts {
    /// The trie of the routes for exactly these hosts.
    pub(super) fn trie_of(&mut self, host: &Host) -> &mut Trie {
        match host {
            Host::Any => &mut self.any,
            Host::Exact(name) => self.exact.entry(name.clone()).or_default(),
            Host::Below(domain) => self.below.entry(domain.clone()).or_default(),
        }
    }

    /// Shows every trie whose routes serve an authority.
    pub(super) fn for_each(&self, authority: &[u8], mut visit: impl FnMut(&Trie)) {
        visit(&self.any);
        if self.exact.is_empty() && self.below.is_empty() {
            return;
        }
        let mut name: SmallVec<[u8; 64]> = SmallVec::from_slice(name_of(authority));
        name.make_ascii_lowercase();
        if let Some(trie) = self.exact.get(&name[..]) {
            visit(trie);
        }
        if !self.below.is_empty() {
            for dot in memchr::memchr_iter(b'.', &name) {
                if let Some(trie) = self.below.get(&name[dot + 1..]) {
                    visit(trie);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        assert_eq!(Host::parse(Some("Shop.Example.")), Ok(Host::Exact((*b"shop.example").into())));
        assert_eq!(Host::parse(Some("*.shop.example")), Ok(Host::Below((*b"shop.example").into())));
        assert_eq!(Host::parse(Some("[::1]")), Ok(Host::Exact((*b"[::1]").into())));
        for (text, says) in [
            ("*", "not a host"),
            ("", "not a host"),
            ("*.", "not a host"),
            ("a.*.b", "not a host"),
            ("*shop.example", "not a host"),
            ("shop example", "not a host"),
            ("http://shop", "not a host"),
            ("shop:80", "has a port"),
            ("bücher.example", "ASCII"),
        ] {
            let (what, fix) = Host::parse(Some(text)).expect_err(text);
            assert!(what.contains(says) && fix.is_some(), "{text}: {what}");
        }
    }

    #[test]
    fn ports_and_final_dots_are_not_part_of_a_name() {
        for (authority, name) in [
            ("shop:80", "shop"),
            ("shop", "shop"),
            ("shop.:80", "shop"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("shop:", "shop"),
            ("", ""),
        ] {
            assert_eq!(name_of(authority.as_bytes()), name.as_bytes(), "{authority}");
        }
    }

    #[test]
    fn wider_hosts_cover_narrower_ones() {
        let host = |text: &str| Host::parse(Some(text)).unwrap();
        assert!(Host::Any.covers(&host("a.b")) && Host::Any.covers(&Host::Any));
        assert!(host("*.b").covers(&host("a.b")) && host("*.b").covers(&host("*.a.b")));
        assert!(host("*.b").covers(&host("*.b")));
        assert!(!host("*.b").covers(&host("b")) && !host("*.b").covers(&host("ab")));
        assert!(!host("a.b").covers(&host("*.b")) && !host("*.b").covers(&Host::Any));
    }
}
