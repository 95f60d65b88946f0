//! What a transaction may have left behind in its server's session, and how it is found out.
//!
//! A client must find its settings on whatever server serves it next, and no other client may find them. What a text
//! says is not always what happens: transactions are rolled back, values are computed, functions hide what they do. So
//! the names are read from the texts, and the values are asked of the server.

use std::collections::VecDeque;
use std::task::Context;

use deepwater_pgwire::message::frontend::write as frontend;
use deepwater_pgwire::sql::{Marks, Statement, Verdict};

use super::client::touches_prepared;
use super::doubt::Doubt;
use super::end::End;
use super::expect::Ours;
use super::{Session, pin};
use crate::settings::{Settings, literal};

/// What is to be looked at when a transaction is over.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// One change that needs no question: a single statement with a literal value, outside a transaction.
    direct: Option<Direct>,
    /// Settings that may have changed.
    touched: Vec<String>,
    /// Those among them that return to what the client began with.
    resets: Vec<String>,
    /// Everything is to be discarded, which leads back there, too.
    discards: bool,
    /// Reasons to pin may have come or gone.
    pins: bool,
    /// Channels of the shared listener that are given up once the server has confirmed it; all, where none is named.
    unlistens: VecDeque<Option<String>>,
    /// What the server reports up to the end of the query is known: everything was discarded.
    quiet: bool,
}

/// A change that is known whole.
#[derive(Debug)]
enum Direct {
    Set(String, String),
    Reset(String),
    ResetAll,
}

/// What a question is answered with in place of a setting's name.
const PIN: &str = "=pin";

/// What a server reports without anybody having set it, or what cannot be set by name.
const NOT_SETTINGS: [&str; 6] = [
    "is_superuser",
    "session_authorization",
    "in_hot_standby",
    "server_version",
    "server_encoding",
    "integer_datetimes",
];

impl Aftermath {
    /// Whether nothing is to be looked at.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.direct.is_none() && self.touched.is_empty() && !self.pins
    }

    /// Whether settings return to what the client began with.
    pub(super) fn resets(&self) -> bool {
        self.discards
            || matches!(self.direct, Some(Direct::Reset(_) | Direct::ResetAll))
            || !self.resets.is_empty()
    }

    /// The server reports another value of a setting: its name, unless it was set by a plain SET and is known already.
    fn news(&self, name: &[u8]) -> Option<String> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let known = match &self.direct {
            Some(Direct::Set(set, _) | Direct::Reset(set)) => *set == name,
            Some(Direct::ResetAll) => true,
            None => false,
        };
        (!known && !self.quiet && !NOT_SETTINGS.contains(&name.as_str())).then_some(name)
    }

    /// What was known is not any more: the server is asked.
    fn demote(&mut self, wants: &Settings) {
        match self.direct.take() {
            Some(Direct::Set(name, _)) => self.touch(&name),
            Some(Direct::Reset(name)) => self.touch_reset(&name),
            Some(Direct::ResetAll) => wants.iter().for_each(|(name, _)| self.touch_reset(name)),
            None => {}
        }
    }

    fn touch_reset(&mut self, name: &str) {
        self.touch(name);
        self.resets.push(name.to_owned());
    }

    /// A query is over.
    pub(super) fn query_over(&mut self) {
        self.quiet = false;
    }

    /// Reasons to pin may have gone.
    pub(super) fn recheck_pins(&mut self) {
        self.pins = true;
    }

    fn touch(&mut self, name: &str) {
        if !self.touched.iter().any(|known| known == name) {
            self.touched.push(name.to_owned());
        }
    }

    /// The question to the server; none when nothing is unknown.
    fn question(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        for name in &self.touched {
            let mut part = String::from("SELECT ");
            literal(&mut part, name);
            part.push_str(", pg_catalog.current_setting(");
            literal(&mut part, name);
            part.push_str(", true)");
            parts.push(part);
        }
        if self.pins {
            let reasons = [
                (
                    "advisory_lock",
                    "pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()",
                ),
                ("temp_table", "pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema()"),
                ("hold_cursor", "pg_catalog.pg_cursors WHERE is_holdable"),
                ("listen", "pg_catalog.pg_listening_channels()"),
            ];
            for (reason, from) in reasons {
                parts.push(format!("SELECT '{PIN}', '{reason}' WHERE EXISTS (SELECT FROM {from})"));
            }
        }
        (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
    }
}

