//! Where what has begun ends.

use memchr::{memchr, memchr2};

use super::class::IN_WORD;

/// Past the quote that ends a string whose inside begins at `at`.
pub(super) fn end_of_string(text: &[u8], mut at: usize, escapes: bool) -> Option<usize> {
    loop {
        let rest = text.get(at..)?;
        let found = if escapes { memchr2(b'\'', b'\\', rest) } else { memchr(b'\'', rest) };
        at += found?;
        let doubled = text.get(at + 1) == Some(&b'\'');
        match text[at] {
            b'\'' if !doubled => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Where the inside of a string goes on that ended at `at`: after blanks and `--` comments with a line end among them
/// and a quote.
pub(in crate::sql) fn continued(text: &[u8], at: usize) -> Option<usize> {
    let mut line_ended = false;
    let mut next = at;
    loop {
        match text.get(next)? {
            b'\'' if line_ended => return Some(next + 1),
            b'\n' | b'\r' => line_ended = true,
            b' ' | b'\t' | 0x0b | 0x0c => {}
            b'-' if text.get(next + 1) == Some(&b'-') => {
                next = end_of_line(text, next);
                continue;
            }
            _ => return None,
        }
        next += 1;
    }
}

pub(super) fn end_of_line(text: &[u8], at: usize) -> usize {
    memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |len| at + len)
}

/// Past the comment that begins at `at`; comments nest.
pub(super) fn end_of_comment(text: &[u8], at: usize) -> Option<usize> {
    let mut depth = 1;
    let mut at = at + 2;
    loop {
        at += memchr2(b'/', b'*', text.get(at..)?)?;
        match (text[at], text.get(at + 1)?) {
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// The delimiter at the start: `$$` or `$tag$`.
pub(in crate::sql) fn tag(text: &[u8]) -> Option<&[u8]> {
    let len = text[1..].iter().take_while(|b| **b != b'$' && IN_WORD[usize::from(**b)]).count();
    (text.get(len + 1) == Some(&b'$')).then(|| &text[..len + 2])
}

/// Past the string that begins with that delimiter.
pub(super) fn end_of_dollar(text: &[u8], tag: &[u8]) -> Option<usize> {
    let mut at = tag.len();
    loop {
        at += memchr(b'$', &text[at..])?;
        if text[at..].starts_with(tag) {
            return Some(at + tag.len());
        }
        at += 1;
    }
}
