//! What is remembered of one cliff: levels that do not flap, and what was told.

use std::time::{Duration, SystemTime};

use deepwater_forecast::hysteresis::{self, Hysteresis, Threshold, Thresholds};

use super::Level;
use super::held::Held;
use crate::cliffs::{Finding, Outlook};
use crate::picture::Load;

/// Shares of the way at which a level is entered and left again, and how long that must last.
pub(super) const THRESHOLDS: Thresholds = Thresholds {
    watch: Threshold { enter: 0.6, leave: 0.5 },
    near: Threshold { enter: 0.8, leave: 0.7 },
    over: Threshold { enter: 1.0, leave: 0.9 },
    rise_after: Duration::from_secs(3),
    fall_after: Duration::from_secs(20),
};
/// Times the highest load that was foretold, from which that was wrong.
const BEYOND: f64 = 1.5;
/// From here a cliff in time is worth a look, near, and there.
const DAY: f64 = 86_400.0;
const HOUR: f64 = 3_600.0;

/// What is remembered of a cliff.
pub(super) struct Known {
    way: Hysteresis,
    pub(super) level: Level,
    pub(super) since: SystemTime,
    unknown_since: Option<Duration>,
    pressing: Held<String>,
    outlook: Held<Outlook>,
}

impl Known {
    /// Nothing is known of it yet.
    pub(super) fn new(fresh: &Hysteresis, wall: SystemTime) -> Self {
        Self {
            way: fresh.clone(),
            level: Level::Unknown,
            since: wall,
            unknown_since: None,
            pressing: Held::default(),
            outlook: Held::default(),
        }
    }

    /// The level. One that was known stays for a while when it is not any more, and begins anew after that.
    pub(super) fn next(
        &mut self,
        finding: &Finding,
        load: Option<&Load>,
        now: Duration,
        fresh: &Hysteresis,
    ) -> Level {
        let Some(share) = way(finding, load) else {
            let since = *self.unknown_since.get_or_insert(now);
            if self.level == Level::Unknown || now.saturating_sub(since) >= THRESHOLDS.fall_after {
                self.way = fresh.clone();
                return Level::Unknown;
            }
            return self.level;
        };
        self.unknown_since = None;
        told(self.way.update(now, share))
    }

    /// Tells what pressed, and what could be told, for as long as levels stay. Of a load there is nothing to tell in silence.
    pub(super) fn hold(&mut self, finding: &mut Finding, load: Option<&Load>, now: Duration) {
        finding.pressing = self.pressing.next(finding.pressing.take(), now, THRESHOLDS.fall_after);
        let told = Some(&finding.outlook).filter(|outlook| !matches!(outlook, Outlook::CannotTell(_)));
        let held = self.outlook.next(told.cloned(), now, THRESHOLDS.fall_after);
        if let Some(held) = held.filter(|held| load.is_some() || !matches!(held, Outlook::AtLoad(_))) {
            finding.outlook = held;
        }
        // It looks back ten minutes, in which a request may have taken less, or more.
        if let (Some(_), Outlook::AtLoad(range), Some(load)) = (&finding.pressing, &finding.outlook, load)
            && (range.low > load.now || load.now > BEYOND * range.high)
        {
            finding.outlook = Outlook::CannotTell("it is at its end already".into());
        }
    }
}

/// A level as it is told.
pub(super) fn told(level: hysteresis::Level) -> Level {
    match level {
        hysteresis::Level::Clear => Level::Clear,
        hysteresis::Level::Watch => Level::Watch,
        hysteresis::Level::Near => Level::Near,
        hysteresis::Level::Over => Level::Over,
    }
}

/// The share of the way to the cliff that is behind us; none when it is not known.
fn way(finding: &Finding, load: Option<&Load>) -> Option<f64> {
    if finding.pressing.is_some() {
        return Some(1.0);
    }
    match &finding.outlook {
        Outlook::AtLoad(range) => Some(load?.now / range.value),
        Outlook::InTime(range) if range.value <= HOUR => Some(0.85),
        Outlook::InTime(range) if range.value <= DAY => Some(0.65),
        Outlook::InTime(_) | Outlook::NoneInSight(_) => Some(0.0),
        Outlook::CannotTell(_) => None,
    }
}
