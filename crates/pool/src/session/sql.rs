//! Statements that clients make with SQL's PREPARE. They keep their names; a server that has another client's under a
//! name is told to forget that one first.

use std::sync::Arc;

use deepwater_pgwire::message::backend::{Status, write as backend};
use deepwater_pgwire::message::frontend::{Kind, write as frontend};
use deepwater_pgwire::sql::{self, Statement, Verdict};

use super::end::End;
use super::expect::{Expect, Ours};
use super::names::MAX_NAMES;
use super::out::Out;
use super::{Session, pin};
use crate::clients::Farewell;

/// A statement made with PREPARE.
#[derive(Debug)]
pub(super) struct SqlPrepared {
    id: u64,
    /// The whole text of its PREPARE.
    text: Box<[u8]>,
    /// What running it does to a session.
    verdict: Verdict,
}

/// What a PREPARE or DEALLOCATE does once it has succeeded.
#[derive(Debug)]
pub(super) enum Change {
    Add(String, Arc<SqlPrepared>),
    Remove(String),
    RemoveAll,
}

/// A client's statement, as a server gets it under the client's own name.
#[derive(Debug)]
pub(super) enum Wanted {
    Sql(Arc<SqlPrepared>),
    Protocol(Arc<crate::statements::Statement>),
}

/// Tells the numbers of the two kinds apart.
const PROTOCOL: u64 = 1 << 63;

impl Wanted {
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Sql(prepared) => prepared.id,
            Self::Protocol(statement) => statement.id | PROTOCOL,
        }
    }

    /// What running it does to a session.
    pub(super) fn verdict(&self) -> &Verdict {
        match self {
            Self::Sql(prepared) => &prepared.verdict,
            Self::Protocol(statement) => &statement.verdict,
        }
    }
}

/// What a PREPARE is called while it runs in a batch.
const PASSING: &str = "deepwater_";

/// The beginning of a text that drops a statement, if there is one.
fn drop_first(exists: bool, name: &str) -> Vec<u8> {
    if exists { format!("DEALLOCATE {};\n", quoted(name)).into_bytes() } else { Vec::new() }
}

/// What is to be done with a text that speaks of prepared statements.
#[derive(Debug)]
pub(super) enum Course {
    /// The server is asked. What comes of it, as far as it succeeds; the first is the last of these.
    Pass(Vec<Change>),
    /// The client has its answer.
    Answered,
}

impl Session {
    /// Prepares the server for a text that makes, runs or drops statements by name.
    pub(super) fn hear_sql_prepare(
        &mut self,
        text: &[u8],
        verdict: &Verdict,
        out: &mut Out<'_>,
    ) -> Result<Course, End> {
        let alone = verdict.statements == 1;
        let mut changes = Vec::new();
        for statement in &verdict.session {
            let (Statement::Prepare { name, .. } | Statement::Execute { name } | Statement::Deallocate(name)) =
                statement
            else {
                continue;
            };
            self.check_sql_name(name)?;
            if let Statement::Deallocate(name) = statement
                && alone
                && self.deallocate(name)
            {
                return Ok(Course::Answered);
            }
            if !alone && self.is_beyond_reach(name) {
                let message =
                    "statements of SQL's PREPARE cannot be used in the text that ends a failed transaction";
                return Err(End::Farewell(Farewell { code: "0A000", message: message.into() }));
            }
            // One of the client's own by that name makes a PREPARE fail, as it should.
            if !self.link.as_ref().is_some_and(|link| link.has_failed()) {
                self.bring_sql(name, out);
            }
            changes.extend(self.change(statement, text));
            if !alone && matches!(statement, Statement::Prepare { .. }) {
                self.pin(pin::PREPARE);
            }
        }
        if self.names.sql_len() + changes.len() > MAX_NAMES {
            let message = "too many prepared statements".into();
            return Err(End::Farewell(Farewell { code: "53400", message }));
        }
        changes.reverse();
        Ok(Course::Pass(changes))
    }

    /// What a statement of a text does to names, if it does anything and succeeds.
    pub(super) fn change(&self, statement: &Statement, text: &[u8]) -> Option<Change> {
        match statement {
            Statement::Prepare { name, whole, body } => {
                let id = self.worker.shared.statements.next_id();
                let verdict = sql::read_with(text.get(body.clone())?, self.parameters.strings());
                let text = text.get(whole.clone())?.into();
                Some(Change::Add(name.clone(), Arc::new(SqlPrepared { id, text, verdict })))
            }
            Statement::Deallocate(name) => Some(Change::Remove(name.clone())),
            Statement::DeallocateAll | Statement::DiscardAll => Some(Change::RemoveAll),
            _ => None,
        }
    }

    /// Whether the server has something else under a name, in a transaction that has failed: nothing can be prepared.
    fn is_beyond_reach(&mut self, name: &str) -> bool {
        let wanted = self.wanted(name).as_ref().map(Wanted::id);
        let Some(link) = &mut self.link else { return false };
        let has = link.server().sql_prepared.get(name).copied();
        link.status == Status::Failed && has != wanted
    }

