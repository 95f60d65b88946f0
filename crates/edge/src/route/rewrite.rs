//! Changes to a request's path before it is passed on.

use std::net::IpAddr;

use crate::head::Request;

use super::captures::Captures;
use super::normal::normalise;
use super::template::{Template, Values};

/// What is wrong with a rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteProblem {
    /// The key at fault: `strip_prefix` or `rewrite`.
    pub key: &'static str,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// What to write instead.
    pub fix: Option<String>,
}

/// A compiled change to the path. The query is always kept.
#[derive(Debug)]
pub enum Rewrite {
    /// The path stays as it was sent.
    None,
    /// Takes this prefix, in normal form and without its last slash, off paths that are at or below it.
    StripPrefix(Box<[u8]>),
    /// Puts this in place of the path.
    Replace(Template),
}

impl Rewrite {
    /// Compiles a route's `strip_prefix` and `rewrite`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn build<S: AsRef<str>>(
        strip_prefix: Option<&str>,
        rewrite: Option<&str>,
        pattern_names: &[S],
    ) -> Result<Self, Vec<RewriteProblem>> {
        let problem = |key, what: String, fix: String| RewriteProblem { key, what, fix: Some(fix) };
        match (strip_prefix, rewrite) {
            (None, None) => Ok(Self::None),
            (Some(prefix), None) => {
                parse_prefix(prefix).map_err(|(what, fix)| vec![problem("strip_prefix", what, fix)])
            }
            (None, Some(text)) => parse_replacement(text, pattern_names)
                .map_err(|(what, fix)| vec![problem("rewrite", what, fix)]),
            (Some(_), Some(_)) => {
                let fix = "keep one of them: `rewrite` replaces the whole path";
                Err(vec![problem(
                    "rewrite",
                    "`strip_prefix` and `rewrite` are both given".into(),
                    fix.into(),
                )])
            }
        }
    }

    /// Changes the path of a request. `scratch` is memory to work in.
    pub fn apply(
        &self,
        request: &mut Request,
        client_ip: IpAddr,
        captures: &Captures,
        scratch: &mut Vec<u8>,
    ) {
        scratch.clear();
        match self {
            Self::None => return,
            Self::StripPrefix(prefix) => {
                let Some(rest) = captures.path(request).strip_prefix(&**prefix) else { return };
                if !matches!(rest.first(), None | Some(b'/')) {
                    return;
                }
                scratch.extend_from_slice(if rest.is_empty() { b"/" } else { rest });
            }
            Self::Replace(template) => {
                // `OPTIONS *` and `CONNECT` have no path to replace.
                if request.path().first() != Some(&b'/') {
                    return;
                }
                let values =
                    Values { path: captures.path(request), ..Values::of(request, client_ip, captures) };
                template.render(scratch, &values);
            }
        }
        scratch.extend_from_slice(&request.target()[request.path().len()..]);
        request.set_target(scratch);
    }
}

fn parse_prefix(prefix: &str) -> Result<Rewrite, (String, String)> {
    let Some(path) = prefix.strip_prefix('/') else {
        return Err((format!("`{prefix}` does not begin with a slash"), format!("write `/{prefix}`")));
    };
    if path.contains(['*', '{', '}', '?', '#']) {
        let fix = "write the prefix alone, such as `/api`; `rewrite` takes patterns apart";
        return Err((format!("`{prefix}` is not a plain path"), fix.into()));
    }
    let mut normal = Vec::new();
    let climbs = normalise(prefix.as_bytes(), &mut normal).is_err();
    let stripped = normal.strip_suffix(b"/").unwrap_or(&normal);
    if climbs || stripped.is_empty() {
        return Err((
            format!("`{prefix}` strips nothing"),
            "remove `strip_prefix`, or write one such as `/api`".into(),
        ));
    }
    Ok(Rewrite::StripPrefix(stripped.into()))
}

