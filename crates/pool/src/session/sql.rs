//! Statements that clients make with SQL's PREPARE. They keep their names; a server that has another client's under a
//! name is told to forget that one first.

use std::sync::Arc;

use deepwater_pgwire::message::backend::{Status, write as backend};
use deepwater_pgwire::message::frontend::{Kind, write as frontend};
use deepwater_pgwire::sql::{Statement, Verdict};

use super::end::End;
use super::expect::{Expect, Ours};
use super::out::Out;
use super::{Session, pin};
use crate::clients::Farewell;

/// A statement made with PREPARE.
#[derive(Debug)]
pub(super) struct SqlPrepared {
    id: u64,
    /// The whole text of its PREPARE.
    text: Box<[u8]>,
}

/// What a text does to such statements once it has succeeded.
#[derive(Debug)]
pub(super) enum Change {
    Add(String, Arc<SqlPrepared>),
    Remove(String),
}

/// A client's statement, as a server gets it under the client's own name.
enum Wanted {
    Sql(Arc<SqlPrepared>),
    Protocol(Arc<crate::statements::Statement>),
}

/// Tells the numbers of the two kinds apart.
const PROTOCOL: u64 = 1 << 63;

impl Wanted {
    fn id(&self) -> u64 {
        match self {
            Self::Sql(prepared) => prepared.id,
            Self::Protocol(statement) => statement.id | PROTOCOL,
        }
    }
}

/// The beginning of a text that drops a statement, if there is one.
fn drop_first(exists: bool, name: &str) -> Vec<u8> {
    if exists { format!("DEALLOCATE {};\n", quoted(name)).into_bytes() } else { Vec::new() }
}

/// What is to be done with a text that speaks of prepared statements.
#[derive(Debug)]
pub(super) enum Course {
    /// The server is asked. What its answer changes, should it succeed.
    Pass(Option<Box<Change>>),
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
        for statement in &verdict.session {
            if let Statement::Prepare { name, .. }
            | Statement::Execute { name }
            | Statement::Deallocate(name) = statement
            {
                self.check_sql_name(name)?;
            }
            match statement {
                Statement::Prepare { name, .. } if alone => {
                    // One of the client's own by that name makes this fail, as it should.
                    self.bring_sql(name, out);
                    let id = self.worker.shared.statements.next_id();
                    let prepared = Arc::new(SqlPrepared { id, text: text.into() });
                    return Ok(Course::Pass(Some(Box::new(Change::Add(name.clone(), prepared)))));
                }
                Statement::Deallocate(name) if alone => return Ok(self.deallocate(name, out)),
                // Which of several statements of a text took effect is not told.
                Statement::Prepare { .. } => self.pin(pin::PREPARE),
                Statement::Deallocate(name) => {
                    self.bring_sql(name, out);
                    self.pin(pin::PREPARE);
                }
                Statement::Execute { name } => {
                    self.bring_sql(name, out);
                }
                _ => {}
            }
        }
        Ok(Course::Pass(None))
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
    fn wanted(&self, name: &str) -> Option<Wanted> {
        let sql = self.names.sql(name).cloned().map(Wanted::Sql);
        sql.or_else(|| self.names.get(name.as_bytes()).cloned().map(Wanted::Protocol))
    }

    /// Makes the server's statement of a name the client's, or nobody's if the client has none. False when that cannot be
    /// done now.
    pub(super) fn bring_sql(&mut self, name: &str, out: &mut Out<'_>) -> bool {
        let wanted = self.wanted(name);
        let Some(link) = &mut self.link else { return true };
        let has = link.server().sql_prepared.get(name).copied();
        if has == wanted.as_ref().map(Wanted::id) {
            return true;
        }
        // In a failed transaction nothing runs and nothing can be prepared.
        if link.status == Status::Failed {
            return true;
        }
        // Nothing can come between the messages of a batch.
        if link.open_batch {
            return false;
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
        link.expected.push(Expect::Ours(Ours::Prepare));
        true
    }

    fn deallocate(&mut self, name: &str, out: &mut Out<'_>) -> Course {
        let Some(link) = &mut self.link else { return Course::Pass(None) };
        let protocol_level = self.names.get(name.as_bytes()).is_some();
        if protocol_level && link.status != Status::Failed && link.is_answered() {
            // It has another name on the server, which keeps it for others.
            let status = link.status;
            self.names.remove(name.as_bytes());
            self.note_names();
            backend::command_complete(&mut self.to_client, "DEALLOCATE");
            backend::ready_for_query(&mut self.to_client, status);
            return Course::Answered;
        }
        self.bring_sql(name, out);
        Course::Pass(Some(Box::new(Change::Remove(name.to_owned()))))
    }

    /// Takes in what a text has done to statements by name.
    pub(super) fn apply_prepare(&mut self, change: Change) {
        let Some(link) = &mut self.link else { return };
        let server = link.server();
        match change {
            Change::Add(name, prepared) => {
                server.sql_prepared.insert(name.as_str().into(), prepared.id);
                self.names.add_sql(name, prepared);
            }
            Change::Remove(name) => {
                server.sql_prepared.remove(name.as_str());
                self.names.remove_sql(&name);
            }
        }
    }
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
