//! Path patterns: `/exact`, `/prefix/*`, `/products/{id}`, `/files/{rest*}`.

use smallvec::SmallVec;

use super::Fault;
use super::normal::normalise_segment;
use super::template::BUILT_IN;

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text, in normal form. An empty one ends a pattern that has a trailing slash.
    Literal(Box<[u8]>),
    /// Any one segment that is not empty.
    Parameter,
}

/// What may follow the segments of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    None,
    /// `*`: anything, and nothing at all.
    Any,
    /// `{name*}`: the same, captured.
    Captured,
}

/// Where a part of a path stands in it: start and end.
pub(super) type Part = (u32, u32);

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) segments: Vec<Segment>,
    pub(super) tail: Tail,
    names: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; none at all matches everything, as `/*` does.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Fault> {
        let mut pattern = Self { segments: Vec::new(), tail: Tail::None, names: Vec::new() };
        let text = text.unwrap_or("/*");
        let Some(path) = text.strip_prefix('/') else {
            let fix = if text.contains(['^', '$', '(', '\\']) {
                "this is a pattern, no regular expression: `/api/*` is all below `/api/`, `{id}` one segment"
                    .into()
            } else {
                format!("write `/{text}`")
            };
            return Err((format!("`{text}` does not begin with a slash"), Some(fix)));
        };
        if let Some(at) = path.find(['?', '#']) {
            let fix = format!("write `/{}`, and conditions on the query under `match.query`", &path[..at]);
            return Err(("a path has no query and no fragment".into(), Some(fix)));
        }
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            pattern.push(segment, last)?;
        }
        Ok(pattern)
    }

    fn push(&mut self, segment: &str, last: bool) -> Result<(), Fault> {
        if segment == "*" || segment.ends_with("*}") {
            if !last {
                let what = format!("`{segment}` stands before other segments, but takes all that follows");
                return Err((what, Some("write it last, or a `{name}` for a single segment".into())));
            }
            self.tail = Tail::Any;
            if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix("*}")) {
                self.name(name)?;
                self.tail = Tail::Captured;
                return Ok(());
            } else if segment == "*" {
                return Ok(());
            }
        }
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            self.name(name)?;
            self.segments.push(Segment::Parameter);
            return Ok(());
        }
        if segment.contains(['{', '}', '*']) {
            let what =
                format!("`{segment}` is not a form of segment: `{{name}}`, `{{name*}}` and `*` stand alone");
            let fix = "write `/text`, `/{name}`, `/{name*}` or `/*` (a `*` or brace of the path itself as `%2A`, `%7B`, `%7D`)";
            return Err((what, Some(fix.into())));
        }
        let unmatched = matches!(segment, "." | "..") || (segment.is_empty() && !last);
        if unmatched {
            let what =
                "requests are compared with `.`, `..` and repeated slashes resolved: this path never matches";
            return Err((what.into(), Some("write the path as it is after that".into())));
        }
        let mut literal = Vec::with_capacity(segment.len());
        normalise_segment(segment.as_bytes(), &mut literal);
        self.segments.push(Segment::Literal(literal.into()));
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), Fault> {
        let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !valid {
            let fix = "write letters, digits and `_`, not beginning with a digit: `{product_id}`";
            return Err((format!("`{name}` is not a name"), Some(fix.into())));
        }
        if BUILT_IN.contains(&name) {
            let what =
                format!("`{{{name}}}` stands for the request's own {} everywhere", name.replace('_', " "));
            return Err((what, Some(format!("choose another name, such as `{{the_{name}}}`"))));
        }
        if self.names.iter().any(|known| known == name) {
            return Err((
                format!("`{{{name}}}` appears twice"),
                Some("give each segment a name of its own".into()),
            ));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// The names, in the order they capture.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What the names capture of a path that matches, and where the part below the pattern's prefix begins: what a
    /// `*` takes, or all behind the first slash when there is none.
    pub(super) fn capture(&self, path: &[u8], parts: &mut SmallVec<[Part; 4]>) -> u32 {
        let mut at = 1;
        for segment in &self.segments {
            let len = segment_len(&path[at.min(path.len())..]);
            if *segment == Segment::Parameter {
                parts.push((at as u32, (at + len) as u32));
            }
            at += len + 1;
        }
        let rest = at.min(path.len()) as u32;
        if self.tail == Tail::Captured {
            parts.push((rest, path.len() as u32));
        }
        if self.tail == Tail::None { 1 } else { rest }
    }
}

/// Bytes up to the next slash.
pub(super) fn segment_len(rest: &[u8]) -> usize {
    memchr::memchr(b'/', rest).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_forms() {
        let pattern = Pattern::parse(Some("/a b/{id}/{rest*}")).unwrap();
        assert_eq!(pattern.segments, [Segment::Literal((*b"a%20b").into()), Segment::Parameter]);
        assert_eq!(
            (pattern.tail, pattern.names()),
            (Tail::Captured, &["id".to_owned(), "rest".to_owned()][..])
        );
        let slash = Pattern::parse(Some("/a/")).unwrap();
        assert_eq!(slash.segments, [Segment::Literal((*b"a").into()), Segment::Literal((*b"").into())]);
        assert_eq!(Pattern::parse(None), Pattern::parse(Some("/*")));
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for (text, says) in [
            ("", "does not begin with a slash"),
            ("a/*", "does not begin with a slash"),
            ("/a?b=c", "no query"),
            ("/a/*/b", "takes all that follows"),
            ("/{rest*}/b", "takes all that follows"),
            ("/a*", "stand alone"),
            ("/**", "stand alone"),
            ("/{a}.json", "stand alone"),
            ("/{a", "stand alone"),
            ("/x{a*}", "stand alone"),
            ("/{}", "not a name"),
            ("/{1a}", "not a name"),
            ("/{a-b}", "not a name"),
            ("/{a}/{a}", "appears twice"),
            ("/{a}/{a*}", "appears twice"),
            ("/{path}", "the request's own path"),
            ("/a//b", "never matches"),
            ("/a/../b", "never matches"),
            ("/.", "never matches"),
        ] {
            let (what, _) = Pattern::parse(Some(text)).expect_err(text);
            assert!(what.contains(says), "{text}: {what}");
        }
    }
}
