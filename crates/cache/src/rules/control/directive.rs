//! The directives of one line.

use std::borrow::Cow;

use crate::rules::list::{end_of_quoted, is_token, members};

use super::LONGEST_S;

/// A name and what follows it.
pub(super) struct Directive<'a> {
    /// As written.
    pub(super) name: &'a [u8],
    argument: Argument<'a>,
}

enum Argument<'a> {
    None,
    Token(&'a [u8]),
    /// With its quotes.
    Quoted(&'a [u8]),
    Malformed,
}

/// The directives of a field line; those without a name are left out.
pub(super) fn directives(line: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    members(line).filter_map(|member| {
        let (name, argument) = match member.iter().position(|&b| b == b'=') {
            None => (member, Argument::None),
            Some(at) => (&member[..at], Argument::of(&member[at + 1..])),
        };
        // No blank belongs before the sign, but whose argument is lost is clear enough.
        let trimmed = name.trim_ascii_end();
        let argument = if trimmed.len() == name.len() { argument } else { Argument::Malformed };
        is_token(trimmed).then_some(Directive { name: trimmed, argument })
    })
}

impl<'a> Argument<'a> {
    fn of(text: &'a [u8]) -> Self {
        if text.starts_with(b"\"") && end_of_quoted(text) == Some(text.len()) {
            Self::Quoted(text)
        } else if is_token(text) {
            Self::Token(text)
        } else {
            Self::Malformed
        }
    }
}

impl<'a> Directive<'a> {
    /// Whether it has no argument.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.argument, Argument::None)
    }

    /// The argument, as a token or quoted string, without quotes and escapes.
    pub(super) fn text(&self) -> Option<Cow<'a, [u8]>> {
        match self.argument {
            Argument::Token(token) => Some(Cow::Borrowed(token)),
            Argument::Quoted(quoted) => Some(unquoted(quoted)),
            Argument::None | Argument::Malformed => None,
        }
    }

    /// The argument as seconds (RFC 9111 §1.2.2), in either form: §5.2 asks for tolerance.
    pub(super) fn seconds(&self) -> Option<u32> {
        seconds(&self.text()?)
    }
}

fn unquoted(quoted: &[u8]) -> Cow<'_, [u8]> {
    let text = &quoted[1..quoted.len() - 1];
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte });
    }
    Cow::Owned(plain)
}

/// Digits; more than fit are the longest lifetime there is.
pub(crate) fn seconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    let seconds = digits.iter().try_fold(0u32, |n, b| {
        b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(b - b'0')))
    })?;
    Some(seconds.min(LONGEST_S))
}
