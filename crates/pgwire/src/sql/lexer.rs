//! Tokens, cut where PostgreSQL cuts them ("Lexical Structure" of its documentation, and its scanner).
//!
//! A text that does not end a string, a quoted name or a comment is refused by PostgreSQL as a whole; here it ends in
//! [`Kind::Unterminated`].

mod class;
mod ends;

use memchr::memchr;

use class::{CLASSES, Class, IN_WORD};
use ends::{end_of_comment, end_of_dollar, end_of_line, end_of_string};

pub(super) use ends::{continued, tag};

/// How a backslash is meant in `'…'`, the setting `standard_conforming_strings` at the time the text arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strings {
    /// As any other byte: `on`, the default since PostgreSQL 9.1.
    #[default]
    Standard,
    /// As the start of an escape: `off`.
    Escapes,
}

/// A token: its kind and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name.
    Word,
    /// `"…"`.
    QuotedName,
    /// `U&"…"`.
    UnicodeName,
    /// `'…'`.
    String,
    /// `E'…'`, or `'…'` where backslashes escape.
    EscapeString,
    /// `U&'…'`.
    UnicodeString,
    /// `B'…'` and `X'…'`.
    BitString,
    /// `$tag$…$tag$`.
    DollarString,
    Number,
    /// `$1`.
    Parameter,
    /// One or more operator characters.
    Operator,
    /// `::`, `:=`, `:`.
    Colon,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Dot,
    Semicolon,
    /// A byte that is none of the above; PostgreSQL refuses it.
    Other,
    /// What follows does not end; the token reaches to the end of the text.
    Unterminated,
    /// There are no more.
    End,
}

impl Kind {
    /// Whether it is a string of any sort.
    pub(super) fn is_string(self) -> bool {
        matches!(
            self,
            Self::String | Self::EscapeString | Self::UnicodeString | Self::BitString | Self::DollarString
        )
    }

    /// Whether it is a word or a quoted name.
    pub(super) fn is_name(self) -> bool {
        matches!(self, Self::Word | Self::QuotedName | Self::UnicodeName)
    }
}

