//! Levels that do not flap, the sentence of each cliff, and which is nearest.

mod held;
mod known;
mod service;
#[cfg(test)]
mod tests;
mod words;

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use deepwater_forecast::hysteresis::Hysteresis;
use serde::Serialize;

use super::{Evidence, Finding, Outlook, Range, Trouble};
use crate::picture::Load;
use held::Held;
use known::{Known, THRESHOLDS};
use service::Service;
pub(super) use words::{number, thousands};

/// How long it is told what was wrong with the answers: it is of the mean of some seconds already.
const TROUBLED: Duration = Duration::from_secs(10);

/// How near a cliff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It cannot be told.
    Unknown,
    /// Far away, or none in sight.
    Clear,
    /// More than half of the way.
    Watch,
    /// A little more load, and it is there.
    Near,
    /// It is there.
    Over,
}

/// All cliffs at one moment.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Cliffs {
    /// The load now.
    pub load: Option<LoadNow>,
    /// The name of the cliff that comes first; none when none is in sight.
    pub nearest: Option<String>,
    /// What is wrong with the answers, whatever a cliff says.
    pub trouble: Option<String>,
    /// The whole in a sentence.
    pub summary: String,
    /// All of them, the nearest first.
    pub cliffs: Vec<Cliff>,
}

/// The load now.
#[derive(Debug, Clone, Serialize)]
pub struct LoadNow {
    /// Per second.
    pub value: f64,
    /// What is counted.
    pub unit: &'static str,
}

/// One cliff.
#[derive(Debug, Clone, Serialize)]
pub struct Cliff {
    /// Its name: kind and resource.
    pub id: String,
    /// What runs out.
    pub kind: super::Kind,
    /// Which one.
    pub resource: String,
    /// How near it is.
    pub level: Level,
    /// Since when it is, RFC 3339.
    pub since: String,
    /// `forecast`, `pressing`, `none_in_sight` or `cannot_tell`.
    pub state: &'static str,
    /// The load at which it is reached.
    pub at: Option<At>,
    /// Seconds until it is reached whatever the load.
    pub within: Option<Range>,
    /// Load at which it is reached, over the load now.
    pub headroom: Option<f64>,
    /// In use now.
    pub used: Option<f64>,
    /// There is.
    pub limit: Option<f64>,
    /// Unit of both.
    pub unit: &'static str,
    /// All of it in a sentence.
    pub text: String,
    /// What it follows from.
    pub evidence: Vec<Evidence>,
}

/// The load at which a cliff is reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct At {
    /// The best single guess, in the unit of the load now.
    pub load: f64,
    /// As little as this ...
    pub low: f64,
    /// ... or as much as this, ...
    pub high: f64,
    /// ... with this probability.
    pub confidence: f64,
}

/// A level that has changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The cliff as it is now.
    pub cliff: Cliff,
    /// Its level before.
    pub was: Level,
}

/// Remembers levels, and what was told.
pub(crate) struct Judge {
    known: BTreeMap<String, Known>,
    trouble: Held<String>,
    service: Service,
    /// The name of the cliff that was told first, and since when another one is nearer.
    first: Option<String>,
    nearer_since: Option<Duration>,
    /// Anything was ever served.
    served: bool,
    began: Instant,
    fresh: Hysteresis,
}

