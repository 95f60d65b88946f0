//! PREPARE and DEALLOCATE that run through the extended protocol. What they do to names counts from their Execute on, as
//! what comes behind them in the batch finds it; it is undone if they fail or are skipped.

use deepwater_pgwire::message::frontend::Execute;
use deepwater_pgwire::sql::{Statement, Verdict};

use super::Session;
use super::client::touches_names;
use super::end::End;
use super::expect::Expect;
use super::sql::{Change, Wanted};
use crate::clients::Farewell;

/// Portals that will change what a name means, once they run.
pub(super) type Portals = Vec<(Box<[u8]>, Change)>;

/// What a name meant before the change that is under way.
#[derive(Debug)]
pub(super) struct Early {
    name: String,
    to_client: Option<Wanted>,
    on_server: Option<u64>,
}

/// As many of them one client may have.
const MOST: usize = 1_000;

impl Session {
    /// A statement is bound to a portal.
    pub(super) fn note_portal(&mut self, portal: &[u8], text: &[u8], verdict: &Verdict) -> Result<(), End> {
        let changes = verdict
            .session
            .iter()
            .find(|statement| !matches!(statement, Statement::Execute { .. }) && touches_names(statement));
        let change = changes.map(|statement| self.change(statement, text));
        let Some(link) = &mut self.link else { return Ok(()) };
        link.portals.retain(|(known, _)| **known != *portal);
        let Some(change) = change.flatten() else { return Ok(()) };
        if link.portals.len() >= MOST {
            let message = "too many portals with PREPARE or DEALLOCATE".into();
            return Err(End::Farewell(Farewell { code: "53400", message }));
        }
        link.portals.push((portal.into(), change));
        Ok(())
    }

    /// A portal runs.
    pub(super) fn hear_execute(&mut self, payload: &[u8]) {
        let early = self.begin_early(payload).map(Box::new);
        if let Some(link) = &mut self.link {
            link.expected.push(Expect::Execute(early));
        }
    }

    fn begin_early(&mut self, payload: &[u8]) -> Option<Early> {
        let link = self.link.as_mut()?;
        if link.portals.is_empty() {
            return None;
        }
        let portal = Execute::read(payload).ok()?.portal;
        let at = link.portals.iter().position(|(known, _)| **known == *portal)?;
        let (name, after) = match link.portals.swap_remove(at).1 {
            Change::RemoveAll => {
                link.forgets_all = true;
                return None;
            }
            // It fails, as it should.
            Change::Add(name, _) if self.wanted(&name).is_some() => return None,
            Change::Add(name, prepared) => (name, Some(Wanted::Sql(prepared))),
            Change::Remove(name) => (name, None),
        };
        let before = self.wanted(&name);
        let server = self.link.as_mut()?.server();
        let on_server = match &after {
            Some(after) => server.sql_prepared.insert(name.as_str().into(), after.id()),
            None => server.sql_prepared.remove(name.as_str()),
        };
        self.mean(&name, after);
        Some(Early { name, to_client: before, on_server })
    }

    /// What was to run has failed, or was skipped.
    pub(super) fn undo_early(&mut self, early: Early) {
        let Early { name, to_client, on_server } = early;
        if let Some(link) = &mut self.link {
            link.server().has_by_name(&name, on_server);
        }
        self.mean(&name, to_client);
    }

    /// Makes a name mean that to the client.
    pub(super) fn mean(&mut self, name: &str, wanted: Option<Wanted>) {
        self.names.remove(name.as_bytes());
        self.names.remove_sql(name);
        match wanted {
            Some(Wanted::Sql(prepared)) => self.names.add_sql(name.to_owned(), prepared),
            Some(Wanted::Protocol(statement)) => {
                self.names.insert(super::expect::Named { name: name.as_bytes().into(), statement });
            }
            None => {}
        }
        self.note_names();
    }
}