fn parse_replacement<S: AsRef<str>>(text: &str, names: &[S]) -> Result<Rewrite, (String, String)> {
    if let Some(at) = text.find(['?', '#']) {
        let fix = format!("write `{}`: the request's own query is kept", &text[..at]);
        return Err((format!("`{text}` is more than a path"), fix));
    }
    if let Some(bad) =
        text.chars().find(|c| !c.is_ascii() || matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|'))
    {
        let mut bytes = [0; 4];
        let encoded: String = bad.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")).collect();
        return Err((format!("`{bad}` cannot stand in a path"), format!("write it as `{encoded}`")));
    }
    let template = Template::parse(text, names)
        .map_err(|what| (what, "use the names of `match.path`, such as `/v2/{rest}`".to_owned()))?;
    if template.uses_query() {
        return Err((
            "the query is not part of a path".into(),
            "leave `{query}` out: it is kept anyway".into(),
        ));
    }
    if template.prefix().first() != Some(&b'/') {
        return Err((format!("`{text}` does not begin with a slash"), format!("write `/{text}`")));
    }
    Ok(Rewrite::Replace(template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::route::RouteTable;

    fn rewritten(pattern: &str, strip_prefix: Option<&str>, rewrite: Option<&str>, target: &str) -> String {
        let route = config::Route {
            r#match: config::Match { path: Some(pattern.into()), ..config::Match::default() },
            ..config::Route::default()
        };
        let table = RouteTable::build(&[route]).expect("a valid pattern");
        let (mut request, mut captures, mut scratch) = (Request::default(), Captures::default(), Vec::new());
        request.set_target(target.as_bytes());
        request.set_authority(b"shop.example");
        assert_eq!(table.find(&request, &mut captures), Ok(Some(0)), "{target}");
        let rewrite = Rewrite::build(strip_prefix, rewrite, table.names(0)).expect("a valid rewrite");
        rewrite.apply(&mut request, "127.0.0.1".parse().unwrap(), &captures, &mut scratch);
        String::from_utf8(request.target().to_vec()).unwrap()
    }

    #[test]
    fn a_prefix_is_stripped_at_segments() {
        for (target, expected) in [
            ("/api/x?y=z", "/x?y=z"),
            ("/api/", "/"),
            ("/api", "/"),
            ("/api?", "/?"),
            ("/apiary", "/apiary"),
            ("/other", "/other"),
            ("/a%70i/x%2fy", "/x%2Fy"),
            ("/api//x", "/x"),
            ("//evil.example/../api/x", "/x"),
        ] {
            assert_eq!(rewritten("/*", Some("/api/"), None, target), expected, "{target}");
        }
    }

    #[test]
    fn a_path_is_replaced_and_its_query_kept() {
        assert_eq!(rewritten("/p/{id}", None, Some("/v2/{id}/show"), "/p/7%2e?a=b"), "/v2/7./show?a=b");
        assert_eq!(rewritten("/files/{rest*}", None, Some("/static/{rest}"), "/files/a/b"), "/static/a/b");
        assert_eq!(rewritten("/files/{rest*}", None, Some("/static/{rest}"), "/files"), "/static/");
        assert_eq!(rewritten("/*", None, Some("/sites/{host}{path}"), "/a%41"), "/sites/shop.example/aA");
        assert_eq!(rewritten("/*", None, Some("/index.html"), "/a/b?c"), "/index.html?c");
    }

    #[test]
    fn faults_are_told() {
        for (strip_prefix, rewrite, says) in [
            (Some("api"), None, "does not begin with a slash"),
            (Some("/"), None, "strips nothing"),
            (Some("/.."), None, "strips nothing"),
            (Some("/api/*"), None, "not a plain path"),
            (Some("/a"), Some("/b"), "both given"),
            (None, Some("b"), "does not begin with a slash"),
            (None, Some("{path}"), "does not begin with a slash"),
            (None, Some("/b?c"), "more than a path"),
            (None, Some("/b/{query}"), "not part of a path"),
            (None, Some("/b/{nope}"), "there is no `{nope}`"),
            (None, Some("/b c"), "cannot stand in a path"),
            (None, Some("/b\n"), "control character"),
        ] {
            let problems = Rewrite::build(strip_prefix, rewrite, &["id"]).unwrap_err();
            assert!(problems[0].what.contains(says), "{strip_prefix:?} {rewrite:?}: {}", problems[0].what);
        }
    }
}
