//! How the answers are, as a level that does not flap: what is wrong with them is told as a cliff is.

use std::time::{Duration, SystemTime};

use deepwater_forecast::hysteresis::{Hysteresis, Thresholds};

use super::known::{THRESHOLDS, told};
use super::{Change, Cliff, Level};
use crate::cliffs::{Kind, Trouble};
use crate::picture::NOW;

/// As of a cliff. But a bad second is in the mean for as long as that looks back: what is as short must not be told.
const LASTING: Thresholds = Thresholds {
    rise_after: Duration::from_secs(NOW as u64 + THRESHOLDS.rise_after.as_secs()),
    ..THRESHOLDS
};
/// The one that all of it has: when it is over, it may come from somewhere else than when it began.
const ID: &str = "service";
/// What it is of, where it is of no one application.
const ALL: &str = "answers";

/// What is remembered of the answers.
pub(super) struct Service {
    way: Hysteresis,
    level: Level,
    /// The application that was named last.
    application: Option<String>,
}

impl Default for Service {
    fn default() -> Self {
        Self { way: fresh(), level: Level::Clear, application: None }
    }
}

fn fresh() -> Hysteresis {
    Hysteresis::new(LASTING).expect("the thresholds are in order")
}

impl Service {
    /// The level has changed, if it has. `served` is whether there are answers to tell anything from.
    pub(super) fn next(
        &mut self,
        trouble: Option<&Trouble>,
        served: bool,
        (now, wall): (Duration, SystemTime),
    ) -> Option<Change> {
        let was = self.level;
        let share = match (trouble, was) {
            (Some(trouble), _) => share(trouble.broken),
            (None, _) if served => 0.0,
            // Where nothing is answered nothing is mended ...
            (None, Level::Near | Level::Over) => share(was == Level::Over),
            // ... and nothing lasts.
            (None, _) => {
                self.way = fresh();
                return None;
            }
        };
        self.level = told(self.way.update(now, share));
        if let Some(trouble) = trouble {
            self.application.clone_from(&trouble.application);
        }
        (self.level != was).then(|| Change { cliff: self.cliff(trouble, wall), was })
    }

    fn cliff(&self, trouble: Option<&Trouble>, wall: SystemTime) -> Cliff {
        let text = match (trouble, &self.application) {
            (Some(Trouble { text, .. }), Some(name)) => format!("not all is well with `{name}`: {text}"),
            (Some(Trouble { text, .. }), None) => format!("not all is well: {text}"),
            (None, Some(name)) => format!("`{name}` answers as usual again"),
            (None, None) => "answers are as usual again".into(),
        };
        Cliff {
            id: ID.into(),
            kind: Kind::Service,
            resource: self.application.clone().unwrap_or_else(|| ALL.into()),
            level: self.level,
            since: humantime::format_rfc3339_seconds(wall).to_string(),
            state: if trouble.is_some() { "pressing" } else { "none_in_sight" },
            at: None,
            within: None,
            headroom: None,
            used: None,
            limit: None,
            unit: "",
            text,
            evidence: Vec::new(),
        }
    }
}

/// Of the way. Hardly any answers and errors are the end itself; who is late still answers.
fn share(broken: bool) -> f64 {
    if broken { THRESHOLDS.over.enter } else { THRESHOLDS.near.enter }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(application: Option<&str>) -> Trouble {
        let application = application.map(str::to_owned);
        Trouble { text: "95 % of answers take 2 s".into(), application, broken: false }
    }

    fn broken(application: Option<&str>) -> Trouble {
        Trouble { text: "100 % of answers are errors (5xx)".into(), broken: true, ..late(application) }
    }

    /// Judged every five seconds, as the sampler does.
    #[derive(Default)]
    struct Bench {
        service: Service,
        second: u64,
    }

    impl Bench {
        /// What is told while it is so for so long: when, from which level to which, and the text.
        fn pass(
            &mut self,
            seconds: u64,
            trouble: Option<&Trouble>,
            served: bool,
        ) -> Vec<(u64, Level, Level, String)> {
            let mut told = Vec::new();
            for second in (self.second..self.second + seconds).step_by(5) {
                let at = Duration::from_secs(second);
                let change = self.service.next(trouble, served, (at, SystemTime::UNIX_EPOCH + at));
                let Some(Change { cliff, was }) = change else { continue };
                assert_eq!((cliff.id.as_str(), cliff.kind), ("service", Kind::Service));
                told.push((second, was, cliff.level, cliff.text));
            }
            self.second += seconds;
            told
        }

        fn well() -> Self {
            let mut bench = Self::default();
            bench.pass(60, None, true);
            bench
        }
    }

    const FAILS: &str = "not all is well with `app`: 100 % of answers are errors (5xx)";

    #[test]
    fn trouble_that_lasts_is_told_once_and_that_it_is_over() {
        let mut bench = Bench::well();
        let told = bench.pass(600, Some(&broken(Some("app"))), false);
        assert_eq!(told, [(75, Level::Clear, Level::Over, FAILS.into())]);
        let told = bench.pass(600, None, true);
        assert_eq!(told, [(680, Level::Over, Level::Clear, "`app` answers as usual again".into())]);
    }

    #[test]
    fn one_bad_second_posts_nothing_though_the_mean_holds_it_for_ten() {
        let mut bench = Bench::well();
        for _ in 0..10 {
            // As many judgements as see a second, or two.
            assert_eq!(bench.pass(15, Some(&broken(None)), true), []);
            assert_eq!(bench.pass(5, None, true), []);
        }
        // Nor do two of them, with silence between.
        for _ in 0..10 {
            assert_eq!(bench.pass(10, Some(&broken(None)), true), []);
            assert_eq!(bench.pass(5, None, false), []);
        }
    }

    #[test]
    fn a_pause_of_it_is_no_end() {
        let mut bench = Bench::well();
        bench.pass(20, Some(&broken(None)), true);
        for _ in 0..10 {
            assert_eq!(bench.pass(20, None, true), []);
            assert_eq!(bench.pass(5, Some(&broken(None)), true), []);
        }
    }

    #[test]
    fn late_answers_that_become_errors_are_told_again() {
        let mut bench = Bench::well();
        let levels = |told: Vec<(u64, Level, Level, String)>| -> Vec<_> {
            told.into_iter().map(|(_, was, is, _)| (was, is)).collect()
        };
        assert_eq!(levels(bench.pass(60, Some(&late(None)), true)), [(Level::Clear, Level::Near)]);
        assert_eq!(levels(bench.pass(60, Some(&broken(None)), true)), [(Level::Near, Level::Over)]);
        assert_eq!(levels(bench.pass(60, Some(&late(None)), true)), [(Level::Over, Level::Near)]);
        assert_eq!(levels(bench.pass(60, None, true)), [(Level::Near, Level::Clear)]);
    }

    /// Nobody asks any more, or all hang and nobody knows what was usual: that is no news of the application.
    #[test]
    fn silence_is_no_end_of_trouble() {
        let mut bench = Bench::well();
        bench.pass(60, Some(&broken(Some("app"))), true);
        assert_eq!(bench.pass(15, None, true), []);
        assert_eq!(bench.pass(600, None, false), []);
        let told = bench.pass(60, None, true);
        assert_eq!(told, [(755, Level::Over, Level::Clear, "`app` answers as usual again".into())]);
    }
}
