//! What became of advice: dismissed with a reason, or followed, and what that changed.

mod followed;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Advice, Considered, ease};
use crate::cliffs::Cliffs;
use crate::facts::Facts;
use crate::picture::Picture;

use followed::Followed;

/// Followed advice that is remembered.
const MOST_APPLIED: usize = 100;

/// Why advice is not wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dismissed {
    /// As given.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Advice that was followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// When it came into force, RFC 3339.
    pub at: String,
    /// The figure before; none when it was not measured.
    pub before: Option<f64>,
    /// The figure that was predicted; none when it could not be computed.
    pub predicted: Option<f64>,
    /// The figure that was measured afterwards; none until it is known.
    pub measured: Option<f64>,
    /// Unit of all three.
    pub unit: String,
    /// The same in a sentence.
    pub text: String,
}

/// Advice as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The advice.
    #[serde(flatten)]
    pub advice: Advice,
    /// Whether somebody does not want it, and why.
    pub dismissed: Option<Dismissed>,
}

/// `/api/advice`.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Page {
    /// The whole in a sentence; that nothing is needed is an answer, too.
    pub summary: String,
    /// What to do next; the most pressing first, what was dismissed last.
    pub advice: Vec<Row>,
    /// What was looked at and is not advised.
    pub considered: Vec<Considered>,
    /// What was followed, the newest first.
    pub applied: Vec<Applied>,
    /// Whether what was dismissed and followed is kept beyond a restart.
    pub kept: bool,
    /// The summary when there is nothing to do.
    #[serde(skip)]
    nothing: String,
}

impl Page {
    /// Shows at once what was decided.
    pub(crate) fn decide(&mut self, id: &str, dismissed: Option<&Dismissed>) {
        let rows = self.advice.iter_mut().filter(|row| row.advice.id == id);
        rows.for_each(|row| row.dismissed = dismissed.cloned());
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.advice.sort_by_key(|row| row.dismissed.is_some());
        self.summary = match self.advice.first() {
            Some(Row { advice, dismissed: None }) => format!("{}: {}", advice.title, advice.gain.text),
            _ => self.nothing.clone(),
        };
    }
}

/// What is remembered of advice, also beyond a restart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Memory {
    /// By the advice's name.
    pub(crate) dismissed: BTreeMap<String, Dismissed>,
    applied: Vec<Followed>,
}

/// What is known of advice.
#[derive(Default)]
pub(crate) struct Ledger {
    memory: Memory,
    /// As it was last given.
    given: BTreeMap<String, Advice>,
}

impl Ledger {
    /// Begins with what was remembered.
    pub(crate) fn with(memory: Memory) -> Self {
        Self { memory, ..Self::default() }
    }

    /// What is remembered.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Notes that advice is not wanted, or wanted again when there is no reason.
    ///
    /// # Errors
    /// There is no such advice.
    pub(crate) fn dismiss(
        &mut self,
        id: &str,
        reason: Option<String>,
        wall: SystemTime,
    ) -> Result<Option<&Dismissed>, String> {
        let dismissed = &mut self.memory.dismissed;
        if !self.given.contains_key(id) && !dismissed.contains_key(id) {
            return Err(format!("there is no advice named `{id}`: see /api/advice"));
        }
        match reason {
            Some(reason) => {
                let at = humantime::format_rfc3339_seconds(wall).to_string();
                dismissed.insert(id.to_owned(), Dismissed { reason, at });
            }
            None => {
                dismissed.remove(id);
            }
        }
        Ok(dismissed.get(id))
    }

    /// Notes what is advised now, and looks what was followed: the page, and whether there is more to remember.
    pub(crate) fn note(
        &mut self,
        advice: Vec<Advice>,
        considered: Vec<Considered>,
        (picture, cliffs): (&Picture<'_>, &Cliffs),
        wall: SystemTime,
    ) -> (Page, bool) {
        let mut news = self.follow(picture.facts, wall);
        for followed in &mut self.memory.applied {
            news |= followed.measure(picture, cliffs, wall);
        }
        for advice in &advice {
            self.given.insert(advice.id.clone(), advice.clone());
        }
        let nothing = nothing(!advice.is_empty(), &considered, (picture, cliffs));
        let dismissed = |advice: &Advice| self.memory.dismissed.get(&advice.id).cloned();
        let rows = advice.into_iter().map(|advice| Row { dismissed: dismissed(&advice), advice });
        let mut page = Page {
            advice: rows.collect(),
            considered,
            applied: self.memory.applied.iter().rev().map(|followed| followed.shown.clone()).collect(),
            nothing,
            ..Page::default()
        };
        page.sum_up();
        (page, news)
    }

    /// Advice whose lines are in force now was followed, whoever wrote them; and whether there is any.
    fn follow(&mut self, facts: &Facts, wall: SystemTime) -> bool {
        let in_force = |(_, advice): &(String, Advice)| advice.done.is_in_force(facts);
        let (followed, given): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.given).into_iter().partition(in_force);
        self.given = given.into_iter().collect();
        let (any, applied) = (!followed.is_empty(), &mut self.memory.applied);
        applied.extend(followed.into_iter().map(|(_, advice)| Followed::new(advice, wall)));
        applied.drain(..applied.len().saturating_sub(MOST_APPLIED));
        any
    }
}

/// What is said when there is no advice, or none but what was `dismissed`.
fn nothing(dismissed: bool, considered: &[Considered], (picture, cliffs): (&Picture<'_>, &Cliffs)) -> String {
    if dismissed {
        return "nothing to do next but what was dismissed".into();
    }
    if let Some(trouble) = ease::trouble(picture, cliffs, considered) {
        return trouble;
    }
    let text = match (&cliffs.load, &cliffs.nearest) {
        (None, _) => "no load is measured, so there is nothing to advise",
        (_, None) => "you need nothing now: no cliff is in sight",
        _ => "you need nothing now",
    };
    text.into()
}
