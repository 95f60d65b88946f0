//! The statements a client has prepared through the protocol, and what its messages about them become.

use std::sync::Arc;

use deepwater_pgwire::message::HEADER_BYTES;
use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::frontend::{BindNames, Kind, Parse, Target, write as frontend};
use deepwater_pgwire::sql::{self, Verdict};

use super::Session;
use super::client::touches_prepared;
use super::end::End;
use super::expect::{Expect, Named};
use super::names::{MAX_NAMES, nobodys};
use super::out::Out;
use super::pin;
use crate::clients::Farewell;
use crate::server::Server;
use crate::statements::Statement;

impl Server {
    /// Notes what the server has under a client's own name.
    pub(super) fn has_by_name(&mut self, name: &str, id: Option<u64>) {
        match id {
            Some(id) => drop(self.sql_prepared.insert(name.into(), id)),
            None => drop(self.sql_prepared.remove(name)),
        }
    }

    /// A statement must be closed before it is prepared again, whether the server has it or not.
    pub(super) fn forget(&mut self, id: u64) {
        self.prepared.remove(id);
        if !self.stale.contains(&id) {
            self.stale.push(id);
        }
    }
}

impl Session {
    /// A client prepares a statement.
    pub(super) fn hear_parse(
        &mut self,
        data: &[u8],
        at: usize,
        total: usize,
        out: &mut Out<'_>,
    ) -> Result<(), End> {
        let Ok(parse) = Parse::read(&data[at + HEADER_BYTES..at + total]) else {
            // The server says what is wrong with it.
            self.pass_message(at, total, Expect::Parse(None), out);
            return Ok(());
        };
        self.metrics.client_parses.increment();
        let limit = self.plan.max_prepared;
        if !self.is_tracked() || (limit == 0 && !parse.name.is_empty()) {
            // It may be one that was followed, before the configuration changed.
            self.names.forget(parse.name);
            self.metrics.server_parses.increment();
            self.pass_message(at, total, Expect::Parse(None), out);
            return Ok(());
        }
        if parse.name.is_empty() {
            let sight = self.sight(&parse);
            if let Some(statement) = self.repeated(&parse, sight) {
                self.hear_repeated(statement, out);
                return Ok(());
            }
            let verdict = self.read_sighted(parse.query, sight);
            self.bring_for(&verdict, out)?;
            let before = self.unnamed_before();
            self.names.keep_unnamed(&data[at + HEADER_BYTES + 1..at + total], verdict);
            if let Some(link) = &mut self.link {
                link.unnamed_here = true;
            }
            self.metrics.server_parses.increment();
            self.pass_message(at, total, Expect::Unnamed(before), out);
            return Ok(());
        }
        let failed = self.link.as_ref().is_some_and(|link| link.has_failed());
        let taken = std::str::from_utf8(parse.name).ok().filter(|name| {
            self.names.sql(name).is_some() || (!failed && self.names.get(parse.name).is_some())
        });
        if let Some(name) = taken {
            // The server says what it says to a name that exists.
            self.bring_sql(name, out);
            self.pass_message(at, total, Expect::Parse(None), out);
            return Ok(());
        }
        if let Some(known) = self.names.get(parse.name).cloned() {
            let known = self.ensure(parse.name, known, out);
            frontend::parse(out.own(), &*known.name, parse.query, parse.types);
            self.expect(Expect::Parse(None));
            return Ok(());
        }
        if self.names.len() >= MAX_NAMES {
            return Err(End::Farewell(Farewell {
                code: "53400",
                message: "too many prepared statements".into(),
            }));
        }
        let verdict = self.read(parse.query);
        let statement = self.intern(parse.query, parse.types, verdict);
        self.bring_for(&statement.verdict, out)?;
        let named = || Named { name: parse.name.into(), statement: Arc::clone(&statement) };
        self.names.insert(named());
        self.note_names();
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.status == Status::Failed {
            // Only the server knows what it says to that.
            link.server().forget(statement.id);
        }
        if link.server().prepared.touch(statement.id) {
            self.fake(Expect::FakeParse(named()));
            return Ok(());
        }
        self.prepare(&statement, out);
        self.expect(Expect::Parse(Some(named())));
        Ok(())
    }

