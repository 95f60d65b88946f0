//! Purges: what may be asked for, and doing it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use deepwater_cache::purge::{Kind, Mode};
use deepwater_cache::rules::{KeyOptions, write_key};
use serde::Serialize;
use serde_json::Value;

use crate::route::name_of;

use super::{HttpCache, url_of};

/// Longest name, URL or prefix, bytes.
const MOST_BYTES: usize = 8 * 1024;
/// Most names in one request.
const MOST_NAMES: usize = 10_000;

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

/// A purge, understood.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Purge {
    tags: Vec<String>,
    urls: Vec<String>,
    prefixes: Vec<String>,
    hosts: Vec<String>,
    versions: Vec<String>,
    all: bool,
    soft: bool,
}

/// What was purged.
#[derive(Debug, Serialize, Default, PartialEq, Eq)]
pub(crate) struct Purged {
    purged: BTreeMap<&'static str, Value>,
    soft: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<String, u64>,
}

impl Purge {
    /// Of one URL, all its variants.
    pub fn url(url: String, soft: bool) -> Self {
        Self { urls: vec![url], soft, ..Self::default() }
    }

    /// Reads a request of the administration interface.
    ///
    /// # Errors
    /// What is wrong with it and what to send instead, in a sentence.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let example = "send a JSON object such as {\"tag\": \"product:42\"}";
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(format!("the request has no body: {example}"));
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the body is not JSON ({error}): {example}"))?;
        let Value::Object(object) = value else {
            return Err(format!("the body is not an object: {example}"));
        };
        let mut purge = Self::default();
        for (key, value) in &object {
            match key.as_str() {
                "tag" => purge.tags = names(key, value)?,
                "url" => purge.urls = names(key, value)?,
                "prefix" => purge.prefixes = names(key, value)?,
                "host" => purge.hosts = names(key, value)?,
                "version" => purge.versions = names(key, value)?,
                "all" => purge.all = switch(key, value)?,
                "soft" => purge.soft = switch(key, value)?,
                _ => {
                    let known = "tag, url, prefix, host, version, all, soft";
                    return Err(format!("there is no `{key}`; known: {known}"));
                }
            }
        }
        let empty = |list: &Vec<String>| list.is_empty();
        let lists = [&purge.tags, &purge.urls, &purge.prefixes, &purge.hosts, &purge.versions];
        if !purge.all && lists.into_iter().all(empty) {
            return Err(
                "nothing to purge is named: give tag, url, prefix, host, version or \"all\": true".into()
            );
        }
        if purge.soft && !purge.versions.is_empty() {
            return Err("a version cannot be purged softly: leave out `soft`, or purge by a tag".into());
        }
        for url in &purge.urls {
            check_url("url", url)?;
        }
        for prefix in &purge.prefixes {
            check_url("prefix", prefix)?;
        }
        for host in &purge.hosts {
            if host.contains(['/', '?', '#', ' ']) {
                return Err(format!("`{host}` in `host` is not a host: write it without scheme and path"));
            }
        }
        Ok(purge)
    }
}

fn names(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.len() > MOST_NAMES {
        return Err(format!("`{key}` names {}, at most {MOST_NAMES} go in one request", list.len()));
    }
    let name = |value: &Value| match value {
        Value::String(name) if name.is_empty() => Err(format!("`{key}` holds an empty name")),
        Value::String(name) if name.len() > MOST_BYTES => {
            Err(format!("`{key}` holds a name of {} bytes, at most {MOST_BYTES} are allowed", name.len()))
        }
        Value::String(name) => Ok(name.clone()),
        other => Err(format!("`{key}` holds {other}: write a string, or a list of strings")),
    };
    list.iter().map(name).collect()
}

fn switch(key: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("`{key}` is {value}: write true or false"))
}

/// Host, path and query of a URL with or without scheme.
fn split_url(url: &str) -> (&str, &str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let at = rest.find('/').unwrap_or(rest.len());
    (&rest[..at], &rest[at..], query)
}

fn check_url(key: &str, url: &str) -> Result<(), String> {
    let (host, path, _) = split_url(url);
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if scheme
        .is_some_and(|scheme| !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https"))
    {
        return Err(format!("`{url}` in `{key}` is neither http:// nor https://"));
    }
    if host.is_empty() || host.contains(['#', '@', ' ']) || url.contains('#') {
        return Err(format!(
            "`{url}` in `{key}` names no host: write shop.example{}",
            if path.is_empty() { "/" } else { path }
        ));
    }
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return Err(format!(
            "`{}` in `{key}` holds a blank or a control character: encode it",
            url.escape_debug()
        ));
    }
    Ok(())
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
        let mut known: Vec<&str> = self.keys.iter().filter_map(|form| form.version.as_deref()).collect();
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

    fn url_slots<'a>(&'a self, url: &'a str) -> impl Iterator<Item = deepwater_cache::purge::Slot> + 'a {
        self.written(url).map(|key| self.epochs.slot(Kind::Url, url_of(&key)))
    }

    /// The keys of a URL as each of the routes writes them.
    fn written<'a>(&'a self, url: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.keys.iter().flat_map(move |form| keys_of(url, &form.options))
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
    fn what_is_wrong_is_named() {
        for (body, says) in [
            ("", "no body"),
            ("{", "not JSON"),
            ("[]", "not an object"),
            ("{}", "nothing to purge"),
            (r#"{"tag": []}"#, "nothing to purge"),
            (r#"{"all": false}"#, "nothing to purge"),
            (r#"{"tags": "a"}"#, "there is no `tags`; known: tag, url"),
            (r#"{"tag": ""}"#, "`tag` holds an empty name"),
            (r#"{"tag": 7}"#, "`tag` holds 7: write a string"),
            (r#"{"tag": ["a", null]}"#, "`tag` holds null"),
            (r#"{"all": "yes"}"#, "write true or false"),
            (r#"{"url": "/a"}"#, "names no host"),
            (r#"{"url": "ftp://a/b"}"#, "neither http:// nor https://"),
            (r#"{"url": "http://a/b#c"}"#, "names no host"),
            (r#"{"url": "http://a/b c"}"#, "a blank"),
            (r#"{"prefix": "http:///a"}"#, "names no host"),
            (r#"{"host": "http://a"}"#, "is not a host"),
            (r#"{"version": "a", "soft": true}"#, "cannot be purged softly"),
        ] {
            let error = Purge::parse(body.as_bytes()).expect_err(body);
            assert!(error.contains(says), "{body}: {error}");
        }
        let long = format!(r#"{{"tag": "{}"}}"#, "x".repeat(MOST_BYTES + 1));
        assert!(Purge::parse(long.as_bytes()).unwrap_err().contains("at most 8192"));
    }

    #[test]
    fn several_things_at_once() {
        let purge = Purge::parse(br#"{"tag": ["a", "b"], "host": "Shop:8080", "soft": true}"#).unwrap();
        assert_eq!((purge.tags.len(), purge.hosts.len(), purge.soft), (2, 1, true));
    }

    #[test]
    fn urls_are_compared_as_keys_have_them() {
        assert_eq!(plain_urls("http://Shop:80/a/%62?c"), [b"shop/a/b?c".to_vec()]);
        assert_eq!(plain_urls("shop"), [b"shop/".to_vec()]);
        assert_eq!(plain_urls("shop:443/a"), [b"shop:443/a".to_vec(), b"shop/a".to_vec()]);
    }
}
