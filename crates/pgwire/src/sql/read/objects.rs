//! What a session holds: prepared statements, channels, cursors.

use super::Reader;
use crate::sql::words::{lower, room};
use crate::sql::{Marks, Statement, Transaction, literal};

impl Reader<'_> {
    pub(super) fn prepare(&mut self, start: usize) {
        let first = self.step();
        if self.is(first, b"transaction") && self.lexer.peek().kind.is_string() {
            return self.transaction(Transaction::Prepare);
        }
        let Some(name) = literal::name(&self.lexer, first) else { return };
        while !self.ended {
            let token = self.step();
            if self.depth == 0 && self.is(token, b"as") {
                break;
            }
        }
        let body = self.lexer.peek().start;
        let place = self.verdict.session.len();
        self.skip();
        if self.is_full() {
            self.verdict.marks |= Marks::OPAQUE;
            return;
        }
        let body = body.min(self.end);
        let end = body + self.lexer.text()[body..self.end].trim_ascii_end().len();
        // Before what its body mentions.
        self.verdict.session.insert(place, Statement::Prepare { name, whole: start..end, body: body..end });
    }

    pub(super) fn execute(&mut self) {
        if let Some(name) = self.name() {
            self.push(Statement::Execute { name });
        }
    }

    pub(super) fn deallocate(&mut self) {
        let mut first = self.step();
        if self.is(first, b"prepare") && self.lexer.peek().kind.is_name() {
            first = self.step();
        }
        if self.is(first, b"all") {
            self.push(Statement::DeallocateAll);
        } else if let Some(name) = literal::name(&self.lexer, first) {
            self.push(Statement::Deallocate(name));
        }
    }

    pub(super) fn discard(&mut self) {
        let what = self.step();
        match lower(self.lexer.bytes(what), &mut room()) {
            b"all" => self.push(Statement::DiscardAll),
            b"plans" => self.push(Statement::DiscardPlans),
            b"temp" | b"temporary" => self.push(Statement::DiscardTemp),
            b"sequences" => self.push(Statement::DiscardSequences),
            _ => {}
        }
    }

    pub(super) fn listen(&mut self) {
        if let Some(name) = self.name() {
            self.push(Statement::Listen(name));
        }
    }

    pub(super) fn unlisten(&mut self) {
        let channel = self.step();
        if self.lexer.bytes(channel) == b"*" {
            self.push(Statement::UnlistenAll);
        } else if let Some(name) = literal::name(&self.lexer, channel) {
            self.push(Statement::Unlisten(name));
        }
    }

    pub(super) fn close(&mut self) {
        let cursor = self.step();
        if self.is(cursor, b"all") {
            self.push(Statement::CloseCursor(None));
        } else if let Some(name) = literal::name(&self.lexer, cursor) {
            self.push(Statement::CloseCursor(Some(name)));
        }
    }

    /// `DECLARE name … CURSOR WITH HOLD FOR …`
    pub(super) fn declare(&mut self) {
        let Some(name) = self.name() else { return };
        while !self.ended {
            let token = self.step();
            if self.is(token, b"for") {
                return;
            }
            if self.is(token, b"with") && self.sees(b"hold") {
                return self.push(Statement::HoldCursor(name));
            }
        }
    }

    pub(super) fn copy(&mut self) {
        while !self.ended {
            let token = self.step();
            let way = self.depth == 0 && (self.is(token, b"from") || self.is(token, b"to"));
            if way && (self.sees(b"stdin") || self.sees(b"stdout")) {
                return self.push(Statement::Copy);
            }
        }
    }
}