    /// A client binds a statement to a portal. Of a long message only the beginning may have come.
    pub(super) fn hear_bind(
        &mut self,
        data: &[u8],
        at: usize,
        total: usize,
        out: &mut Out<'_>,
    ) -> Result<bool, End> {
        let come = total.min(data.len() - at);
        let payload = &data[at + HEADER_BYTES..at + come];
        self.metrics.binds.increment();
        let Some(names) = BindNames::read_prefix(payload) else {
            if come < total {
                return Ok(false);
            }
            // The names come first; in a message that is whole and holds none the server finds none either.
            self.pass_message(at, total, Expect::Bind(None), out);
            return Ok(true);
        };
        if let Some(statement) = self.names.statement(names.statement).cloned() {
            self.bring_for(&statement.verdict, out)?;
            let statement = self.ensure(names.statement, statement, out);
            self.note_extended(names.portal, &statement.query, &statement.verdict)?;
            let rest = total - HEADER_BYTES - names.rest;
            frontend::bind_head(out.own(), names.portal, &*statement.name, rest);
            out.pass(at + HEADER_BYTES + names.rest, at + come);
            self.expect(Expect::Bind(Some(statement)));
        } else if names.statement.is_empty() {
            if self.is_tracked() {
                self.bring_unnamed(out);
                self.run_unnamed(names.portal, out)?;
            }
            self.pass_message(at, come, Expect::Bind(None), out);
        } else if self.is_known_or_untracked(names.statement, out) {
            self.pass_message(at, come, Expect::Bind(None), out);
        } else {
            let rest = total - HEADER_BYTES - names.rest;
            frontend::bind_head(out.own(), names.portal, nobodys(names.statement), rest);
            out.pass(at + HEADER_BYTES + names.rest, at + come);
            self.expect(Expect::Bind(None));
        }
        if let Some(link) = &mut self.link {
            link.passing_up = total - come;
            link.bound = true;
        }
        Ok(true)
    }

    /// A client asks what a statement or portal is like.
    pub(super) fn hear_describe(
        &mut self,
        data: &[u8],
        at: usize,
        total: usize,
        out: &mut Out<'_>,
    ) -> Result<(), End> {
        let Ok(target) = Target::read(&data[at + HEADER_BYTES..at + total]) else {
            self.pass_message(at, total, Expect::Describe(None), out);
            return Ok(());
        };
        let known = self.names.statement(target.name).filter(|_| target.kind == Kind::Statement).cloned();
        if let Some(statement) = known {
            let statement = self.ensure(target.name, statement, out);
            frontend::describe(out.own(), Kind::Statement, &*statement.name);
            self.expect(Expect::Describe(Some(statement)));
            return Ok(());
        }
        if target.kind == Kind::Statement && !target.name.is_empty() {
            if !self.is_known_or_untracked(target.name, out) {
                frontend::describe(out.own(), Kind::Statement, nobodys(target.name));
                self.expect(Expect::Describe(None));
                return Ok(());
            }
        } else if target.kind == Kind::Statement && self.is_tracked() {
            self.bring_unnamed(out);
        }
        self.pass_message(at, total, Expect::Describe(None), out);
        Ok(())
    }

    /// A client closes a statement or portal.
    pub(super) fn hear_close(
        &mut self,
        data: &[u8],
        at: usize,
        total: usize,
        out: &mut Out<'_>,
    ) -> Result<(), End> {
        let Ok(target) = Target::read(&data[at + HEADER_BYTES..at + total]) else {
            self.pass_message(at, total, Expect::Close, out);
            return Ok(());
        };
        if target.kind == Kind::Statement && self.is_tracked() && self.plan.max_prepared > 0 {
            if target.name.is_empty() {
                let before = self.unnamed_before();
                self.names.drop_unnamed();
                self.pass_message(at, total, Expect::Unnamed(before), out);
                return Ok(());
            } else {
                // The server keeps it for others, or until another client wants the name; what does not exist may be
                // closed too.
                let statement = self.names.remove(target.name);
                let sql = std::str::from_utf8(target.name).ok().and_then(|name| self.names.remove_sql(name));
                self.note_names();
                let named = statement.map(|statement| Named { name: target.name.into(), statement });
                self.fake(match sql {
                    Some(sql) => Expect::FakeCloseSql(Box::new(sql)),
                    None => Expect::FakeClose(named),
                });
                return Ok(());
            }
        }
        if target.kind == Kind::Statement {
            self.names.forget(target.name);
        }
        self.pass_message(at, total, Expect::Close, out);
        Ok(())
    }

    /// Whether the server may be asked for a statement by the client's own name: nothing is tracked, or it is one the
    /// client made with SQL's PREPARE, and the server has it.
    fn is_known_or_untracked(&mut self, name: &[u8], out: &mut Out<'_>) -> bool {
        if !self.is_tracked() || self.plan.max_prepared == 0 {
            return true;
        }
        let Ok(name) = std::str::from_utf8(name) else { return false };
        let is_known = self.names.sql(name).is_some();
        if is_known {
            self.bring_sql(name, out);
        }
        is_known
    }

