//! Most texts are one ordinary statement without a word that matters. That is seen without cutting them into tokens.

use memchr::memchr;

use super::lexer::{Kind, Lexer, Strings};
use super::words::{lower, room};

/// Whether the text is one statement that leaves nothing behind. False says nothing.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // Backslashes make no difference before the first word.
    let mut lexer = Lexer::new(text, Strings::Standard);
    let first = lexer.next();
    if first.kind != Kind::Word {
        return false;
    }
    let ordinary = matches!(
        lower(lexer.bytes(first), &mut room()),
        b"select" | b"insert" | b"update" | b"delete" | b"with"
    );
    ordinary && is_one_statement(&text[first.end..]) && !may_matter(&text[first.end..])
}

/// Wherever strings and comments begin and end: no semicolon, no second statement.
fn is_one_statement(rest: &[u8]) -> bool {
    memchr(b';', rest).is_none_or(|semicolon| rest[semicolon + 1..].trim_ascii().is_empty())
}

/// Whether a part of a word is there that every word and name that matters has, in strings and comments too:
/// `t_co` and `k_co` (`set_config`, `dblink_connect`), `pg_`, `temp`, and `U&"` which can hide any of them.
/// Written so that it becomes vector instructions.
fn may_matter(rest: &[u8]) -> bool {
    let Some(last) = rest.len().checked_sub(3) else { return false };
    let [one, two, three, four] = [&rest[..last], &rest[1..], &rest[2..], &rest[3..]];
    let bytes = one.iter().zip(two).zip(three).zip(four);
    let found = bytes.fold(0, |found, (((one, two), three), four)| {
        // Letters in lower case; the underscore becomes DEL.
        let [one, two, three, four] = [one | 0x20, two | 0x20, three | 0x20, four | 0x20];
        let is = |byte: u8, expected: u8| u8::from(byte == expected);
        let t = is(one, b't');
        found
            | ((t | is(one, b'k')) & is(two, 0x7f) & is(three, b'c') & is(four, b'o'))
            | (is(one, b'p') & is(two, b'g') & is(three, 0x7f))
            | (t & is(two, b'e') & is(three, b'm') & is(four, b'p'))
            | (is(one, b'u') & is(two, b'&') & is(three, b'"'))
    });
    found != 0
}
