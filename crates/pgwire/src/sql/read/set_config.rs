//! `set_config`, wherever it is called.

use super::Reader;
use super::settings::{canonical, leaves_nothing};
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::{Statement, literal};

/// So far, in tokens, the arguments of `set_config` are looked at: calls within calls must not take forever.
const LONGEST_CALL: usize = 100;

impl Reader<'_> {
    /// Looks at the arguments of a `set_config` whose name was just taken, without taking them.
    pub(super) fn set_config(&mut self) {
        if self.is_full() {
            return self.push(Statement::TouchUnknown);
        }
        let mut ahead = self.lexer;
        if ahead.next().kind != Kind::Open {
            return;
        }
        let name = plain_argument(&mut ahead);
        let more = name.is_some() || skip_argument(&mut ahead);
        let local = more && skip_argument(&mut ahead) && is_true(&mut ahead);
        match name.as_deref().map(canonical) {
            name if local => self.note_local(name.as_deref()),
            Some(name) if leaves_nothing(&name) => {}
            Some(name) => self.push(Statement::Touch(name)),
            None => self.push(Statement::TouchUnknown),
        }
    }
}

/// An argument that is a literal, and the comma after it. Looks at nothing when it is another.
fn plain_argument(ahead: &mut Lexer<'_>) -> Option<String> {
    let mut after = *ahead;
    let token = after.next();
    let text = literal::string(&after, token)?;
    (skip_cast(&mut after) == Kind::Comma).then(|| {
        *ahead = after;
        text
    })
}

/// The type that a literal may be cast to, and the token after it.
fn skip_cast(ahead: &mut Lexer<'_>) -> Kind {
    let mut token = ahead.next();
    if token.kind == Kind::Colon {
        token = ahead.next();
        if token.kind.is_name() {
            token = ahead.next();
        }
    }
    token.kind
}

/// Up to the comma after an argument. False when there is none in sight.
fn skip_argument(ahead: &mut Lexer<'_>) -> bool {
    let mut depth = 0_usize;
    for _ in 0..LONGEST_CALL {
        match ahead.next().kind {
            Kind::Comma if depth == 0 => return true,
            Kind::Open | Kind::OpenBracket => depth += 1,
            Kind::Close | Kind::CloseBracket if depth > 0 => depth -= 1,
            Kind::Close | Kind::CloseBracket | Kind::End | Kind::Unterminated => return false,
            _ => {}
        }
    }
    false
}

/// Whether the last argument is plainly true.
fn is_true(ahead: &mut Lexer<'_>) -> bool {
    let token = ahead.next();
    let is_true = match token.kind {
        Kind::Word => ahead.bytes(token).eq_ignore_ascii_case(b"true"),
        Kind::String => matches!(ahead.bytes(token), b"'t'" | b"'true'" | b"'on'"),
        _ => false,
    };
    is_true && skip_cast(ahead) == Kind::Close
}
