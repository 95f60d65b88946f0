//! Message heads: one arena of bytes and a list of fields pointing into it.
//!
//! A head is filled, edited and written once per message, so it is kept for reuse: clearing it keeps its
//! memory, and no field costs an allocation of its own.

mod name;

use http::{Method, StatusCode};

pub use name::Name;

/// A range of an arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Self {
        // Heads are limited to far less than 4 GiB before they get here.
        Self { start: start as u32, len: len as u32 }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end() as usize]
    }

    fn end(self) -> u32 {
        self.start + self.len
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// A field. In the arena it stands as the line that HTTP/1 writes: name, `: `, value, CRLF.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
    id: Name,
    live: bool,
}

/// Header or trailer fields in the order they came.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

impl Fields {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// Copies bytes into the arena.
    pub(crate) fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span::new(start, bytes.len())
    }

    /// The bytes of a span.
    pub(crate) fn bytes_of(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// Adds a field whose bytes are in the arena already.
    #[inline]
    pub(crate) fn push_spans(&mut self, name: Span, value: Span) {
        let id = Name::of(name.of(&self.bytes));
        let written = value.start == name.end() + 2
            && self.bytes[name.end() as usize..].starts_with(b": ")
            && self.bytes[value.end() as usize..].starts_with(b"\r\n");
        if written {
            self.fields.push(Field { name, value, id, live: true });
        } else {
            let (name, value) = (name.of(&self.bytes).to_vec(), value.of(&self.bytes).to_vec());
            self.add_line(id, &name, &value);
        }
    }

    /// Adds a field.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.add_line(Name::of(name), name, value);
    }

    /// Adds a field with a well-known name.
    pub fn add_known(&mut self, id: Name, value: &[u8]) {
        self.add_line(id, id.as_str().as_bytes(), value);
    }

    /// Adds a field that is written already, `name: value` and CR LF, by the length of its name.
    pub(crate) fn add_written(&mut self, name: usize, line: &[u8]) {
        debug_assert!(line[name..].starts_with(b": ") && line.ends_with(b"\r\n"), "{line:?}");
        let whole = self.store(line);
        let start = whole.start as usize;
        let (name, value) = (Span::new(start, name), Span::new(start + name + 2, line.len() - name - 4));
        self.fields.push(Field { name, value, id: Name::of(name.of(&self.bytes)), live: true });
    }

    #[inline]
    fn add_line(&mut self, id: Name, name: &[u8], value: &[u8]) {
        self.bytes.reserve(name.len() + value.len() + 4);
        let name = self.store(name);
        self.bytes.extend_from_slice(b": ");
        let value = self.store(value);
        self.bytes.extend_from_slice(b"\r\n");
        self.fields.push(Field { name, value, id, live: true });
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of that name (compared without case).
    pub fn remove(&mut self, name: &[u8]) {
        let id = Name::of(name);
        for at in 0..self.fields.len() {
            let field = self.fields[at];
            if field.id == id && (id != Name::Other || field.name.of(&self.bytes).eq_ignore_ascii_case(name))
            {
                self.fields[at].live = false;
            }
        }
    }

    /// Removes every field of a well-known name.
    #[inline]
    pub fn remove_known(&mut self, id: Name) {
        for field in &mut self.fields {
            if field.id == id {
                field.live = false;
            }
        }
    }

    /// Removes the fields for which the predicate holds.
    #[inline]
    pub(crate) fn remove_where(&mut self, mut predicate: impl FnMut(Name, &[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        for field in &mut self.fields {
            if field.live && predicate(field.id, field.name.of(bytes), field.value.of(bytes)) {
                field.live = false;
            }
        }
    }

    /// The value of the first field of a well-known name.
    #[inline]
    pub fn get_known(&self, id: Name) -> Option<&[u8]> {
        self.all_known(id).next()
    }

    /// The values of all fields of a well-known name.
    #[inline]
    pub fn all_known(&self, id: Name) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |f| f.id == id && f.live).map(|f| f.value.of(&self.bytes))
    }

    /// Where the values of a well-known name stand.
    pub(crate) fn spans_known(&self, id: Name) -> impl Iterator<Item = Span> {
        self.fields.iter().filter(move |f| f.id == id && f.live).map(|f| f.value)
    }

    /// The value of the first field of that name (compared without case).
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(_, n, _)| n.eq_ignore_ascii_case(name)).map(|(_, _, value)| value)
    }

    /// All fields: well-known name, name as written, value.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.fields.iter().filter(|f| f.live).map(|f| (f.id, f.name.of(&self.bytes), f.value.of(&self.bytes)))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.iter().filter(|f| f.live).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes all fields as HTTP/1 lines. Neighbours in the arena leave in one piece.
    #[inline]
    pub(crate) fn write_http1(&self, out: &mut Vec<u8>) {
        let (mut start, mut end) = (0, 0);
        for field in self.fields.iter().filter(|field| field.live) {
            if field.name.start != end {
                out.extend_from_slice(&self.bytes[start as usize..end as usize]);
                start = field.name.start;
            }
            end = field.value.end() + 2;
        }
        out.extend_from_slice(&self.bytes[start as usize..end as usize]);
    }
}

#[cfg(test)]
impl Fields {
    /// These, in order.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let mut fields = Self::default();
        fields.add_all(pairs);
        fields
    }

    /// Adds these.
    pub fn add_all(&mut self, pairs: &[(&str, &str)]) {
        pairs.iter().for_each(|(name, value)| self.add(name.as_bytes(), value.as_bytes()));
    }
}

