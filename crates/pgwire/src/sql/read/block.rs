//! Code that runs where it stands: `DO` and `CALL`.

use super::Reader;
use crate::sql::lexer::{Kind, Token};
use crate::sql::words;
use crate::sql::{Marks, Statement, literal};

/// Blocks within blocks are understood so deep.
const DEEPEST: u32 = 3;

impl Reader<'_> {
    /// `DO [LANGUAGE language] 'code' [LANGUAGE language]`
    pub(super) fn do_block(&mut self) {
        let mut code = None;
        let mut known = true;
        while !self.ended {
            let token = self.step();
            if self.is(token, b"language") {
                let language = self.step();
                let name = literal::string(&self.lexer, language);
                let name = name.or_else(|| literal::name(&self.lexer, language));
                known = name.is_some_and(|name| name == "plpgsql");
            } else if token.kind.is_string() {
                code = Some(token);
            }
        }
        let Some(code) = code else { return };
        let understood = known && self.blocks < DEEPEST && self.read_block(code);
        if !understood {
            self.verdict.marks |= Marks::OPAQUE;
        }
    }

    /// Reads a block of PL/pgSQL. False when that does not tell what it does. What it sets counts as touched: which
    /// of its statements run is not known.
    fn read_block(&mut self, code: Token) -> bool {
        let decoded;
        let code = match code.kind {
            Kind::DollarString => literal::dollar_inside(self.lexer.bytes(code)),
            _ => match literal::string_bytes(&self.lexer, code) {
                Some(bytes) => {
                    decoded = bytes;
                    &decoded
                }
                None => return false,
            },
        };
        let mut block = Reader::new(code, self.strings);
        block.blocks = self.blocks + 1;
        let verdict = block.read();
        self.verdict.marks |= verdict.marks;
        let mut understood = true;
        for statement in verdict.session {
            match statement {
                Statement::Set { name, .. } | Statement::Reset(name) | Statement::Touch(name) => {
                    self.push(Statement::Touch(name));
                }
                Statement::TouchUnknown | Statement::CreateTemp => self.push(statement),
                Statement::Transaction(_) | Statement::CloseCursor(_) => {}
                _ => understood = false,
            }
        }
        understood
    }

    /// In a block statements begin after these words too, and `EXECUTE` runs what cannot be seen.
    pub(super) fn notice_in_block(&mut self, token: Token) {
        let begins = [&b"begin"[..], b"then", b"else", b"loop"].iter().any(|word| self.is(token, word));
        if begins || self.lexer.bytes(token) == b">>" {
            self.ended = true;
        } else if self.is(token, b"execute") || token.kind == Kind::Unterminated {
            self.verdict.marks |= Marks::OPAQUE;
        }
    }

    /// What a procedure does is not known here; one that is handed code may run it.
    pub(super) fn call(&mut self) {
        while !self.ended {
            let token = self.step();
            if token.kind.is_string() && words::mentions_session(self.lexer.bytes(token)) {
                self.verdict.marks |= Marks::OPAQUE;
            }
        }
    }
}