/// Cuts a text into tokens; a copy looks ahead.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    strings: Strings,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], strings: Strings) -> Self {
        Self { text, at: 0, strings }
    }

    /// The text it reads.
    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The bytes of a token.
    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        &self.text[token.start..token.end]
    }

    /// The next token without taking it.
    pub(super) fn peek(&self) -> Token {
        let mut ahead = *self;
        ahead.next()
    }

    /// The next token; blanks and comments separate tokens and are none.
    pub(super) fn next(&mut self) -> Token {
        self.token(true)
    }

    /// The same, a name without the `UESCAPE '…'` that may follow.
    pub(super) fn next_alone(&mut self) -> Token {
        self.token(false)
    }

    /// `tail`: whether what begins with `U&` takes its `UESCAPE '…'` with it.
    #[inline(always)]
    fn token(&mut self, tail: bool) -> Token {
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            let kind = match CLASSES[usize::from(byte)] {
                Class::Blank => {
                    self.at += 1;
                    continue;
                }
                Class::Letter => self.word(tail),
                Class::Digit => self.number(),
                Class::Single(kind) => {
                    self.at += 1;
                    kind
                }
                Class::Operator => match (byte, self.byte(1)) {
                    (b'-', Some(b'-')) => {
                        self.at = end_of_line(self.text, self.at);
                        continue;
                    }
                    (b'/', Some(b'*')) => match end_of_comment(self.text, self.at) {
                        Some(end) => {
                            self.at = end;
                            continue;
                        }
                        None => self.unterminated(),
                    },
                    _ => self.operator(),
                },
                Class::Dot if self.byte(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
                Class::Dot => {
                    self.at += 1;
                    Kind::Dot
                }
                Class::Quote if self.strings == Strings::Escapes => self.string(0, Kind::EscapeString),
                Class::Quote => self.string(0, Kind::String),
                Class::DoubleQuote => self.quoted_name(0, Kind::QuotedName),
                Class::Dollar => self.dollar(),
                Class::Colon => {
                    let pair = matches!(self.byte(1), Some(b':' | b'='));
                    self.at += 1 + usize::from(pair);
                    Kind::Colon
                }
                Class::Other => {
                    self.at += 1;
                    Kind::Other
                }
            };
            return Token { kind, start, end: self.at };
        }
        Token { kind: Kind::End, start: self.at, end: self.at }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn unterminated(&mut self) -> Kind {
        self.at = self.text.len();
        Kind::Unterminated
    }

    fn word(&mut self, tail: bool) -> Kind {
        let start = self.at;
        self.at += self.text[start..].iter().take_while(|byte| IN_WORD[usize::from(**byte)]).count();
        if self.at - start != 1 {
            return Kind::Word;
        }
        // One letter right before a quote says how to read what is quoted.
        match (self.text[start] | 0x20, self.byte(0), self.byte(1)) {
            (b'e', Some(b'\''), _) => self.string(0, Kind::EscapeString),
            (b'b' | b'x', Some(b'\''), _) => self.string(0, Kind::BitString),
            (b'u', Some(b'&'), Some(b'\'')) => {
                let kind = self.string(1, Kind::UnicodeString);
                self.unicode(kind, tail)
            }
            (b'u', Some(b'&'), Some(b'"')) => {
                let kind = self.quoted_name(1, Kind::UnicodeName);
                self.unicode(kind, tail)
            }
            _ => Kind::Word,
        }
    }

    /// Takes the `UESCAPE '…'` that may follow.
    fn unicode(&mut self, kind: Kind, tail: bool) -> Kind {
        let mut ahead = *self;
        if tail && self.bytes(ahead.token(false)).eq_ignore_ascii_case(b"uescape") {
            let string = ahead.token(false);
            if matches!(string.kind, Kind::String | Kind::EscapeString | Kind::DollarString) {
                self.at = ahead.at;
            }
        }
        kind
    }

    /// `1`, `1.5`, `.5`, `1e-5`, `0x1F`, `1_000`; of `1..10` only the 1.
    fn number(&mut self) -> Kind {
        if self.byte(0) == Some(b'0') && self.byte(1).is_some_and(|b| matches!(b | 0x20, b'x' | b'o' | b'b'))
        {
            let digits = self.digits(2);
            if digits > 0 {
                self.at += 2 + digits;
                return Kind::Number;
            }
        }
        self.at += self.decimals(0);
        if self.byte(0) == Some(b'.') && self.byte(1) != Some(b'.') {
            self.at += 1 + self.decimals(1);
        }
        if self.byte(0).is_some_and(|b| b | 0x20 == b'e') {
            let sign = usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
            let digits = self.decimals(1 + sign);
            if digits > 0 {
                self.at += 1 + sign + digits;
            }
        }
        Kind::Number
    }

    /// How many decimal digits stand that far ahead, single underscores between them included.
    fn decimals(&self, ahead: usize) -> usize {
        let is_digit = |at: usize| self.byte(at).is_some_and(|b| b.is_ascii_digit());
        let mut at = ahead;
        while is_digit(at) || (at > ahead && self.byte(at) == Some(b'_') && is_digit(at + 1)) {
            at += 1;
        }
        at - ahead
    }

    /// How many hexadecimal digits or underscores stand that far ahead.
    fn digits(&self, ahead: usize) -> usize {
        let rest = self.text.get(self.at + ahead..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'_').count()
    }

    /// The longest run of operator characters, up to a comment. A plus or minus at the end is an operator of its own
    /// unless a character before it is of no operator of the SQL standard.
    fn operator(&mut self) -> Kind {
        let rest = &self.text[self.at..];
        let mut len = 1;
        while let Some(&byte) = rest.get(len) {
            let comment = matches!((byte, rest.get(len + 1)), (b'-', Some(b'-')) | (b'/', Some(b'*')));
            if comment || CLASSES[usize::from(byte)] != Class::Operator {
                break;
            }
            len += 1;
        }
        if rest[..len].iter().all(|b| !b"~!@#^&|`?%".contains(b)) {
            while len > 1 && matches!(rest[len - 1], b'+' | b'-') {
                len -= 1;
            }
        }
        self.at += len;
        Kind::Operator
    }

    fn quoted_name(&mut self, prefix: usize, kind: Kind) -> Kind {
        let mut at = self.at + prefix + 1;
        while let Some(quote) = memchr(b'"', &self.text[at..]) {
            at += quote + 1;
            if self.text.get(at) != Some(&b'"') {
                self.at = at;
                return kind;
            }
            at += 1;
        }
        self.unterminated()
    }

    fn string(&mut self, prefix: usize, kind: Kind) -> Kind {
        let mut at = self.at + prefix + 1;
        loop {
            let Some(end) = end_of_string(self.text, at, kind == Kind::EscapeString) else {
                return self.unterminated();
            };
            // What continues on another line is read as the first part is, whatever its quote looks like.
            match continued(self.text, end) {
                Some(inside) => at = inside,
                None => {
                    self.at = end;
                    return kind;
                }
            }
        }
    }

    /// `$1`, `$tag$…$tag$`, or a dollar that begins nothing.
    fn dollar(&mut self) -> Kind {
        let rest = &self.text[self.at..];
        let tag = match rest.get(1) {
            Some(b'0'..=b'9') => {
                self.at += 1 + rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
                return Kind::Parameter;
            }
            _ => tag(rest),
        };
        let Some(tag) = tag else {
            self.at += 1;
            return Kind::Other;
        };
        match end_of_dollar(rest, tag) {
            Some(len) => {
                self.at += len;
                Kind::DollarString
            }
            None => self.unterminated(),
        }
    }
}