    /// Makes the server's statements of SQL's PREPARE the client's, before a text that runs through the extended protocol
    /// and speaks of them.
    pub(super) fn bring_for(&mut self, verdict: &Verdict, out: &mut Out<'_>) -> Result<(), End> {
        for statement in &verdict.session {
            let (sql::Statement::Prepare { name, .. }
            | sql::Statement::Execute { name }
            | sql::Statement::Deallocate(name)) = statement
            else {
                continue;
            };
            self.check_sql_name(name)?;
            self.bring_sql(name, out);
        }
        Ok(())
    }

    /// How the client's literals are read; none if that is not certain, since something that decides it is under way.
    pub(super) fn reading(&self) -> Option<u64> {
        let certain = self.link.as_ref().is_none_or(|link| !link.doubt.literals);
        certain.then(|| self.parameters.reading() ^ self.wants.reading().rotate_left(1))
    }

    fn intern(&self, query: &[u8], types: &[u8], verdict: Verdict) -> Arc<Statement> {
        let (strings, reading) = (self.parameters.strings(), self.reading());
        self.worker.shared.statements.intern(query, types, strings, reading, || verdict)
    }

    /// Makes sure that the server has a statement, before a message that uses it. If it must be prepared and would be read
    /// otherwise by now, it is another one from here on, which others do not share with the first.
    fn ensure(&mut self, name: &[u8], mut statement: Arc<Statement>, out: &mut Out<'_>) -> Arc<Statement> {
        let Some(link) = &mut self.link else { return statement };
        if link.server().prepared.touch(statement.id) {
            return statement;
        }
        let reading = if statement.repeated.is_some() { self.meaning() } else { self.reading() };
        if statement.reading.is_some() && statement.reading != reading {
            statement = match statement.repeated {
                Some(_) => self.repeated_anew(&statement),
                None => self.intern(&statement.query, &statement.types, statement.verdict.clone()),
            };
            self.names.insert(Named { name: name.into(), statement: Arc::clone(&statement) });
            if self.link.as_mut().is_some_and(|link| link.server().prepared.touch(statement.id)) {
                return statement;
            }
        }
        self.prepare(&statement, out);
        self.expect(Expect::OurParse(Arc::clone(&statement)));
        statement
    }

    /// Prepares a statement on the server, and closes what is too much on it.
    pub(super) fn prepare(&mut self, statement: &Arc<Statement>, out: &mut Out<'_>) {
        self.metrics.server_parses.increment();
        let limit = self.plan.max_prepared;
        let Some(link) = &mut self.link else { return };
        let mut closed = Vec::new();
        let server = link.server();
        if let Some(at) = server.stale.iter().position(|id| *id == statement.id) {
            server.stale.swap_remove(at);
            frontend::close(out.own(), Kind::Statement, &*statement.name);
            closed.push(statement.id);
        }
        for evicted in server.prepared.add(Arc::clone(statement), limit) {
            frontend::close(out.own(), Kind::Statement, &*evicted.name);
            closed.push(evicted.id);
        }
        closed.into_iter().for_each(|id| link.expected.push(Expect::OurClose(id)));
        frontend::parse(out.own(), &*statement.name, &statement.query, &statement.types);
    }

    /// A statement is about to run through the extended protocol.
    pub(super) fn note_extended(&mut self, portal: &[u8], text: &[u8], verdict: &Verdict) -> Result<(), End> {
        let changes = touches_prepared(verdict);
        if changes || self.link.as_ref().is_some_and(|link| !link.portals.is_empty()) {
            self.note_portal(portal, text, verdict)?;
        }
        if verdict.session.iter().any(|statement| matches!(statement, sql::Statement::Prepare { .. })) {
            self.pin(pin::PREPARE);
        }
        self.note_verdict(verdict, false);
        Ok(())
    }

    /// Passes a message that is answered.
    fn pass_message(&mut self, at: usize, come: usize, expect: Expect, out: &mut Out<'_>) {
        out.pass(at, at + come);
        self.expect(expect);
    }

    pub(super) fn expect(&mut self, expect: Expect) {
        if let Some(link) = &mut self.link {
            link.expected.push(expect);
        }
    }

    /// ALL statements were deallocated, the server's and so the client's; but for those prepared behind that.
    pub(super) fn deallocated_all(&mut self) {
        let Some(link) = &mut self.link else { return };
        let behind = link.expected.preparing();
        let server = link.server();
        server.prepared.retain(&behind);
        server.sql_prepared.clear();
        server.stale.clear();
        self.names.retain(&behind);
        self.note_names();
    }

    pub(super) fn note_names(&self) {
        let count = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.info.prepared.store(count, std::sync::atomic::Ordering::Relaxed);
    }
}
