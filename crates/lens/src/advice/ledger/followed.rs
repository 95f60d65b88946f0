//! Advice that was followed: what was predicted, and what came of it.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Applied;
use crate::advice::{Advice, Measured};
use crate::cliffs::Cliffs;
use crate::picture::Picture;
use crate::signal;

/// Time after which what was before is no part of a mean any more.
const SETTLED: Duration = Duration::from_secs(90);
/// Time after which it is no part of a forecast any more: those look back for ten minutes.
const FORECAST_ANEW: Duration = Duration::from_secs(600);

/// Followed, and where it is measured what that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Followed {
    pub(super) shown: Applied,
    measured: Measured,
}

impl Followed {
    pub(super) fn new(advice: Advice, wall: SystemTime) -> Self {
        let measured = advice.gain.measured;
        let shown = Applied {
            id: advice.id,
            title: advice.title,
            at: humantime::format_rfc3339_seconds(wall).to_string(),
            before: advice.gain.from,
            predicted: advice.gain.to,
            measured: None,
            unit: advice.gain.unit,
            text: format!("in force; what it changes shows in {} seconds", settled(&measured).as_secs()),
        };
        Self { shown, measured }
    }

    /// Measures what it changed, once that can be seen; and whether it was.
    pub(super) fn measure(&mut self, picture: &Picture<'_>, cliffs: &Cliffs, wall: SystemTime) -> bool {
        if self.shown.measured.is_some() || self.age(wall) < settled(&self.measured) {
            return false;
        }
        let Some(measured) = read(&self.measured, picture, cliffs) else { return false };
        let Applied { before, predicted, unit, .. } = &self.shown;
        let told = [(before, "before"), (predicted, "predicted"), (&Some(measured), "measured")];
        let told = told.map(|(figure, what)| match figure {
            Some(figure) => format!("{figure:.3} {what}"),
            None => format!("nothing {what}"),
        });
        let load = if matches!(self.measured, Measured::AtLoad(..)) { ", at the load of then" } else { "" };
        self.shown.text = format!("{} ({unit}{load})", told.join(", "));
        self.shown.measured = Some(measured);
        true
    }

    /// How long it has been in force. By the time of day: that goes on while the process is restarted.
    fn age(&self, wall: SystemTime) -> Duration {
        let at = humantime::parse_rfc3339(&self.shown.at).unwrap_or(wall);
        wall.duration_since(at).unwrap_or_default()
    }
}

/// When the figure is that of the time since, and of nothing before.
fn settled(measured: &Measured) -> Duration {
    match measured {
        Measured::Knee(_) => FORECAST_ANEW,
        Measured::Signal(..) | Measured::AtLoad(..) | Measured::Sum(..) => SETTLED,
    }
}

fn read(measured: &Measured, picture: &Picture<'_>, cliffs: &Cliffs) -> Option<f64> {
    match measured {
        Measured::Knee(id) => cliffs.cliffs.iter().find(|cliff| cliff.id == *id)?.at.map(|at| at.load),
        Measured::Signal(signal, label) => picture.minute(signal, label),
        Measured::AtLoad(signal, label, then) => {
            let now = picture.minute(&signal::REQUESTS, "").filter(|load| *load > 0.0)?;
            Some(picture.minute(signal, label)? * (*then)? / now)
        }
        Measured::Sum(signal, labels, times) => {
            let known = labels.iter().filter_map(|label| picture.minute(signal, label));
            known.reduce(|a, b| a + b).map(|sum| sum * times)
        }
    }
}
