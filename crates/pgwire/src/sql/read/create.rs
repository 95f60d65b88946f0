//! `CREATE`, `EXPLAIN` and `INTO`: something temporary comes to be, or a prepared statement runs.

use super::Reader;
use crate::sql::lexer::{Kind, Token};
use crate::sql::words::{self, lower, room};
use crate::sql::{Marks, Statement, literal};

impl Reader<'_> {
    /// `EXPLAIN [ANALYZE] [VERBOSE] statement` and `EXPLAIN (option, …) statement`.
    pub(super) fn explain(&mut self) {
        let mut first = self.step();
        while self.depth > 0 && !self.ended {
            first = self.step();
        }
        let is_option = |reader: &Self, token| {
            [&b"analyze"[..], b"analyse", b"verbose"].iter().any(|option| reader.is(token, option))
        };
        while first.kind == Kind::Close || is_option(self, first) {
            first = self.step();
        }
        if self.is(first, b"execute") {
            self.execute();
        } else if self.is(first, b"create") {
            self.create();
        }
    }

    /// Something temporary, a table from a prepared statement, or a function whose body is statements.
    pub(super) fn create(&mut self) {
        while [&b"or"[..], b"replace", b"local", b"global"].iter().any(|word| self.takes(word)) {}
        let mut temporary = self.takes(b"temp") || self.takes(b"temporary");
        let mut dropped = false;
        let mut query = false;
        while !self.ended {
            let token = self.step();
            if self.depth > 0 || !token.kind.is_name() {
                continue;
            }
            temporary |= self.is_temporary_schema(token);
            match lower(self.lexer.bytes(token), &mut room()) {
                b"commit" => dropped |= self.takes(b"drop"),
                b"as" if !query => {
                    query = true;
                    if self.takes(b"execute") {
                        self.execute();
                    }
                }
                b"begin" if self.takes(b"atomic") => (self.atomic, self.ended) = (true, true),
                _ => {}
            }
        }
        self.verdict.marks |= if temporary { Marks::NAMES } else { Marks::DEFINES };
        if temporary && !dropped {
            self.push(Statement::CreateTemp);
        }
    }

    /// What follows `INTO` wherever it stands: `INTO TEMP name` makes a table, `INTO temp …` fills one of that name.
    pub(super) fn notice_into(&mut self, into: Token) {
        if self.target == Some(into.start) {
            return;
        }
        let mut ahead = self.lexer;
        let mut token = ahead.next();
        while self.is(token, b"unlogged") || self.is(token, b"table") {
            token = ahead.next();
        }
        if self.is_temporary_schema(token) && ahead.peek().kind == Kind::Dot {
            return self.push(Statement::CreateTemp);
        }
        if self.is(token, b"local") || self.is(token, b"global") {
            token = ahead.next();
        }
        if !self.is(token, b"temp") && !self.is(token, b"temporary") {
            return;
        }
        let name = ahead.next();
        let after = ahead.next();
        // `INSERT INTO temp VALUES (…)` and `MERGE INTO temp t USING …`
        let other = self.is(after, b"using") || (self.is(name, b"values") && after.kind == Kind::Open);
        if name.kind.is_name() && !other && !is_reserved(name.kind, self.lexer.bytes(name)) {
            self.push(Statement::CreateTemp);
        }
    }

    /// An `INSERT` or `MERGE` where a command begins beyond doubt: elsewhere the word may be a column.
    pub(super) fn notice_insert(&mut self) {
        let next = self.lexer.peek();
        if matches!(self.previous, Kind::Semicolon | Kind::Open) && self.is(next, b"into") {
            self.target = Some(next.start);
        }
    }

    fn is_temporary_schema(&self, token: Token) -> bool {
        let bytes = self.lexer.bytes(token);
        match token.kind {
            Kind::Word => words::is_temporary_schema(lower(bytes, &mut room())),
            Kind::QuotedName => words::is_temporary_schema(&bytes[1..bytes.len() - 1]),
            Kind::UnicodeName => {
                literal::name_bytes(&self.lexer, token).is_some_and(|name| words::is_temporary_schema(&name))
            }
            _ => false,
        }
    }
}

/// Whether it is one of the keywords that may follow the name of a table and never are one.
fn is_reserved(kind: Kind, word: &[u8]) -> bool {
    let words = "select default with as using from where group having window order limit offset fetch for union \
                 intersect except";
    kind == Kind::Word && words.split(' ').any(|other| other.as_bytes().eq_ignore_ascii_case(word))
}
