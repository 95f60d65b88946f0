//! What strings and names stand for.

use super::lexer::{Kind, Lexer, Strings, Token, continued, tag};

/// PostgreSQL cuts names after so many bytes (`NAMEDATALEN` - 1).
const LONGEST_NAME: usize = 63;

/// The bytes a name stands for, in lower case unless quoted, however long. None when it is none.
pub(super) fn name_bytes(lexer: &Lexer<'_>, token: Token) -> Option<Vec<u8>> {
    let bytes = lexer.bytes(token);
    match token.kind {
        Kind::Word => Some(bytes.to_ascii_lowercase()),
        Kind::QuotedName => Some(inside(&bytes[1..], b'"').0),
        Kind::UnicodeName => {
            let (name, tail) = inside(&bytes[3..], b'"');
            unicode(&name, escape_character(tail)?)
        }
        _ => None,
    }
}

/// A name as PostgreSQL keeps it.
pub(super) fn name(lexer: &Lexer<'_>, token: Token) -> Option<String> {
    let bytes = name_bytes(lexer, token)?;
    let mut name = String::with_capacity(bytes.len().min(LONGEST_NAME));
    let mut left = LONGEST_NAME;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            left = match left.checked_sub(character.len_utf8()) {
                Some(left) => left,
                None => return Some(name),
            };
            name.push(character);
        }
        for byte in chunk.invalid() {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return Some(name),
            };
            // Private characters, one for each byte from 0x80: other bytes cannot be invalid.
            name.extend(char::from_u32(0xF700 + u32::from(*byte)));
        }
    }
    Some(name)
}

/// The bytes a string stands for. None when it is none, or when PostgreSQL would refuse it.
pub(super) fn string_bytes(lexer: &Lexer<'_>, token: Token) -> Option<Vec<u8>> {
    let bytes = lexer.bytes(token);
    match token.kind {
        Kind::String => Some(joined(bytes, false).0),
        Kind::EscapeString => unescape(&joined(bytes, true).0),
        Kind::UnicodeString => {
            let (string, tail) = joined(bytes, false);
            unicode(&string, escape_character(tail)?)
        }
        Kind::DollarString => Some(dollar_inside(bytes).to_vec()),
        _ => None,
    }
}

/// The text a string stands for, if it is UTF-8.
pub(super) fn string(lexer: &Lexer<'_>, token: Token) -> Option<String> {
    String::from_utf8(string_bytes(lexer, token)?).ok()
}

/// What stands between the delimiters of `$tag$…$tag$`.
pub(super) fn dollar_inside(bytes: &[u8]) -> &[u8] {
    let len = tag(bytes).map_or(0, <[u8]>::len);
    bytes.get(len..bytes.len().saturating_sub(len)).unwrap_or_default()
}

/// What stands in a string, its parts on several lines put together, and what follows it. Where backslashes escape
/// they still stand before what they escape.
fn joined(bytes: &[u8], escapes: bool) -> (Vec<u8>, &[u8]) {
    let mut string = Vec::with_capacity(bytes.len());
    let mut at = bytes.iter().position(|b| *b == b'\'').map_or(bytes.len(), |quote| quote + 1);
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => {
                // An escaped quote where it could be taken for one that begins an escape.
                string.extend_from_slice(if escapes { b"\\'" } else { b"'" });
                at += 2;
            }
            (b'\'', _) => match continued(bytes, at + 1) {
                Some(next) => at = next,
                None => return (string, &bytes[at + 1..]),
            },
            (b'\\', Some(next)) if escapes => {
                string.extend_from_slice(&[byte, *next]);
                at += 2;
            }
            _ => {
                string.push(byte);
                at += 1;
            }
        }
    }
    (string, &[])
}

/// What stands before the quote that ends it, and what follows that; two quotes are one.
fn inside(bytes: &[u8], quote: u8) -> (Vec<u8>, &[u8]) {
    let mut inside = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == quote {
            if bytes.get(at) != Some(&quote) {
                break;
            }
            at += 1;
        }
        inside.push(byte);
    }
    (inside, &bytes[at..])
}

/// Escapes with a backslash ("String Constants With C-Style Escapes").
fn unescape(inside: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\\' {
            rest = escape(rest, &mut bytes)?;
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

/// One escape, of which the backslash is gone; what follows it.
fn escape<'a>(rest: &'a [u8], bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&byte, after) = rest.split_first()?;
    let simple = match byte {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        // Its meaning differs between versions.
        b'v' => return None,
        b'0'..=b'7' => {
            let len = rest.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
            bytes.push(number(&rest[..len], 8)? as u8);
            return Some(&rest[len..]);
        }
        b'x' => {
            let len = after.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            bytes.push(if len == 0 { b'x' } else { number(&after[..len], 16)? as u8 });
            return Some(&after[len..]);
        }
        b'u' | b'U' => {
            let len = if byte == b'u' { 4 } else { 8 };
            push_character(number(after.get(..len)?, 16)?, bytes)?;
            return Some(&after[len..]);
        }
        other => other,
    };
    bytes.push(simple);
    Some(after)
}

/// `\0061` and `\+000061`, with whatever character stands for the backslash. Pairs of surrogates are not put together.
fn unicode(inside: &[u8], escape: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match after.first() {
            _ if byte != escape => {
                bytes.push(byte);
                after
            }
            Some(next) if *next == escape => {
                bytes.push(escape);
                &after[1..]
            }
            Some(b'+') => {
                push_character(number(after.get(1..7)?, 16)?, &mut bytes)?;
                &after[7..]
            }
            _ => {
                push_character(number(after.get(..4)?, 16)?, &mut bytes)?;
                &after[4..]
            }
        };
    }
    Some(bytes)
}

/// The character that stands for a backslash: what `UESCAPE '…'` after the quotes says.
fn escape_character(tail: &[u8]) -> Option<u8> {
    let mut lexer = Lexer::new(tail, Strings::Standard);
    if lexer.next().kind == Kind::End {
        return Some(b'\\');
    }
    let string = lexer.next();
    match string_bytes(&lexer, string)?.as_slice() {
        [character] => Some(*character),
        _ => None,
    }
}

fn push_character(code: u32, bytes: &mut Vec<u8>) -> Option<()> {
    let character = char::from_u32(code).filter(|c| *c != '\0')?;
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        number.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    })
}
