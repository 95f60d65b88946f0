//! Changes to header fields that a route asks for.

use http::HeaderName;

use crate::config::HeaderEdits;
use crate::head::{Fields, Name};

use super::template::{Template, Values};

/// What is wrong with one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditProblem {
    /// The list: `remove`, `set` or `add`.
    pub list: &'static str,
    /// The field as written.
    pub field: String,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// What to do instead.
    pub fix: Option<String>,
}

/// A field to write.
#[derive(Debug)]
struct Write {
    name: Box<[u8]>,
    value: Template,
}

/// Compiled changes.
#[derive(Debug, Default)]
pub struct Edits {
    remove: Vec<Box<[u8]>>,
    set: Vec<Write>,
    add: Vec<Write>,
}

/// The values of one message's changes, rendered. Kept for reuse: preparing anew keeps its memory.
///
/// Values come from the request as it came; they are rendered before it is changed, and written whenever their
/// turn comes (those of a response once it is there).
#[derive(Debug, Default)]
pub struct Prepared {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Prepared {
    /// The values of the templates that are not constant, in their order.
    fn values(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let value = &self.bytes[start..*end as usize];
            start = *end as usize;
            value
        })
    }
}

impl Edits {
    /// Compiles changes whose values may use the built-in names and those of the route's pattern.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn build<S: AsRef<str>>(
        written: &HeaderEdits,
        pattern_names: &[S],
    ) -> Result<Self, Vec<EditProblem>> {
        let mut problems = Vec::new();
        let name = |list: &'static str, field: &str, problems: &mut Vec<EditProblem>| match editable(field) {
            Ok(name) => Some(name),
            Err((what, fix)) => {
                problems.push(EditProblem { list, field: field.to_owned(), what, fix: Some(fix.to_owned()) });
                None
            }
        };
        let remove = written.remove.iter().filter_map(|field| name("remove", field, &mut problems)).collect();
        let mut writes = |list: &'static str, fields: &std::collections::BTreeMap<String, String>| {
            let mut writes = Vec::with_capacity(fields.len());
            for (field, text) in fields {
                let name = name(list, field, &mut problems);
                match (name, Template::parse(text, pattern_names)) {
                    (Some(name), Ok(value)) => writes.push(Write { name, value }),
                    (_, Err(what)) => {
                        problems.push(EditProblem { list, field: field.clone(), what, fix: None });
                    }
                    (None, Ok(_)) => {}
                }
            }
            writes
        };
        let (set, add) = (writes("set", &written.set), writes("add", &written.add));
        if problems.is_empty() { Ok(Self { remove, set, add }) } else { Err(problems) }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Whether what a message says by itself in a field is removed or replaced.
    pub fn overrules(&self, name: &[u8]) -> bool {
        let removed = self.remove.iter();
        removed.chain(self.set.iter().map(|write| &write.name)).any(|ours| name.eq_ignore_ascii_case(ours))
    }

    /// Whether a field is given a value that differs from request to request.
    pub fn varies(&self, name: &[u8]) -> bool {
        let mut writes = self.set.iter().chain(&self.add);
        writes.any(|write| *write.name == *name && write.value.as_literal().is_none())
    }

    /// Renders what is not constant.
    pub fn prepare(&self, values: &Values<'_>, prepared: &mut Prepared) {
        prepared.bytes.clear();
        prepared.ends.clear();
        for write in self.set.iter().chain(&self.add) {
            if write.value.as_literal().is_none() {
                write.value.render(&mut prepared.bytes, values);
                prepared.ends.push(prepared.bytes.len() as u32);
            }
        }
    }

    /// Changes the fields: removes, sets, adds, with the values these same changes were prepared with.
    pub fn apply(&self, fields: &mut Fields, prepared: &Prepared) {
        for name in &self.remove {
            fields.remove(name);
        }
        let mut rendered = prepared.values();
        for write in &self.set {
            fields.set(&write.name, write.value.as_literal().or_else(|| rendered.next()).unwrap_or_default());
        }
        for write in &self.add {
            fields.add(&write.name, write.value.as_literal().or_else(|| rendered.next()).unwrap_or_default());
        }
    }
}

