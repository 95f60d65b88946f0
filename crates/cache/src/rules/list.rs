//! Comma-separated lists (RFC 9110 §5.6.1).

/// The members of a list without blanks around them; commas within quoted strings do not separate. Empty
/// members are left out. A quote that is never closed is an ordinary byte, so that what follows it is still seen.
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    let mut quotes = true;
    std::iter::from_fn(move || {
        loop {
            let list = rest?;
            let end = end_of_member(list, &mut quotes);
            rest = list.get(end + 1..);
            let member = list[..end].trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// Where the first member ends. `quotes` tells whether quotes may still be closed in what follows.
fn end_of_member(list: &[u8], quotes: &mut bool) -> usize {
    let mut at = 0;
    while at < list.len() {
        match list[at] {
            b',' => return at,
            b'"' if *quotes => match end_of_quoted(&list[at..]) {
                Some(len) => at += len,
                None => {
                    *quotes = false;
                    at += 1;
                }
            },
            _ => at += 1,
        }
    }
    list.len()
}

/// The length of the quoted string at the start, quotes included.
pub(crate) fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Whether it is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart() {
        for (value, expected) in [
            ("", &[][..]),
            (" , ,", &[]),
            ("a, b ,c", &["a", "b", "c"]),
            ("a=\"1, 2\", b", &["a=\"1, 2\"", "b"]),
            ("a=\"1\\\", 2\", b", &["a=\"1\\\", 2\"", "b"]),
            ("a=\"1, b, c", &["a=\"1", "b", "c"]),
            ("a=\"1\\", &["a=\"1\\"]),
        ] {
            let found: Vec<_> = members(value.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|member| member.as_bytes()).collect();
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn quotes_never_closed_do_not_make_it_slow() {
        let value = b"\"\\".repeat(1 << 19);
        assert_eq!(members(&value).count(), 1);
    }
}