impl Session {
    /// Notes what a text that is about to run may leave behind. `alone`: it is one statement outside a transaction and
    /// nothing else is under way.
    pub(super) fn note_verdict(&mut self, verdict: &Verdict, alone: bool) {
        if verdict.session.is_empty() && verdict.marks.is_empty() {
            return;
        }
        for statement in &verdict.session {
            if let Statement::Execute { name } = statement {
                self.note_executed(name);
            }
        }
        let marks = verdict.marks;
        if marks.intersects(Marks::ADVISORY_LOCK) {
            self.pin(pin::ADVISORY_LOCK);
        }
        let unknown = verdict.session.contains(&Statement::TouchUnknown);
        if unknown || marks.intersects(Marks::OPAQUE | Marks::SESSION_FUNCTION) {
            // Nobody can ask for what has no name.
            self.pin(pin::OPAQUE_TEXT);
        }
        let Some(link) = &mut self.link else { return };
        link.doubt.note(verdict);
        let utf8 = link.server().parameters.is_utf8();
        let aftermath = &mut link.aftermath;
        // One change can be known; of several only the server knows what came of them.
        let alone = alone && verdict.session.len() == 1;
        if !alone {
            aftermath.demote(&self.wants);
        }
        if marks.intersects(Marks::ADVISORY_LOCK | Marks::ADVISORY_UNLOCK | Marks::OPAQUE) {
            aftermath.pins = true;
        }
        let mut pins = 0;
        for statement in &verdict.session {
            match statement {
                Statement::Set { name, value: Some(value) }
                    if alone && (utf8 || (name.is_ascii() && value.is_ascii())) =>
                {
                    aftermath.direct = Some(Direct::Set(name.clone(), value.clone()));
                }
                Statement::Reset(name) if alone => aftermath.direct = Some(Direct::Reset(name.clone())),
                Statement::ResetAll if alone => aftermath.direct = Some(Direct::ResetAll),
                Statement::Reset(name) => aftermath.touch_reset(name),
                Statement::Set { name, .. } | Statement::Touch(name) => {
                    aftermath.touch(name);
                }
                Statement::ResetAll => self.wants.iter().for_each(|(name, _)| aftermath.touch_reset(name)),
                Statement::TouchUnknown => {}
                Statement::CreateTemp => {
                    pins |= 1 << pin::TEMP_TABLE;
                    aftermath.pins = true;
                }
                Statement::HoldCursor(_) => {
                    pins |= 1 << pin::HOLD_CURSOR;
                    aftermath.pins = true;
                }
                Statement::CloseCursor(_) | Statement::DiscardTemp => aftermath.pins = true,
                Statement::Listen(_) => {
                    pins |= 1 << pin::LISTEN;
                    aftermath.pins = true;
                }
                Statement::Unlisten(_) | Statement::UnlistenAll => {
                    aftermath.pins = true;
                    if self.listens {
                        let channel = match statement {
                            Statement::Unlisten(channel) => Some(channel.clone()),
                            _ => None,
                        };
                        aftermath.unlistens.push_back(channel);
                    }
                }
                Statement::Load => pins |= 1 << pin::LOAD,
                // The answer's tag tells when they have happened.
                Statement::DiscardAll => aftermath.discards = true,
                Statement::DeallocateAll => {}
                // They are followed by name (sql.rs), or the client is pinned.
                Statement::Prepare { .. } | Statement::Execute { .. } | Statement::Deallocate(_) => {}
                Statement::DiscardPlans
                | Statement::DiscardSequences
                | Statement::Transaction(_)
                | Statement::Copy => {}
            }
        }
        for reason in 0..crate::measure::PINS.len() {
            if pins & (1 << reason) != 0 {
                self.pin(reason);
            }
        }
    }

    /// The server reports another value of a setting.
    pub(super) fn note_reported(&mut self, name: &[u8], value: &[u8]) {
        let tracked = self.is_tracked();
        let Some(link) = &mut self.link else { return };
        let Some(name) = link.aftermath.news(name) else { return };
        match std::str::from_utf8(value) {
            // A question would end the unnamed statement, which is not followed.
            Ok(value) if !tracked && value.is_ascii() => self.apply(Direct::Set(name, value.to_owned())),
            _ => link.aftermath.touch(&name),
        }
    }

    /// Notes what a prepared statement may leave behind that a text runs by name.
    fn note_executed(&mut self, name: &str) {
        let Some(prepared) = self.wanted(name) else { return };
        let verdict = prepared.verdict();
        if touches_prepared(verdict) {
            // What runs what is not followed any further.
            return self.pin(pin::OPAQUE_TEXT);
        }
        self.note_verdict(verdict, false);
    }

