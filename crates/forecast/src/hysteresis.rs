//! Levels that do not flap: each has a number at which it is entered and a lower one at which it is left, and
//! neither counts before it has lasted.

use std::fmt;
use std::time::Duration;

/// How near a cliff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Far away.
    Clear,
    /// Worth a look.
    Watch,
    /// Act now.
    Near,
    /// It is reached.
    Over,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Clear, Self::Watch, Self::Near, Self::Over];

    /// As it is written in answers and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Watch => "watch",
            Self::Near => "near",
            Self::Over => "over",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The ratios (used to limit, load to knee) between which a level lasts once it is entered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Entered at or above.
    pub enter: f64,
    /// Left below.
    pub leave: f64,
}

/// Of the three levels above clear, and how long something must last before it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Of [`Level::Watch`].
    pub watch: Threshold,
    /// Of [`Level::Near`].
    pub near: Threshold,
    /// Of [`Level::Over`].
    pub over: Threshold,
    /// How long a ratio must be at or above a level's `enter` before the level rises.
    pub rise_after: Duration,
    /// How long it must be below a level's `leave` before the level falls.
    pub fall_after: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            watch: Threshold { enter: 0.6, leave: 0.5 },
            near: Threshold { enter: 0.8, leave: 0.7 },
            over: Threshold { enter: 1.0, leave: 0.9 },
            rise_after: Duration::from_secs(3),
            fall_after: Duration::from_secs(30),
        }
    }
}

/// Thresholds that make no sense: not finite, left at or above where entered, or not in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadThresholds;

impl fmt::Display for BadThresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "each level must be left below where it is entered, and higher levels have higher numbers",
        )
    }
}

impl std::error::Error for BadThresholds {}

/// The level of one thing that is watched. Told the time with each ratio.
#[derive(Debug, Clone)]
pub struct Hysteresis {
    thresholds: Thresholds,
    level: Level,
    /// Since when the ratio has asked for a higher level, and for a lower one.
    above_since: Option<Duration>,
    below_since: Option<Duration>,
}

impl Hysteresis {
    /// Starts clear.
    ///
    /// # Errors
    /// Thresholds that make no sense.
    pub fn new(thresholds: Thresholds) -> Result<Self, BadThresholds> {
        let Thresholds { watch, near, over, .. } = thresholds;
        let all = [watch, near, over];
        let finite = all.iter().all(|pair| pair.enter.is_finite() && pair.leave.is_finite());
        let apart = all.iter().all(|pair| pair.leave < pair.enter);
        let ordered = all.windows(2).all(|two| two[0].enter < two[1].enter && two[0].leave < two[1].leave);
        if !(finite && apart && ordered) {
            return Err(BadThresholds);
        }
        Ok(Self { thresholds, level: Level::Clear, above_since: None, below_since: None })
    }

    /// The level as of the last ratio.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes in a ratio at a time since any epoch; the new level. A ratio that is not a number says nothing, and a
    /// clock that went back starts the waits anew.
    pub fn update(&mut self, now: Duration, ratio: f64) -> Level {
        if ratio.is_nan() {
            return self.level;
        }
        let higher = self.entered(ratio);
        let lower = self.kept(ratio);
        let lasts = |since: &mut Option<Duration>, asked: bool, long: Duration| {
            *since = since.filter(|since| asked && *since <= now).or(asked.then_some(now));
            since.is_some_and(|since| now.saturating_sub(since) >= long)
        };
        let rises = lasts(&mut self.above_since, higher > self.level, self.thresholds.rise_after);
        let falls = lasts(&mut self.below_since, lower < self.level, self.thresholds.fall_after);
        if rises || falls {
            self.level = if rises { higher } else { lower };
            (self.above_since, self.below_since) = (None, None);
        }
        self.level
    }

    /// The highest level that this ratio enters.
    fn entered(&self, ratio: f64) -> Level {
        self.highest(|threshold| ratio >= threshold.enter)
    }

    /// The highest level that this ratio is not below, once it is entered.
    fn kept(&self, ratio: f64) -> Level {
        self.highest(|threshold| ratio >= threshold.leave).min(self.level)
    }

    fn highest(&self, holds: impl Fn(Threshold) -> bool) -> Level {
        let Thresholds { watch, near, over, .. } = self.thresholds;
        let of = [(over, Level::Over), (near, Level::Near), (watch, Level::Watch)];
        of.into_iter().find(|(threshold, _)| holds(*threshold)).map_or(Level::Clear, |(_, level)| level)
    }
}

#[cfg(test)]
mod tests;
