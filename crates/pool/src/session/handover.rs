//! Making a server's session its client's.
//!
//! What a client sends may follow the change without a wait only where servers of the pool have let go of those settings
//! before, and taken the client's. Elsewhere it waits, and a server that keeps another's settings is closed.

use std::borrow::Cow;
use std::task::Context;

use deepwater_pgwire::message::frontend::write as frontend;

use super::Session;
use super::end::End;
use super::expect::Ours;
use super::link::Link;
use crate::server::Server;
use crate::settings::Settings;

/// How far the change of a server's settings has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Handover {
    /// From the settings that it has to those of the client.
    #[default]
    AtOnce,
    /// That was refused: first to those that it began with, to learn whose are to blame.
    Back,
}

/// In it all values are kept here.
const UTF8: &str = "SELECT pg_catalog.set_config('client_encoding','UTF8',false)";

/// The settings that a server is to have.
fn target<'a>(server: &'a Server, wants: &'a Settings, handover: Handover) -> Cow<'a, Settings> {
    match handover {
        Handover::Back => Cow::Borrowed(&server.base),
        Handover::AtOnce if server.base == Settings::default() => Cow::Borrowed(wants),
        Handover::AtOnce => Cow::Owned(wants.over(&server.base)),
    }
}

impl Session {
    /// Makes the server's session the client's: its settings, and what the client was told of the server.
    pub(super) fn introduce(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        self.check(cx)?;
        if !self.hand_over() {
            self.tell_parameters();
        } else if self.link.as_ref().is_some_and(|link| link.hold) {
            return self.push_to_server(cx).map(|_| ());
        }
        Ok(())
    }

    /// Asks the server for the settings that it is to have. False when it has them.
    fn hand_over(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        let server = link.server.as_mut().expect("it is linked");
        let wanted = target(server, &self.wants, link.handover);
        let Some(change) = server.applied.change_to(&wanted) else { return false };
        server.info.set_ours(true);
        if !change.is_ascii() && !server.parameters.is_utf8() {
            // The text of a change is read in the encoding from before it.
            link.hold = true;
            frontend::query(&mut link.to_server, UTF8);
            link.expect_ours(Ours::Encoding);
            return true;
        }
        let rights = server.applied.holds_rights() || self.wants.holds_rights();
        // A deadline that the client before set counts for the change, too.
        let limits = ["statement_timeout", "transaction_timeout"];
        let may_fail = rights || limits.iter().any(|name| server.applied.get(name).is_some());
        let hash = self.wants.hash();
        let accepted = self.accepted == hash || self.pool.accepted.is_last(hash);
        link.hold |= may_fail || !accepted || !self.pool.accepted.knows(&change);
        frontend::query(&mut link.to_server, change.statement());
        link.expect_ours(Ours::Settings);
        self.metrics.replays.increment();
        true
    }

    /// What came of it.
    pub(super) fn handed_over(&mut self, what: Ours, error: Option<(String, String)>) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let waited = std::mem::take(&mut link.hold);
        let server = link.server.as_mut().expect("it is linked");
        match (what, error) {
            (Ours::Encoding, None) if !server.parameters.is_utf8() => {
                return self.refused_settings(waited, "22023", "the server does not speak UTF-8");
            }
            (Ours::Encoding, None) => server.applied.set("client_encoding", "UTF8"),
            (_, Some((code, message))) => return self.refused_settings(waited, &code, &message),
            (_, None) => {
                let wanted = target(server, &self.wants, link.handover).into_owned();
                if waited
                    && !server.applied.holds_rights()
                    && !self.wants.holds_rights()
                    && let Some(change) = server.applied.change_to(&wanted)
                {
                    self.pool.accepted.learn(&change);
                }
                server.applied = wanted;
                if std::mem::take(&mut link.handover) == Handover::AtOnce {
                    self.accepted = self.wants.hash();
                    self.pool.accepted.note(self.accepted);
                    self.tell_parameters();
                    return Ok(());
                }
            }
        }
        // The next step waits as this one did.
        if self.hand_over()
            && let Some(link) = &mut self.link
        {
            link.hold = true;
        } else {
            self.tell_parameters();
        }
        Ok(())
    }

    /// The server does not take the settings that it is to have.
    fn refused_settings(&mut self, waited: bool, code: &str, message: &str) -> Result<(), End> {
        self.pool.accepted.forget();
        let Some(link) = &mut self.link else { return Ok(()) };
        let server = link.server.as_ref().expect("it is linked");
        let is_as_it_began = server.applied == server.base;
        if !waited {
            // Something of the client has run without its settings.
            link.doubtful = true;
            return Err(Link::refused_settings(code, message));
        }
        if is_as_it_began && link.handover == Handover::AtOnce {
            return Err(Link::refused_settings(code, message));
        }
        let gives_back_nothing =
            link.handover == Handover::Back || *target(server, &self.wants, Handover::AtOnce) == server.base;
        if !gives_back_nothing {
            (link.handover, link.hold) = (Handover::Back, true);
            self.hand_over();
        } else if link.fresh {
            // It keeps what another has set: it is closed, and the next one is tried.
            (link.hold, link.unfit) = (true, true);
        } else {
            link.doubtful = true;
            return Err(Link::refused_settings(code, message));
        }
        Ok(())
    }
}
