//! Purges: what may be asked for, and doing it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use deepwater_cache::purge::{Kind, Mode, Purge, split_url};
use deepwater_cache::rules::{KeyOptions, write_key};
use serde::Serialize;
use serde_json::Value;

use crate::route::name_of;

use super::{HttpCache, url_of};

/// How often was purged, by what.
#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; 6]);

impl Counts {
    /// By the selector's name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Selector::ALL.iter().zip(&self.0).map(|(selector, count)| (selector.as_str(), count.load(Relaxed)))
    }

    fn add(&self, selector: Selector, by: u64) {
        self.0[selector as usize].fetch_add(by, Relaxed);
    }
}

/// What is purged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selector {
    Tag,
    Url,
    Prefix,
    Host,
    Version,
    All,
}

impl Selector {
    const ALL: [Self; 6] = [Self::Tag, Self::Url, Self::Prefix, Self::Host, Self::Version, Self::All];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Url => "url",
            Self::Prefix => "prefix",
            Self::Host => "host",
            Self::Version => "version",
            Self::All => "all",
        }
    }
}

/// What was purged.
#[derive(Debug, Serialize, Default, PartialEq, Eq)]
pub(crate) struct Purged {
    purged: BTreeMap<&'static str, Value>,
    soft: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<String, u64>,
}

impl HttpCache {
    /// Purges. Done when it returns: nothing purged is served after.
    ///
    /// # Errors
    /// When no route has one of the versions, or there are too many.
    pub fn purge(&self, purge: &Purge) -> Result<Purged, String> {
        let mode = if purge.soft { Mode::Soft } else { Mode::Hard };
        let mut done = Purged { soft: purge.soft, ..Purged::default() };
        self.check_versions(&purge.versions)?;
        for name in &purge.versions {
            let version = self.versions.advance(name).map_err(|error| error.to_string())?;
            done.versions.insert(name.clone(), version);
        }
        let tags = purge.tags.iter().map(|tag| self.epochs.slot(Kind::Tag, tag.as_bytes()));
        let hosts = purge
            .hosts
            .iter()
            .map(|host| self.epochs.slot(Kind::Host, name_of(host.to_ascii_lowercase().as_bytes())));
        let urls = purge.urls.iter().flat_map(|url| self.url_slots(url));
        let slots: Vec<_> = tags.chain(hosts).chain(urls).collect();
        if !slots.is_empty() {
            self.epochs.purge_slots(&slots, mode);
        }
        for prefix in &purge.prefixes {
            // A host alone is written with the slash of its root: no longer host begins with that.
            for prefix in plain_urls(prefix) {
                self.epochs.purge_prefix(&prefix, mode);
            }
        }
        if purge.all {
            self.epochs.purge_everything(mode);
            if !purge.soft {
                self.store.clear();
            }
        }
        for (selector, list) in [
            (Selector::Tag, &purge.tags),
            (Selector::Url, &purge.urls),
            (Selector::Prefix, &purge.prefixes),
            (Selector::Host, &purge.hosts),
            (Selector::Version, &purge.versions),
        ] {
            self.purges.add(selector, list.len() as u64);
            if !list.is_empty() {
                done.purged.insert(selector.as_str(), list.clone().into());
            }
        }
        if purge.all {
            self.purges.add(Selector::All, 1);
            done.purged.insert(Selector::All.as_str(), true.into());
        }
        Ok(done)
    }

    /// A version that no route has is most likely misspelt.
    fn check_versions(&self, names: &[String]) -> Result<(), String> {
        let terms = self.terms.load();
        let mut known: Vec<&str> = terms.keys.iter().filter_map(|form| form.version.as_deref()).collect();
        known.sort_unstable();
        known.dedup();
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) if known.is_empty() => Err(format!(
                "no route has a version, so `{name}` purges nothing: set `version` in the `cache` of a route"
            )),
            Some(name) => Err(format!("no route has the version `{name}`; known: {}", known.join(", "))),
        }
    }

    /// Where purges of a URL are noted, as each of the routes writes it.
    fn url_slots(&self, url: &str) -> Vec<deepwater_cache::purge::Slot> {
        let terms = self.terms.load();
        let keys = terms.keys.iter().flat_map(|form| keys_of(url, &form.options));
        keys.map(|key| self.epochs.slot(Kind::Url, url_of(&key))).collect()
    }
}

/// The keys of a URL, under both schemes unless it names one: a port may be the default of either.
fn keys_of<'a>(url: &'a str, options: &'a KeyOptions) -> impl Iterator<Item = Vec<u8>> + 'a {
    let (host, path, query) = split_url(url);
    let schemes: &[&str] = match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => &["https"],
        Some(_) => &["http"],
        None => &["http", "https"],
    };
    schemes.iter().map(move |scheme| {
        let mut key = Vec::new();
        let query = query.map(str::as_bytes);
        write_key(&mut key, scheme.as_bytes(), host.as_bytes(), path.as_bytes(), query, options, &[]);
        key
    })
}

/// A URL as prefixes are compared: host, path and query without a separator.
fn plain_urls(url: &str) -> Vec<Vec<u8>> {
    let options = KeyOptions::default();
    let plain = |key: Vec<u8>| url_of(&key).iter().copied().filter(|b| *b != 0).collect();
    let mut urls: Vec<Vec<u8>> = keys_of(url, &options).map(plain).collect();
    urls.dedup();
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_as_keys_have_them() {
        assert_eq!(plain_urls("http://Shop:80/a/%62?c"), [b"shop/a/b?c".to_vec()]);
        assert_eq!(plain_urls("shop"), [b"shop/".to_vec()]);
        assert_eq!(plain_urls("shop:443/a"), [b"shop:443/a".to_vec(), b"shop/a".to_vec()]);
    }
}