    /// Names that we give to statements on servers are not for clients.
    pub(super) fn check_sql_name(&self, name: &str) -> Result<(), End> {
        if name.starts_with("deepwater_") && self.plan.max_prepared > 0 {
            let message = format!(
                "the statement name \"{name}\" is reserved: names with \"deepwater_\" are the pooler's"
            );
            return Err(End::Farewell(Farewell { code: "42939", message }));
        }
        Ok(())
    }

    /// The client's statement of a name: PREPARE and the protocol's Parse share their names.
    pub(super) fn wanted(&self, name: &str) -> Option<Wanted> {
        let sql = self.names.sql(name).cloned().map(Wanted::Sql);
        sql.or_else(|| self.names.get(name.as_bytes()).cloned().map(Wanted::Protocol))
    }

    /// Makes the server's statement of a name the client's, or nobody's if the client has none.
    pub(super) fn bring_sql(&mut self, name: &str, out: &mut Out<'_>) {
        let wanted = self.wanted(name);
        let Some(link) = &mut self.link else { return };
        let has = link.server().sql_prepared.get(name).copied();
        if has == wanted.as_ref().map(Wanted::id) {
            return;
        }
        if link.open_batch || link.has_failed() {
            return self.bring_within_batch(name, wanted, has, out);
        }
        if has.is_some() {
            link.server().sql_prepared.remove(name);
        }
        let out = out.own();
        match wanted {
            Some(Wanted::Sql(wanted)) => {
                let mut change = drop_first(has.is_some(), name);
                change.extend_from_slice(&wanted.text);
                link.server().sql_prepared.insert(name.into(), wanted.id);
                frontend::query(out, change);
            }
            Some(Wanted::Protocol(statement)) => {
                // One Close, one Parse, one Sync: answered as a whole.
                frontend::close(out, Kind::Statement, name);
                frontend::parse(out, name, &statement.query, &statement.types);
                frontend::sync(out);
                link.server().sql_prepared.insert(name.into(), Wanted::Protocol(statement).id());
            }
            None => frontend::query(out, drop_first(true, name)),
        }
        link.expect_ours(Ours::Prepare);
    }

    /// The same between the messages of a batch, where no query can come.
    fn bring_within_batch(
        &mut self,
        name: &str,
        wanted: Option<Wanted>,
        has: Option<u64>,
        out: &mut Out<'_>,
    ) {
        let Some(link) = &mut self.link else { return };
        if has.is_some() {
            frontend::close(out.own(), Kind::Statement, name);
            link.expected.push(Expect::OurNamed(Box::new((name.into(), has))));
            link.server().sql_prepared.remove(name);
        }
        let Some(wanted) = wanted else { return };
        link.server().sql_prepared.insert(name.into(), wanted.id());
        let messages = match &wanted {
            Wanted::Protocol(statement) => {
                frontend::parse(out.own(), name, &statement.query, &statement.types);
                1
            }
            Wanted::Sql(wanted) => {
                let out = out.own();
                // What is left of one that failed.
                frontend::close(out, Kind::Portal, PASSING);
                frontend::close(out, Kind::Statement, PASSING);
                let no_types = [0; 2];
                frontend::parse(out, PASSING, &wanted.text, &no_types);
                // No formats, no parameters, no formats of results.
                let nothing = [0; 6];
                frontend::bind_head(out, PASSING, PASSING, nothing.len());
                out.extend_from_slice(&nothing);
                frontend::execute(out, PASSING, 0);
                frontend::close(out, Kind::Portal, PASSING);
                frontend::close(out, Kind::Statement, PASSING);
                7
            }
        };
        for _ in 0..messages {
            link.expected.push(Expect::OurNamed(Box::new((name.into(), None))));
        }
    }

    /// Drops a statement that has another name on the server, which keeps it for others. False when it is the server's to
    /// drop it.
    fn deallocate(&mut self, name: &str) -> bool {
        let Some(link) = &mut self.link else { return false };
        let protocol_level = self.names.get(name.as_bytes()).is_some();
        let drops = protocol_level && link.status != Status::Failed && link.is_answered();
        if drops {
            let status = link.status;
            self.mean(name, None);
            backend::command_complete(&mut self.to_client, "DEALLOCATE");
            backend::ready_for_query(&mut self.to_client, status);
        }
        drops
    }

    /// Takes in what a text has done to statements by name.
    pub(super) fn apply_prepare(&mut self, change: Change) {
        let Some(link) = &mut self.link else { return };
        let server = link.server();
        match change {
            Change::Add(name, prepared) => {
                server.sql_prepared.insert(name.as_str().into(), prepared.id);
                self.mean(&name, Some(Wanted::Sql(prepared)));
            }
            Change::Remove(name) => {
                server.sql_prepared.remove(name.as_str());
                self.mean(&name, None);
            }
            Change::RemoveAll => self.deallocated_all(),
        }
    }
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