impl deepwater_cache::rules::Fields for Fields {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter().map(|(_, name, value)| (name, value))
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let id = Name::of(name.as_bytes());
        self.iter()
            .filter(move |(known, written, _)| {
                *known == id && (id != Name::Other || written.eq_ignore_ascii_case(name.as_bytes()))
            })
            .map(|(_, _, value)| value)
    }
}

/// The protocol version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As logs and `Via` write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2.0",
        }
    }
}

/// A request head.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The version the client spoke.
    pub version: Version,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// Header fields, without `Host`.
    pub fields: Fields,
    target: Span,
    path_len: u32,
    authority: Span,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: Method::GET,
            version: Version::Http11,
            secure: false,
            fields: Fields::default(),
            target: Span::default(),
            path_len: 0,
            authority: Span::default(),
        }
    }
}

impl Request {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.target = Span::default();
        self.authority = Span::default();
        self.path_len = 0;
    }

    /// Path and query as sent (origin form), or `*`.
    #[inline]
    pub fn target(&self) -> &[u8] {
        self.fields.bytes_of(self.target)
    }

    /// The path as sent, still percent-encoded.
    #[inline]
    pub fn path(&self) -> &[u8] {
        &self.target()[..self.path_len as usize]
    }

    /// The query without `?`.
    #[inline]
    pub fn query(&self) -> &[u8] {
        self.target().get(self.path_len as usize + 1..).unwrap_or_default()
    }

    /// Host and port as sent; empty when a HTTP/1.0 client named none.
    #[inline]
    pub fn authority(&self) -> &[u8] {
        self.fields.bytes_of(self.authority)
    }

    /// Sets path and query from arena bytes.
    #[inline]
    pub(crate) fn set_target_span(&mut self, target: Span) {
        self.target = target;
        let bytes = self.fields.bytes_of(target);
        self.path_len = memchr::memchr(b'?', bytes).unwrap_or(bytes.len()) as u32;
    }

    /// Sets path and query.
    pub fn set_target(&mut self, target: &[u8]) {
        let span = self.fields.store(target);
        self.set_target_span(span);
    }

    /// Sets host and port from arena bytes.
    #[inline]
    pub(crate) fn set_authority_span(&mut self, authority: Span) {
        self.authority = authority;
    }

    /// Sets host and port.
    pub fn set_authority(&mut self, authority: &[u8]) {
        self.authority = self.fields.store(authority);
    }

    /// `http` or `https`, as the client came.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// A response head.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The version the origin spoke.
    pub version: Version,
    /// Header fields.
    pub fields: Fields,
}

impl Default for Response {
    fn default() -> Self {
        Self { status: StatusCode::OK, version: Version::Http11, fields: Fields::default() }
    }
}

impl Response {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.fields.clear();
    }
}

/// The members of a comma-separated list, trimmed, without empty ones (RFC 9110 §5.6.1).
pub(crate) fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_edited_without_case_and_keep_their_order() {
        let mut fields = Fields::default();
        fields.add(b"Accept", b"a");
        fields.add(b"X-One", b"1");
        fields.add(b"accept", b"b");
        fields.set(b"x-one", b"2");
        let seen: Vec<_> = fields.iter().map(|(_, n, v)| (n.to_vec(), v.to_vec())).collect();
        assert_eq!(
            seen,
            [
                (b"Accept".to_vec(), b"a".to_vec()),
                (b"accept".to_vec(), b"b".to_vec()),
                (b"x-one".to_vec(), b"2".to_vec())
            ]
        );
        fields.remove(b"ACCEPT");
        assert_eq!(fields.len(), 1);
        assert_eq!(fields.get(b"X-ONE"), Some(&b"2"[..]));
    }

    #[test]
    fn fields_are_written_as_lines_however_they_came() {
        let mut fields = Fields::default();
        fields.store(b"a: 1\r\nb:2\r\nc: 3 \r\nd: 4\n");
        for (name, value) in [((0, 1), (3, 1)), ((6, 1), (8, 1)), ((11, 1), (14, 1)), ((18, 1), (21, 1))] {
            fields.push_spans(Span::new(name.0, name.1), Span::new(value.0, value.1));
        }
        fields.add(b"e", b"5");
        fields.add(b"f", b"");
        let written = |fields: &Fields| {
            let mut out = Vec::new();
            fields.write_http1(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&fields), "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: \r\n");
        fields.remove(b"e");
        fields.remove(b"a");
        assert_eq!(written(&fields), "b: 2\r\nc: 3\r\nd: 4\r\nf: \r\n");
        fields.clear();
        assert_eq!(written(&fields), "");
    }

    #[test]
    fn a_target_is_split_at_the_first_question_mark() {
        let mut request = Request::default();
        request.set_target(b"/a/b?c=d?e");
        assert_eq!((request.path(), request.query()), (&b"/a/b"[..], &b"c=d?e"[..]));
        request.set_target(b"/a");
        assert_eq!((request.path(), request.query()), (&b"/a"[..], &b""[..]));
    }

    #[test]
    fn lists_drop_empty_members() {
        let members: Vec<_> = list_members(b" a, ,b ,, c").collect();
        assert_eq!(members, [&b"a"[..], b"b", b"c"]);
    }
}