impl Judge {
    /// Knows nothing yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            known: BTreeMap::new(),
            trouble: Held::default(),
            service: Service::default(),
            first: None,
            nearer_since: None,
            served: false,
            began: now,
            fresh: Hysteresis::new(THRESHOLDS).expect("the thresholds are in order"),
        }
    }

    /// Puts levels to findings; and which levels have changed. `trouble` is what is wrong with the answers, whatever a cliff
    /// says.
    pub(crate) fn judge(
        &mut self,
        load: Option<&Load>,
        (findings, trouble): (Vec<Finding>, Option<Trouble>),
        (now, wall): (Instant, SystemTime),
    ) -> (Cliffs, Vec<Change>) {
        let now = now.saturating_duration_since(self.began);
        let mut changes = Vec::new();
        let mut cliffs: Vec<Cliff> = Vec::new();
        for mut finding in findings {
            let id = format!("{}:{}", finding.kind.as_str(), finding.resource);
            let known = self.known.entry(id.clone()).or_insert_with(|| Known::new(&self.fresh, wall));
            let was = known.level;
            known.level = known.next(&finding, load, now, &self.fresh);
            if known.level != was {
                known.since = wall;
            }
            known.hold(&mut finding, load, now);
            let mut cliff = cliff(id, finding, load, known);
            if cliff.level != was {
                changes.push(Change { cliff: cliff.clone(), was });
            }
            // Until its level has risen: to say that something has ended, and that all is clear, will not do.
            if cliff.state == "pressing" {
                cliff.level = cliff.level.max(Level::Watch);
            }
            cliffs.push(cliff);
        }
        // What is not there any more has no level.
        self.known.retain(|id, _| cliffs.iter().any(|cliff| cliff.id == *id));
        cliffs.sort_by(nearer);
        self.keep_first(&mut cliffs, now);
        let nearest = self.first.clone();
        self.served |= load.is_some();
        changes.extend(self.service.next(trouble.as_ref(), load.is_some(), (now, wall)));
        let trouble = self.trouble.next(trouble.map(|trouble| trouble.text), now, TROUBLED);
        let served = if load.is_some() {
            Served::Now
        } else if self.served {
            Served::Before
        } else {
            Served::Never
        };
        let summary = words::summary(&cliffs, served, trouble.as_deref());
        let load = load.map(|load| LoadNow { value: words::rounded(load.now), unit: load.unit });
        (Cliffs { load, nearest, trouble, summary, cliffs }, changes)
    }

    /// Whether there was a load in any judgement.
    pub(crate) fn has_seen_load(&self) -> bool {
        self.served
    }

    /// Leaves the cliff in front that was told first, until another has been nearer for long, or presses more.
    fn keep_first(&mut self, cliffs: &mut [Cliff], now: Duration) {
        let rank = |cliff: &Cliff| (cliff.state == "pressing", cliff.level);
        let told = self.first.as_ref().and_then(|id| cliffs.iter().position(|cliff| cliff.id == *id));
        let stays = |told: &usize| {
            let (told, first) = (&cliffs[*told], &cliffs[0]);
            told.id != first.id && told.is_in_sight() && rank(told) >= rank(first)
        };
        match told.filter(stays) {
            Some(told)
                if now.saturating_sub(*self.nearer_since.get_or_insert(now)) < THRESHOLDS.fall_after =>
            {
                cliffs[..=told].rotate_right(1);
            }
            _ => self.nearer_since = None,
        }
        self.first = cliffs.first().filter(|cliff| cliff.is_in_sight()).map(|cliff| cliff.id.clone());
    }
}

/// Whether there is a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    Now,
    Before,
    Never,
}

fn cliff(id: String, finding: Finding, load: Option<&Load>, known: &Known) -> Cliff {
    let text = words::sentence(&finding, load);
    let (at, within) = match &finding.outlook {
        Outlook::AtLoad(range) => (Some(At::of(range)), None),
        Outlook::InTime(range) => (None, Some(*range)),
        Outlook::NoneInSight(_) | Outlook::CannotTell(_) => (None, None),
    };
    let state = match (&finding.pressing, &finding.outlook) {
        (Some(_), _) => "pressing",
        (None, Outlook::AtLoad(_) | Outlook::InTime(_)) => "forecast",
        (None, Outlook::NoneInSight(_)) => "none_in_sight",
        (None, Outlook::CannotTell(_)) => "cannot_tell",
    };
    let headroom = at.zip(load).filter(|(_, load)| load.now > 0.0).map(|(at, load)| at.load / load.now);
    Cliff {
        id,
        kind: finding.kind,
        resource: finding.resource,
        level: known.level,
        since: humantime::format_rfc3339_seconds(known.since).to_string(),
        state,
        at,
        within,
        headroom,
        used: finding.used,
        limit: finding.limit,
        unit: finding.unit,
        text,
        evidence: finding.evidence,
    }
}

impl At {
    fn of(range: &Range) -> Self {
        let Range { value, low, high, confidence } = *range;
        Self { load: words::rounded(value), low: words::rounded(low), high: words::rounded(high), confidence }
    }
}

impl Cliff {
    fn is_in_sight(&self) -> bool {
        self.state == "pressing" || self.at.is_some() || self.within.is_some()
    }
}

/// What presses comes first, then what somebody should look at by its level, then what is reached at the lowest load, then what
/// is reached in time, then the rest.
fn nearer(a: &Cliff, b: &Cliff) -> Ordering {
    let pressing = |cliff: &Cliff| cliff.state != "pressing";
    let level = |cliff: &Cliff| {
        Reverse(if cliff.is_in_sight() { cliff.level.max(Level::Clear) } else { Level::Clear })
    };
    // What waits or fails says more than that cores are at work, perhaps for others.
    let cores = |cliff: &Cliff| {
        cliff.state == "pressing" && cliff.kind == super::Kind::Cpu && cliff.resource == "machine"
    };
    let load = |cliff: &Cliff| cliff.at.map_or(f64::INFINITY, |at| at.load);
    let time = |cliff: &Cliff| cliff.within.map_or(f64::INFINITY, |range| range.value);
    let known = |cliff: &Cliff| cliff.level == Level::Unknown;
    pressing(a)
        .cmp(&pressing(b))
        .then(level(a).cmp(&level(b)))
        .then(cores(a).cmp(&cores(b)))
        .then(load(a).total_cmp(&load(b)))
        .then(time(a).total_cmp(&time(b)))
        .then(known(a).cmp(&known(b)))
        .then_with(|| a.id.cmp(&b.id))
}
