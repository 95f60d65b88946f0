//! What an application says of a statement in a comment after it (sqlcommenter):
//! `SELECT 1 /*route='%2Forders',traceparent='00-…'*/`.

use memchr::memmem;

/// Longer comments are not looked at.
const LONGEST_COMMENT: usize = 4_096;
/// More pairs than this are not read.
const MAX_TAGS: usize = 32;

/// The keys and values of the comment at the end of a text, decoded, in their order. Empty when there is no comment
/// or any part of it is not of that form.
pub fn comment_tags(text: &[u8]) -> Vec<(String, String)> {
    comment(text).and_then(pairs).unwrap_or_default()
}

/// What stands in the comment at the end, semicolons aside.
fn comment(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().rposition(|b| !b.is_ascii_whitespace() && *b != b';')? + 1;
    let text = text[..end].strip_suffix(b"*/")?;
    let tail = &text[text.len().saturating_sub(LONGEST_COMMENT)..];
    let comment = &tail[memmem::rfind(tail, b"/*")? + 2..];
    memmem::find(comment, b"*/").is_none().then_some(comment)
}

fn pairs(comment: &[u8]) -> Option<Vec<(String, String)>> {
    let mut tags = Vec::new();
    let mut rest = comment.trim_ascii();
    while tags.len() < MAX_TAGS {
        let equals = rest.iter().position(|b| *b == b'=')?;
        let key = decode(rest[..equals].trim_ascii())?;
        let value = rest[equals + 1..].trim_ascii_start().strip_prefix(b"'")?;
        let end = end_of_value(value)?;
        tags.push((key, decode(&value[..end])?));
        rest = value[end + 1..].trim_ascii_start();
        match rest.split_first() {
            None => break,
            Some((b',', after)) => rest = after.trim_ascii_start(),
            Some(_) => return None,
        }
    }
    Some(tags)
}

/// Where the quote stands that ends a value; a backslash takes the meaning of the byte after it.
fn end_of_value(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match value.get(at)? {
            b'\'' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Percent-encoding and backslashes undone. None for what is then not UTF-8.
fn decode(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let decoded = match byte {
            b'%' => {
                let [high, low, ..] = after else { return None };
                let digit = |b: u8| char::from(b).to_digit(16);
                rest = &after[2..];
                (digit(*high)? << 4 | digit(*low)?) as u8
            }
            b'\\' => {
                let (&escaped, after) = after.split_first()?;
                rest = after;
                escaped
            }
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_from_the_last_comment() {
        for (text, expected) in [
            ("SELECT 1", &[][..]),
            ("SELECT 1 /*a='b'*/", &[("a", "b")]),
            ("SELECT 1 /* a = 'b' , c='d' */ ; \n", &[("a", "b"), ("c", "d")]),
            (
                "SELECT 1 /* x */ /*route='%2Forders%20all',k%20='v\\'w'*/",
                &[("route", "/orders all"), ("k ", "v'w")],
            ),
            ("SELECT 1; /*a=''*/", &[("a", "")]),
            ("SELECT 1 /*a='b'*/ + 2", &[]),
            ("SELECT 1 /*a='b',*/", &[]),
            ("SELECT 1 /*a='b' c='d'*/", &[]),
            ("SELECT 1 /*a='b*/", &[]),
            ("SELECT 1 /*a=b*/", &[]),
            ("SELECT 1 /*a='%zz'*/", &[]),
            ("SELECT 1 /*a='%2'*/", &[]),
            ("SELECT 1 /*a='%ff'*/", &[]),
            ("SELECT 1 /*a='%0a'*/", &[]),
            ("SELECT 1 /*a='\\'*/", &[]),
            ("SELECT 1 /* /*a='b'*/ */", &[]),
            ("/*a='b'*/", &[("a", "b")]),
            ("*/", &[]),
            ("/*/", &[]),
            ("/**/", &[]),
            ("", &[]),
        ] {
            let tags = comment_tags(text.as_bytes());
            let tags: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(tags, expected, "{text}");
        }
    }

    #[test]
    fn there_are_limits() {
        let many = format!("SELECT 1 /*{}a='b'*/", "a='b',".repeat(100));
        assert_eq!(comment_tags(many.as_bytes()).len(), MAX_TAGS);
        let long = format!("SELECT 1 /*a='{}'*/", "b".repeat(LONGEST_COMMENT));
        assert_eq!(comment_tags(long.as_bytes()), []);
    }
}
