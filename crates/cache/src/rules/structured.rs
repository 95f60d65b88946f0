//! Structured fields (RFC 9651): dictionaries, as far as cache directives need their values.

use std::borrow::Cow;

/// What a member of a dictionary holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `?1`, or nothing at all.
    Boolean(bool),
    /// Up to 15 digits.
    Integer(i64),
    /// What is within the quotes, escapes resolved.
    String(Cow<'a, [u8]>),
    /// A word.
    Token(&'a [u8]),
    /// A list in brackets.
    List(Vec<Value<'a>>),
    /// A decimal, bytes, a date or a display string: checked, not kept.
    Other,
}

/// Reads a dictionary (RFC 9651 §4.2.2) of all its field lines joined by commas. Parameters are checked and
/// dropped; a key given twice stays twice, the last counts. `None` when any part of it is malformed.
pub fn dictionary(value: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let mut input = Input { rest: value.trim_ascii() };
    let mut members = Vec::new();
    while !input.rest.is_empty() {
        let key = input.key()?;
        let value = if input.take(b'=') { input.member()? } else { Value::Boolean(true) };
        input.parameters()?;
        members.push((key, value));
        input.blanks(b" \t");
        if input.rest.is_empty() {
            break;
        }
        input.take(b',').then_some(())?;
        input.blanks(b" \t");
        (!input.rest.is_empty()).then_some(())?;
    }
    Some(members)
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.rest.first() == Some(&byte);
        if taken {
            self.rest = &self.rest[1..];
        }
        taken
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn blanks(&mut self, which: &[u8]) {
        self.take_while(|b| which.contains(&b));
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !accept(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        self.rest.first().filter(|b| b.is_ascii_lowercase() || **b == b'*')?;
        Some(self.take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b)))
    }

    fn member(&mut self) -> Option<Value<'a>> {
        if !self.take(b'(') {
            return self.bare();
        }
        let mut list = Vec::new();
        loop {
            self.blanks(b" ");
            if self.take(b')') {
                return Some(Value::List(list));
            }
            list.push(self.bare()?);
            self.parameters()?;
            self.rest.first().filter(|b| b" )".contains(b))?;
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.blanks(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare()?;
            }
        }
        Some(())
    }

    fn bare(&mut self) -> Option<Value<'a>> {
        match *self.rest.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b);
                Some(Value::Token(self.take_while(tchar)))
            }
            b':' => self.bytes(),
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Value::Boolean(false)),
                    b'1' => Some(Value::Boolean(true)),
                    _ => None,
                }
            }
            b'@' => {
                self.next();
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// An integer of up to 15 digits, or a decimal of up to 12 before and 3 after the point.
    fn number(&mut self) -> Option<Value<'a>> {
        let sign = if self.take(b'-') { -1 } else { 1 };
        let whole = self.take_while(|b| b.is_ascii_digit());
        if self.take(b'.') {
            let fraction = self.take_while(|b| b.is_ascii_digit());
            let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
            return fits.then_some(Value::Other);
        }
        (1..=15).contains(&whole.len()).then_some(())?;
        Some(Value::Integer(sign * whole.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'))))
    }

    fn string(&mut self) -> Option<Value<'a>> {
        self.take(b'"').then_some(())?;
        let text = self.rest;
        let plain = self.take_while(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
        if self.take(b'"') {
            return Some(Value::String(Cow::Borrowed(plain)));
        }
        self.rest = text;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Some(Value::String(Cow::Owned(text))),
                b'\\' => text.push(self.next().filter(|b| b"\"\\".contains(b))?),
                byte @ b' '..=b'~' => text.push(byte),
                _ => return None,
            }
        }
    }

    fn bytes(&mut self) -> Option<Value<'a>> {
        self.take(b':').then_some(())?;
        self.take_while(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        self.take(b':').then_some(Value::Other)
    }

    fn display_string(&mut self) -> Option<Value<'a>> {
        (self.take(b'%') && self.take(b'"')).then_some(())?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return std::str::from_utf8(&text).is_ok().then_some(Value::Other),
                b'%' => {
                    let mut digit = || match self.next()? {
                        b @ b'0'..=b'9' => Some(b - b'0'),
                        b @ b'a'..=b'f' => Some(b - b'a' + 10),
                        _ => None,
                    };
                    text.push(digit()? << 4 | digit()?);
                }
                byte @ b' '..=b'~' => text.push(byte),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> Option<Vec<(&[u8], Value<'_>)>> {
        dictionary(value.as_bytes())
    }

    #[test]
    fn dictionaries() {
        let read = read(
            "a, b=?0;x;y=1, c=-15 ,\td=\"x\\\"y\", e=tok/en:1, f=(a \"b\";p ), a=2, g=1.5, h=:YQ==:, i=@7, j=%\"%c3%bc\"",
        );
        let token = Value::Token;
        let text = |text: &'static str| Value::String(Cow::Borrowed(text.as_bytes()));
        let expected = [
            ("a", Value::Boolean(true)),
            ("b", Value::Boolean(false)),
            ("c", Value::Integer(-15)),
            ("d", text("x\"y")),
            ("e", token(b"tok/en:1")),
            ("f", Value::List(vec![token(b"a"), text("b")])),
            ("a", Value::Integer(2)),
            ("g", Value::Other),
            ("h", Value::Other),
            ("i", Value::Other),
            ("j", Value::Other),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(key, value)| (key.as_bytes(), value)).collect();
        assert_eq!(read, Some(expected));
        assert_eq!(dictionary(b"  "), Some(vec![]));
    }

    #[test]
    fn malformed() {
        for value in [
            "a,",
            ",a",
            "a,,b",
            "A",
            "MaX-aGe=1",
            "a =1",
            "a= 1",
            "a=",
            "1",
            "&&&",
            "a=&",
            "a b",
            "a=\"x",
            "a=\"\\x\"",
            "a=\"\u{fc}\"",
            "a=?2",
            "a=(b",
            "a=(b,c)",
            "a=(b\"c\")",
            "a=1234567890123456",
            "a=1.",
            "a=1.2345",
            "a=-",
            "a;B",
            "a;",
            "a;x=",
            "a=:Y!:",
            "a=@1.5",
            "a=%\"%C3\"",
            "a=%\"%ff\"",
            "a=1a",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = dictionary(&value);
        }

        #[test]
        fn near_misses_never_panic(value in "[a-c=,;?:@%()\"\\\\ 0-9.-]{0,40}") {
            let _ = read(&value);
        }
    }
}
