//! Requests to purge, as the administration interface takes them.

use serde_json::Value;

/// Longest name, URL or prefix, bytes.
const MOST_BYTES: usize = 8 * 1024;
/// Most names in one request.
const MOST_NAMES: usize = 10_000;

/// What is to be purged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purge {
    /// By tag.
    pub tags: Vec<String>,
    /// By URL, all variants: with or without scheme.
    pub urls: Vec<String>,
    /// By the beginning of URLs.
    pub prefixes: Vec<String>,
    /// By host, with or without port.
    pub hosts: Vec<String>,
    /// Named versions to move on.
    pub versions: Vec<String>,
    /// Everything.
    pub all: bool,
    /// Make it stale rather than gone.
    pub soft: bool,
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
pub fn split_url(url: &str) -> (&str, &str, Option<&str>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn arbitrary_requests_never_panic(url in "\\PC{0,20}", body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Purge::parse(&body);
            let _ = Purge::parse(serde_json::json!({ "url": url, "prefix": [url], "host": url }).to_string().as_bytes());
        }
    }
}
