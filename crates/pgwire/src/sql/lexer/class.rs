//! What bytes mean where nothing has begun.

use super::Kind;

/// What a byte can begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Blank,
    Letter,
    Digit,
    Dollar,
    Quote,
    DoubleQuote,
    Operator,
    Single(Kind),
    Dot,
    Colon,
    Other,
}

pub(super) static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut at = 0;
    while at < 256 {
        classes[at] = class(at as u8);
        at += 1;
    }
    classes
};

const fn class(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Blank,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'$' => Class::Dollar,
        b'\'' => Class::Quote,
        b'"' => Class::DoubleQuote,
        b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*' | b'/' | b'%'
        | b'<' | b'>' | b'=' => Class::Operator,
        b'(' => Class::Single(Kind::Open),
        b')' => Class::Single(Kind::Close),
        b'[' => Class::Single(Kind::OpenBracket),
        b']' => Class::Single(Kind::CloseBracket),
        b',' => Class::Single(Kind::Comma),
        b';' => Class::Single(Kind::Semicolon),
        b'.' => Class::Dot,
        b':' => Class::Colon,
        _ => Class::Other,
    }
}

/// The bytes that continue a word.
pub(super) static IN_WORD: [bool; 256] = {
    let mut in_word = [false; 256];
    let mut at = 0;
    while at < 256 {
        in_word[at] = matches!(class(at as u8), Class::Letter | Class::Digit | Class::Dollar);
        at += 1;
    }
    in_word
};
