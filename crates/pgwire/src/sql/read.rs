//! Reads a text statement by statement.
//!
//! What is uncertain is taken for what does more: a verdict may name what does not happen, but must not leave out
//! what does.

mod block;
mod create;
mod objects;
mod set_config;
mod settings;
#[cfg(test)]
mod tests;

use super::lexer::{Kind, Lexer, Strings, Token};
use super::literal;
use super::words::{self, lower, room};
use super::{MAX_STATEMENTS, Marks, Statement, Transaction, Verdict};

/// Reads a text on its way through: one token at a time, with an eye on what matters wherever it stands.
pub(super) struct Reader<'a> {
    lexer: Lexer<'a>,
    strings: Strings,
    verdict: Verdict,
    /// Parentheses that are open.
    depth: usize,
    /// The statement is over; `end` is where.
    ended: bool,
    end: usize,
    /// The kind of the token taken last; a semicolon before the first of a statement.
    previous: Kind,
    /// Where the `INTO` stands that an `INSERT` or `MERGE` has.
    target: Option<usize>,
    /// The statement has an `UPDATE` in it.
    updates: bool,
    /// Within the `BEGIN ATOMIC … END` of a function, whose statements are not run now.
    atomic: bool,
    /// Within how many blocks of PL/pgSQL.
    blocks: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8], strings: Strings) -> Self {
        Self {
            lexer: Lexer::new(text, strings),
            strings,
            verdict: Verdict::default(),
            depth: 0,
            ended: false,
            end: 0,
            previous: Kind::Semicolon,
            target: None,
            updates: false,
            atomic: false,
            blocks: 0,
        }
    }

    pub(super) fn read(mut self) -> Verdict {
        loop {
            (self.ended, self.depth, self.previous, self.updates) = (false, 0, Kind::Semicolon, false);
            let first = self.step();
            match first.kind {
                Kind::End => return self.verdict,
                Kind::Unterminated => {
                    self.count();
                    return self.verdict;
                }
                _ if self.ended => {}
                _ => {
                    self.count();
                    self.statement(first);
                    self.skip();
                }
            }
        }
    }

    fn count(&mut self) {
        if !self.atomic {
            self.verdict.statements += 1;
            self.settle();
        }
    }

    /// Puts a transaction command that is not alone among the others.
    fn settle(&mut self) {
        if let Some(command) = self.verdict.transaction.take() {
            self.push(Statement::Transaction(command));
        }
    }

    fn push(&mut self, statement: Statement) {
        self.settle();
        if self.is_full() {
            self.verdict.marks |= Marks::OPAQUE;
        } else {
            self.verdict.session.push(statement);
        }
    }

    fn is_full(&self) -> bool {
        self.verdict.session.len() >= MAX_STATEMENTS
    }

    fn transaction(&mut self, command: Transaction) {
        if self.verdict.statements == 1 && self.verdict.session.is_empty() && !self.atomic {
            self.verdict.transaction = Some(command);
        } else {
            self.push(Statement::Transaction(command));
        }
    }

    /// What follows a first word. Most statements are only looked through.
    fn statement(&mut self, first: Token) {
        if first.kind != Kind::Word {
            return;
        }
        match lower(self.lexer.bytes(first), &mut room()) {
            b"select" | b"insert" | b"update" | b"delete" | b"with" => {}
            b"begin" => self.transaction(Transaction::Begin),
            b"commit" => self.commit(),
            b"end" if self.atomic => self.atomic = false,
            b"end" => self.commit(),
            b"rollback" | b"abort" => self.rollback(),
            b"start" if self.takes(b"transaction") => self.transaction(Transaction::Begin),
            b"savepoint" => self.transaction(Transaction::Savepoint),
            b"release" => self.transaction(Transaction::Release),
            b"set" => self.set(),
            b"reset" => self.reset(),
            b"discard" => self.discard(),
            b"prepare" => self.prepare(first.start),
            b"execute" => self.execute(),
            b"deallocate" => self.deallocate(),
            b"listen" => self.listen(),
            b"unlisten" => self.unlisten(),
            b"notify" => self.verdict.marks |= Marks::NOTIFY,
            b"create" => self.create(),
            b"alter" | b"drop" | b"grant" | b"import" | b"reassign" | b"revoke" => {
                self.verdict.marks |= Marks::DEFINES;
            }
            b"declare" => self.declare(),
            b"close" => self.close(),
            b"copy" => self.copy(),
            b"load" => self.push(Statement::Load),
            b"explain" => self.explain(),
            b"do" => self.do_block(),
            b"call" => self.call(),
            _ => {}
        }
    }

    fn commit(&mut self) {
        let prepared = self.takes(b"prepared");
        self.transaction(if prepared { Transaction::CommitPrepared } else { Transaction::Commit });
    }

    fn rollback(&mut self) {
        if self.takes(b"prepared") {
            return self.transaction(Transaction::RollbackPrepared);
        }
        let _ = self.takes(b"work") || self.takes(b"transaction");
        let to = self.takes(b"to");
        self.transaction(if to { Transaction::RollbackTo } else { Transaction::Rollback });
    }

    /// The next token of the statement; over and over its end once that is reached.
    fn step(&mut self) -> Token {
        if self.ended {
            return Token { kind: Kind::End, start: self.end, end: self.end };
        }
        let token = self.lexer.next();
        match token.kind {
            Kind::Word | Kind::QuotedName | Kind::UnicodeName => self.notice(token),
            Kind::Open => self.depth += 1,
            Kind::Close => self.depth = self.depth.saturating_sub(1),
            // The statements of a rule stand in parentheses.
            Kind::Semicolon => self.ended = self.depth == 0,
            Kind::End => self.ended = true,
            Kind::Unterminated => {
                // All of the text is refused.
                self.ended = true;
            }
            _ => {}
        }
        if self.blocks > 0 {
            self.notice_in_block(token);
        }
        (self.end, self.previous) = (token.start, token.kind);
        token
    }

    /// The rest of the statement.
    fn skip(&mut self) {
        while !self.ended {
            self.step();
        }
    }

    /// Whether a token is that keyword.
    fn is(&self, token: Token, keyword: &[u8]) -> bool {
        token.kind == Kind::Word && self.lexer.bytes(token).eq_ignore_ascii_case(keyword)
    }

    /// Whether that keyword comes next.
    fn sees(&self, keyword: &[u8]) -> bool {
        !self.ended && self.is(self.lexer.peek(), keyword)
    }

    /// Takes that keyword if it comes next.
    fn takes(&mut self, keyword: &[u8]) -> bool {
        let next = self.sees(keyword);
        if next {
            self.step();
        }
        next
    }

    /// The name that comes next, taken.
    fn name(&mut self) -> Option<String> {
        let token = self.step();
        literal::name(&self.lexer, token)
    }

    /// Looks at a name wherever it stands.
    fn notice(&mut self, token: Token) {
        let bytes = self.lexer.bytes(token);
        match token.kind {
            Kind::Word if words::is_worth_a_look(bytes) => match lower(bytes, &mut room()) {
                b"into" => self.notice_into(token),
                b"insert" | b"merge" => self.notice_insert(),
                b"update" => self.updates = true,
                name => self.notice_name(name),
            },
            Kind::QuotedName => self.notice_name(&bytes[1..bytes.len() - 1]),
            Kind::UnicodeName => {
                let name = literal::name_bytes(&self.lexer, token).unwrap_or_default();
                self.notice_name(&name);
            }
            _ => {}
        }
    }

    fn notice_name(&mut self, name: &[u8]) {
        let marks = words::function(name);
        self.verdict.marks |= marks;
        if marks == Marks::SET_CONFIG {
            self.set_config();
        } else if self.updates && name == b"pg_settings" {
            // A rule of that view calls set_config for each row.
            self.push(Statement::TouchUnknown);
        }
    }
}
