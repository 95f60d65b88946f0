//! What became of advice: dismissed with a reason, or followed, and what that changed.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Advice, Considered, Measured};
use crate::cliffs::{Cliffs, Level};
use crate::facts::Facts;
use crate::picture::Picture;
use crate::signal;

/// Seconds after which what advice changed is measured: what was before is no part of the mean then.
const SETTLED: u64 = 90;
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// What is remembered of advice.
#[derive(Default)]
pub(crate) struct Ledger {
    dismissed: BTreeMap<String, Dismissed>,
    /// As it was last given, and when.
    given: BTreeMap<String, (Advice, Instant)>,
    applied: Vec<Following>,
}

/// Followed, and when that is measured.
struct Following {
    shown: Applied,
    measured_in: Measured,
    since: Instant,
}

impl Ledger {
    /// Begins with what was dismissed before.
    pub(crate) fn with(dismissed: BTreeMap<String, Dismissed>) -> Self {
        Self { dismissed, ..Self::default() }
    }

    /// What was dismissed.
    pub(crate) fn dismissed(&self) -> &BTreeMap<String, Dismissed> {
        &self.dismissed
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
    ) -> Result<(), String> {
        if !self.given.contains_key(id) && !self.dismissed.contains_key(id) {
            return Err(format!("there is no advice named `{id}`: see /api/advice"));
        }
        match reason {
            Some(reason) => {
                let at = humantime::format_rfc3339_seconds(wall).to_string();
                self.dismissed.insert(id.to_owned(), Dismissed { reason, at });
            }
            None => {
                self.dismissed.remove(id);
            }
        }
        Ok(())
    }

    /// Notes what is advised now, and looks what was followed.
    pub(crate) fn note(
        &mut self,
        advice: Vec<Advice>,
        considered: Vec<Considered>,
        (picture, cliffs): (&Picture<'_>, &Cliffs),
        (now, wall): (Instant, SystemTime),
    ) -> Page {
        self.follow(picture.facts, now, wall);
        self.measure(picture, cliffs, now);
        for advice in &advice {
            self.given.insert(advice.id.clone(), (advice.clone(), now));
        }
        let mut rows: Vec<Row> = advice
            .into_iter()
            .map(|advice| Row { dismissed: self.dismissed.get(&advice.id).cloned(), advice })
            .collect();
        rows.sort_by_key(|row| row.dismissed.is_some());
        let applied = self.applied.iter().rev().map(|following| following.shown.clone()).collect();
        Page { summary: summary(&rows, cliffs), advice: rows, considered, applied }
    }

    /// Advice whose lines are in force now was followed, whoever wrote them.
    fn follow(&mut self, facts: &Facts, now: Instant, wall: SystemTime) {
        let followed: Vec<String> = self
            .given
            .iter()
            .filter(|(_, (advice, _))| advice.done.is_in_force(facts))
            .map(|(id, _)| id.clone())
            .collect();
        for id in followed {
            let Some((advice, _)) = self.given.remove(&id) else { continue };
            let shown = Applied {
                id,
                title: advice.title,
                at: humantime::format_rfc3339_seconds(wall).to_string(),
                before: advice.gain.from,
                predicted: advice.gain.to,
                measured: None,
                unit: advice.gain.unit,
                text: format!("in force; what it changes shows in {SETTLED} seconds"),
            };
            self.applied.push(Following { shown, measured_in: advice.gain.measured, since: now });
            if self.applied.len() > MOST_APPLIED {
                self.applied.remove(0);
            }
        }
    }

    fn measure(&mut self, picture: &Picture<'_>, cliffs: &Cliffs, now: Instant) {
        for following in &mut self.applied {
            let settled = now.saturating_duration_since(following.since).as_secs() >= SETTLED;
            if following.shown.measured.is_some() || !settled {
                continue;
            }
            let measured = match &following.measured_in {
                Measured::Knee(id) => {
                    let cliff = cliffs.cliffs.iter().find(|cliff| cliff.id == *id);
                    cliff.and_then(|cliff| cliff.at).map(|at| at.load)
                }
                Measured::Signal(signal, label) => picture.minute(signal, label),
                Measured::AtLoad(signal, label, then) => {
                    let now = picture.minute(&signal::REQUESTS, "").filter(|load| *load > 0.0);
                    let scale = then.zip(now).map(|(then, now)| then / now);
                    picture.minute(signal, label).zip(scale).map(|(value, scale)| value * scale)
                }
                Measured::Sum(signal, labels, times) => labels
                    .iter()
                    .filter_map(|label| picture.minute(signal, label))
                    .reduce(|a, b| a + b)
                    .map(|sum| sum * times),
            };
            if let Some(measured) = measured {
                let Applied { before, predicted, unit, .. } = &following.shown;
                let told = [(before, "before"), (predicted, "predicted"), (&Some(measured), "measured")];
                let told = told.map(|(figure, what)| match figure {
                    Some(figure) => format!("{figure:.3} {what}"),
                    None => format!("nothing {what}"),
                });
                let load = if matches!(following.measured_in, Measured::AtLoad(..)) {
                    ", at the load of then"
                } else {
                    ""
                };
                following.shown.text = format!("{} ({unit}{load})", told.join(", "));
                following.shown.measured = Some(measured);
            }
        }
    }
}

fn summary(rows: &[Row], cliffs: &Cliffs) -> String {
    match rows.iter().find(|row| row.dismissed.is_none()) {
        Some(row) => format!("{}: {}", row.advice.title, row.advice.gain.text),
        None if cliffs.load.is_none() => "nothing is served yet, so there is nothing to advise".into(),
        None if cliffs.nearest.is_none()
            && cliffs.cliffs.iter().any(|cliff| cliff.level == Level::Unknown) =>
        {
            "nothing to advise yet: where the next cliff is cannot be told".into()
        }
        None if cliffs.nearest.is_none() => "you need nothing now: no cliff is in sight".into(),
        None => "you need nothing now".into(),
    }
}
