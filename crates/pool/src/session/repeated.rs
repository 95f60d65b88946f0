//! Texts that clients send again and again without a name (`auto_prepare`): the server prepares them once. To the client
//! each is what it always was, its statement without a name.

use std::sync::Arc;

use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::frontend::Parse;
use deepwater_pgwire::sql::{Strings, Verdict};

use super::Session;
use super::expect::Expect;
use super::link::Link;
use super::out::Out;
use crate::statements::{Sight, Statement};

impl Session {
    /// Whether what a client prepares without a name comes again.
    pub(super) fn sight(&self, parse: &Parse<'_>) -> Sight {
        let sight = self.worker.seen.borrow_mut().see(parse.query, parse.types);
        if sight != Sight::First {
            self.metrics.repeated_parses.increment();
        }
        sight
    }

    /// What it does to the session: a text that came before and does nothing is not read again.
    pub(super) fn read_sighted(&mut self, text: &[u8], sight: Sight) -> Verdict {
        let usual = self.pins == 0
            && self.parameters.strings() == Strings::Standard
            && !self.parameters.is_ambiguous();
        if usual && sight == Sight::Plain {
            return Verdict { statements: 1, ..Verdict::default() };
        }
        let verdict = self.read(text);
        if usual && sight == Sight::Again && verdict.is_plain() && verdict.statements == 1 {
            self.worker.seen.borrow_mut().note_plain(text);
        }
        verdict
    }

    /// The statement of the pooler's own for it, if it comes again and may be prepared once for all.
    pub(super) fn repeated(&self, parse: &Parse<'_>, sight: Sight) -> Option<Arc<Statement>> {
        // What a pinned client's server has of its own may decide what a text means. A transaction that has failed takes no
        // statement, and only the server says so.
        let takes = |link: &Link| link.status != Status::Failed && !link.expected.awaits_status();
        let usual = sight != Sight::First
            && self.plan.auto_prepare
            && self.plan.max_prepared > 0
            && self.pins == 0
            && !self.parameters.is_ambiguous()
            && self.link.as_deref().is_some_and(takes);
        if usual { self.repeated_statement(parse.query, parse.types) } else { None }
    }

    fn repeated_statement(&self, query: &[u8], types: &[u8]) -> Option<Arc<Statement>> {
        let (strings, now) = (self.parameters.strings(), self.link.as_ref()?.linked.micros);
        self.worker.shared.statements.repeated(query, types, strings, self.meaning()?, now)
    }

    /// The same text, as it would be read now; nobody else's if that is not certain.
    pub(super) fn repeated_anew(&self, statement: &Statement) -> Arc<Statement> {
        let Statement { query, types, verdict, .. } = statement;
        self.repeated_statement(query, types).unwrap_or_else(|| {
            let (statements, strings) = (&self.worker.shared.statements, self.parameters.strings());
            statements.intern(query, types, strings, None, || verdict.clone())
        })
    }

    /// How the client's texts are read: their literals, and their names; none if that is not certain, or may be another
    /// thing as soon as the transaction is over.
    pub(super) fn meaning(&self) -> Option<u64> {
        let certain = self.link.as_ref().is_none_or(|link| !link.doubt.names);
        let names = self.wants.names() ^ self.worker.shared.statements.generation().rotate_left(32);
        self.reading().filter(|_| certain).map(|reading| reading ^ names.rotate_left(2))
    }

    /// A client prepares it. The answer goes out with the server's next, as it would come from there.
    pub(super) fn hear_repeated(&mut self, statement: Arc<Statement>, out: &mut Out<'_>) {
        let before = self.unnamed_before();
        self.names.keep_repeated(Arc::clone(&statement));
        let Some(link) = &mut self.link else { return };
        link.unnamed_here = false;
        link.batch.prepares = Some(statement.id);
        if !link.server().prepared.touch(statement.id) {
            self.prepare(&statement, out);
            self.expect(Expect::OurParse(statement));
        }
        self.expect(Expect::FakeUnnamed(before));
    }

    /// Something has changed under a statement of the pooler's own, or the server has lost it: its text is prepared anew, for
    /// all clients.
    pub(super) fn renew(&mut self, statement: &Arc<Statement>) {
        self.worker.shared.statements.retire(statement, self.parameters.strings());
        let current = self.names.statement(b"").is_some_and(|current| current.id == statement.id);
        if !current {
            return;
        }
        match self.repeated_statement(&statement.query, &statement.types) {
            Some(anew) => self.names.keep_repeated(anew),
            None => {
                let text = [&statement.query[..], &[0], &statement.types].concat();
                self.names.keep_unnamed(&text, Verdict::default());
            }
        }
    }
}
