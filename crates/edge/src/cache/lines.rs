//! Field lines as they are stored and sent: `name: value` CRLF, one after the other.

use deepwater_cache::rules;

use crate::head::Fields;

/// Field lines, written once when a response is stored and copied whole into every answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines<'a>(pub &'a [u8]);

impl<'a> Lines<'a> {
    /// Name and value of each line.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            // Values hold neither CR nor LF: they were checked when they were read.
            let end = memchr::memchr(b'\r', rest)?;
            let line = &rest[..end];
            rest = rest.get(end + 2..).unwrap_or_default();
            let colon = memchr::memchr(b':', line)?;
            Some((&line[..colon], line.get(colon + 2..).unwrap_or_default()))
        })
    }

    /// Copies the lines that `keeps` holds for.
    pub fn copy_to(self, fields: &mut Fields, mut keeps: impl FnMut(&[u8]) -> bool) {
        for (name, value) in self.iter().filter(|(name, _)| keeps(name)) {
            fields.add(name, value);
        }
    }
}

impl rules::Fields for Lines<'_> {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (*self).iter()
    }
}

/// Appends a line.
pub(crate) fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let mut out = Vec::new();
        for (name, value) in [(&b"A"[..], &b"1"[..]), (b"b", b""), (b"c", b"x: y")] {
            write_line(&mut out, name, value);
        }
        let read: Vec<_> = Lines(&out).iter().collect();
        assert_eq!(read, [(&b"A"[..], &b"1"[..]), (b"b", b""), (b"c", b"x: y")]);
        assert_eq!(Lines(b"").iter().count(), 0);
    }
}