    /// When the server is between transactions and owes nothing: takes in what the last one left, asking if need be.
    pub(super) fn settle_up(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.in_transaction() || !link.is_answered() || link.passing_up > 0 || link.skipping {
            return Ok(());
        }
        if link.aftermath.is_empty() {
            link.doubt = Doubt::default();
            let reset = std::mem::take(&mut link.hold_resets);
            // Who keeps the server is made known to it again; anybody else is when a server is next needed.
            return if reset && self.pins != 0 { self.introduce(cx) } else { Ok(()) };
        }
        let mut aftermath = std::mem::take(&mut link.aftermath);
        let failed = std::mem::replace(&mut link.failed, false);
        if failed {
            // Whether it was this or something behind it is not told.
            aftermath.demote(&self.wants);
        }
        if let Some(direct) = aftermath.direct.take() {
            self.apply(direct);
        }
        let question = aftermath.question();
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some(question) = question else {
            link.doubt = Doubt::default();
            return Ok(());
        };
        link.audit_resets = aftermath.resets;
        link.audit_pins = aftermath.pins;
        frontend::query(&mut link.to_server, question);
        link.server().info.set_ours(true);
        link.expect_ours(Ours::Audit);
        self.push_to_server(cx).map(|_| ())
    }

    fn apply(&mut self, direct: Direct) {
        let Some(link) = &mut self.link else { return };
        let applied = &mut link.server().applied;
        match direct {
            Direct::Set(name, value) => {
                applied.set(&name, &value);
                self.wants.set(&name, &value);
            }
            Direct::Reset(name) => {
                applied.remove(&name);
                match self.startup.get(&name) {
                    Some(value) => self.wants.set(&name, value),
                    None => self.wants.remove(&name),
                }
            }
            Direct::ResetAll => {
                // It leaves the role and the user as they are (PostgreSQL, GUC_NO_RESET_ALL).
                let rights = applied.rights();
                let mut wants = self.startup.clone();
                rights.iter().for_each(|(name, value)| wants.set(name, value));
                *applied = rights;
                self.wants = wants;
            }
        }
        self.accepted = self.wants.hash();
    }

    /// Takes in the server's word on what a transaction left behind.
    pub(super) fn audited(&mut self, answer: Vec<(String, Option<String>)>) {
        let Some(link) = &mut self.link else { return };
        if std::mem::take(&mut link.unsayable) {
            self.pin(pin::UNREAD_TEXT);
        }
        let Some(link) = &mut self.link else { return };
        let (resets, pins) = (std::mem::take(&mut link.audit_resets), link.audit_pins);
        // Unless there is more behind the question.
        if link.expected.is_empty() {
            link.doubt = Doubt::default();
        }
        let applied = &mut link.server().applied;
        let mut found = 0;
        for (name, value) in answer {
            let value = value.as_deref();
            if name == PIN {
                let reason = crate::measure::PINS.iter().position(|reason| Some(*reason) == value);
                found |= reason.map_or(0, |reason| 1 << reason);
                continue;
            }
            match (name.as_str(), value) {
                // As it is without any SET.
                ("role", Some("none")) | (_, None) => applied.remove(&name),
                ("session_authorization", Some(user)) if *user == *self.pool.key.user => {
                    applied.remove(&name);
                }
                (_, Some(value)) => applied.set(&name, value),
            }
        }
        let applied = applied.clone();
        let mut wants = applied.beyond(&link.server().base);
        for name in resets {
            // RESET leads back to what the client began with, which the server does not know, unless it was rolled back.
            if let Some(began) = self.startup.get(&name)
                && applied.get(&name) != self.wants.get(&name)
            {
                wants.set(&name, began);
            }
        }
        self.wants = wants;
        self.accepted = self.wants.hash();
        if pins {
            let asked = [pin::ADVISORY_LOCK, pin::TEMP_TABLE, pin::HOLD_CURSOR, pin::LISTEN];
            self.unpin(asked.iter().fold(0, |bits, reason| bits | 1 << reason) & !found);
            for reason in asked {
                if found & (1 << reason) != 0 {
                    self.pin(reason);
                }
            }
        }
    }

    /// DISCARD ALL has succeeded: the session is as it began.
    pub(super) fn discarded_all(&mut self) {
        self.deallocated_all();
        self.wants = self.startup.clone();
        let Some(link) = &mut self.link else { return };
        link.server().applied = Settings::default();
        if link.expected.len() > 1 {
            // What was noted may belong to what the client has sent behind it.
            link.aftermath.recheck_pins();
        } else {
            link.aftermath = Aftermath { quiet: true, ..Aftermath::default() };
            self.unpin(u8::MAX);
        }
        self.forget_channels();
    }

    /// The server has confirmed an UNLISTEN, which is about the shared listener's channels, too.
    pub(super) fn unlistened(&mut self) {
        match self.link.as_mut().and_then(|link| link.aftermath.unlistens.pop_front()) {
            Some(Some(channel)) => {
                self.worker.shared.listeners.unlisten(&self.pool, &channel, &self.info);
            }
            Some(None) => self.forget_channels(),
            None => {}
        }
    }

    /// The client listens on nothing more.
    pub(super) fn forget_channels(&mut self) {
        if self.listens {
            self.listens = false;
            self.worker.shared.listeners.forget(&self.pool, &self.info);
        }
    }
}