/// The name in lower case, if it is one that a route may change.
fn editable(field: &str) -> Result<Box<[u8]>, (String, &'static str)> {
    let Ok(name) = HeaderName::from_bytes(field.as_bytes()) else {
        let what = format!("`{field}` is not the name of a header field");
        return Err((what, "write letters, digits and `-`, such as `x-request-source`"));
    };
    let fix = match Name::of(name.as_str().as_bytes()) {
        Name::Host => "set the pool's `host` to `client`, `target` or a fixed name",
        Name::ContentLength | Name::TransferEncoding | Name::Trailer => {
            "remove it here: the edge writes what frames the body, and another value could split the message in two"
        }
        Name::Connection
        | Name::Http2Settings
        | Name::KeepAlive
        | Name::ProxyConnection
        | Name::Te
        | Name::Upgrade => "remove it here: it belongs to a single connection, and the edge writes its own",
        _ => return Ok(name.as_str().as_bytes().into()),
    };
    Err((format!("`{}` cannot be changed", name.as_str()), fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Request;
    use crate::route::Captures;

    fn edits(remove: &[&str], set: &[(&str, &str)], add: &[(&str, &str)]) -> Result<Edits, Vec<EditProblem>> {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let remove = remove.iter().map(|name| (*name).to_owned()).collect();
        Edits::build(&HeaderEdits { remove, set: map(set), add: map(add) }, &[] as &[&str])
    }

    fn lines(fields: &Fields) -> Vec<String> {
        let line = |name: &[u8], value: &[u8]| {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        fields.iter().map(|(_, name, value)| line(name, value)).collect()
    }

    #[test]
    fn removes_sets_then_adds() {
        let edits = edits(
            &["X-Old", "Cookie"],
            &[("X-Constant", "1"), ("X-Path", "{path}"), ("X-Host", "<{host}>")],
            &[("Vary", "{method}"), ("vary", "b")],
        )
        .unwrap();
        let mut request = Request::default();
        request.set_target(b"/a?b");
        request.set_authority(b"shop");
        let old = ["x-old", "X-OLD", "cookie", "x-path", "accept", "vary"];
        old.iter().for_each(|name| request.fields.add(name.as_bytes(), b"old"));

        let (mut prepared, captures) = (Prepared::default(), Captures::default());
        edits.prepare(&Values::of(&request, "127.0.0.1".parse().unwrap(), &captures), &mut prepared);
        edits.apply(&mut request.fields, &prepared);

        assert_eq!(
            lines(&request.fields),
            [
                "accept: old",
                "vary: old",
                "x-constant: 1",
                "x-host: <shop>",
                "x-path: /a",
                "vary: GET",
                "vary: b"
            ]
        );
    }

    #[test]
    fn values_stand_when_the_request_has_changed() {
        let edits = edits(&[], &[("X-Path", "{path}")], &[]).unwrap();
        let (mut prepared, mut response, captures) =
            (Prepared::default(), Fields::default(), Captures::default());
        for path in [&b"/one"[..], b"/a/longer/two"] {
            let mut request = Request::default();
            request.set_target(path);
            edits.prepare(&Values::of(&request, "127.0.0.1".parse().unwrap(), &captures), &mut prepared);
            request.set_target(b"/rewritten");
            response.clear();
            edits.apply(&mut response, &prepared);
            assert_eq!(response.get(b"x-path"), Some(path));
        }
    }

    #[test]
    fn what_frames_or_routes_a_message_is_refused() {
        let problems = edits(
            &["Connection", "a b"],
            &[("Content-Length", "1"), ("HOST", "x"), ("Transfer-Encoding", "chunked"), ("X", "{nope}")],
            &[("Upgrade", "x"), ("Y", "a\nb")],
        )
        .unwrap_err();
        let told: Vec<_> = problems.iter().map(|p| format!("{} {}: {}", p.list, p.field, p.what)).collect();
        assert_eq!(told[0], "remove Connection: `connection` cannot be changed");
        assert_eq!(told[1], "remove a b: `a b` is not the name of a header field");
        assert_eq!(told[2], "set Content-Length: `content-length` cannot be changed");
        assert_eq!(told[3], "set HOST: `host` cannot be changed");
        assert_eq!(told[4], "set Transfer-Encoding: `transfer-encoding` cannot be changed");
        assert!(told[5].starts_with("set X: there is no `{nope}`; known:"), "{}", told[5]);
        assert_eq!(told[6], "add Upgrade: `upgrade` cannot be changed");
        assert!(told[7].contains("control character"), "{}", told[7]);
        assert!(problems[3].fix.as_deref().is_some_and(|fix| fix.contains("pool's `host`")));
    }
}
