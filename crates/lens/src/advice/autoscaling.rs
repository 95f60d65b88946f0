//! Scaling with the load: where it is spiky, or follows the clock, what is there for the peak idles for the rest of the day.
//! Deepwater does not start processes, so the advice gives the query that something else scales by.

use super::{Advice, Done, Evidence, Gain, Measured, Price, Rule, Verdict};
use crate::cliffs::Cliffs;
use crate::picture::Picture;
use crate::signal;
use crate::store::Span;

pub(super) struct Autoscaling;

const MINUTES_OF_DAY: usize = 24 * 60;
/// The busiest minutes over the median one, from which load is spiky.
const SPIKY: f64 = 3.0;
/// How like the day before a day is, from which load follows the clock (autocorrelation).
const LIKE_YESTERDAY: f64 = 0.5;
/// The same needs a swing that is worth scaling for.
const SWING: f64 = 1.5;
/// Targets, below which there is nothing to scale down to.
const LEAST_TARGETS: usize = 2;

const PRICE: Price = Price {
    complexity: "instances come and go: no state in them, a quick start, a clean stop",
    staleness: "none",
    money: "less on average; none for what is kept ready",
    operations: "a scaler to run; the database must bear the connections of all instances there may be",
};

impl Rule for Autoscaling {
    fn technique(&self) -> &'static str {
        "autoscaling"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let minutes = picture.store.points(signal::REQUESTS.name, "", Span::Minute, 2 * MINUTES_OF_DAY);
        let today = &minutes[minutes.len().saturating_sub(MINUTES_OF_DAY)..];
        let mut known: Vec<f64> = today.iter().copied().filter(|rate| rate.is_finite()).collect();
        if known.len() < MINUTES_OF_DAY * 9 / 10 {
            let left = (MINUTES_OF_DAY - known.len()).div_ceil(60);
            return Verdict::CannotTell(format!("how load goes through the day shows in {left} more hours"));
        }
        known.sort_by(f64::total_cmp);
        let at = |share: f64| known[((known.len() - 1) as f64 * share) as usize];
        let (median, peak) = (at(0.5), at(0.95));
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let likeness = likeness(&minutes);
        let spiky = peak >= SPIKY * median;
        let by_clock = likeness.is_some_and(|likeness| likeness >= LIKE_YESTERDAY) && peak >= SWING * mean;
        if !(spiky || by_clock) || peak <= 0.0 {
            return Verdict::NoNeed(format!(
                "load is even: the busiest minutes of a day have {:.1} times the median",
                if median > 0.0 { peak / median } else { 1.0 }
            ));
        }
        let found: Vec<Advice> = picture
            .facts
            .applications
            .iter()
            .filter(|known| known.targets.len() >= LEAST_TARGETS)
            .map(|known| advise(&known.name, known.targets.len(), (median, mean, peak), by_clock))
            .collect();
        Verdict::of(found, &[], || "load is uneven, and one instance bears it".into())
    }
}

/// How like each minute is to that of the day before, −1 to 1; none before two days were seen.
fn likeness(minutes: &[f64]) -> Option<f64> {
    let (before, today) = minutes.split_at(minutes.len().checked_sub(MINUTES_OF_DAY)?);
    let pairs: Vec<(f64, f64)> = before
        .iter()
        .copied()
        .zip(today.iter().copied())
        .filter(|(a, b)| a.is_finite() && b.is_finite())
        .collect();
    if pairs.len() < MINUTES_OF_DAY * 9 / 10 {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0 / n, sum.1 + pair.1 / n));
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| f(a - mean.0, b - mean.1)).sum::<f64>();
    let (aa, ab, bb) = (sum(&|a, _| a * a), sum(&|a, b| a * b), sum(&|_, b| b * b));
    let likeness = ab / (aa * bb).sqrt();
    likeness.is_finite().then_some(likeness)
}

fn advise(
    application: &str,
    targets: usize,
    (median, mean, peak): (f64, f64, f64),
    by_clock: bool,
) -> Advice {
    let needed = (targets as f64 * (mean / peak).min(1.0)).max(1.0);
    let how = if by_clock { "it follows the clock" } else { "it is spiky" };
    Advice {
        id: format!("autoscaling:{application}"),
        technique: "autoscaling",
        title: format!("scale `{application}` with its load"),
        why: format!(
            "{how}: the busiest minutes have {peak:.0} requests a second, the median one {median:.0}"
        ),
        cliff: None,
        gain: Gain {
            text: format!("if {targets} instances suit the busiest minutes, {needed:.1} do on average"),
            from: Some(targets as f64),
            to: Some(needed),
            unit: "instances on average".into(),
            measured: Measured::Signal(&signal::UPSTREAM_RATE, application.to_owned()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(format!(
            "KEDA (a `prometheus` trigger) or an HPA with an external metric, by requests under way, which follow the load \
             at once: sum(rate(deepwater_edge_upstream_response_seconds_sum{{pool=\"{application}\"}}[2m])); as the \
             threshold what one instance works on while it is quick. {}Give the pool a name that resolves to all instances: \
             addresses are followed as they change",
            if by_clock {
                "Since it follows the clock, a `cron` trigger before the rise spares the wait. "
            } else {
                ""
            }
        )),
        evidence: vec![Evidence {
            signal: signal::REQUESTS.name,
            label: String::new(),
            value: mean,
            unit: signal::REQUESTS.unit,
            text: format!(
                "over a day {mean:.0} requests a second on average, {peak:.0} in the busiest minutes"
            ),
        }],
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    /// Days of load, by minute.
    fn scene(days: usize, load: impl Fn(usize) -> f64) -> Scene {
        let mut scene = Scene::new();
        scene.application("app");
        scene.facts.applications[0].targets = vec!["a:1".into(), "b:1".into(), "c:1".into(), "d:1".into()];
        let seconds = days * 86_400;
        scene.each(&signal::REQUESTS, "", (0..seconds).map(|second| load(second / 60)));
        scene
    }

    #[test]
    fn spiky_load_is_worth_it() {
        let scene = scene(1, |minute| if minute % 100 < 8 { 100.0 } else { 10.0 });
        let advice = scene.advised(&Autoscaling);
        // 17.2 of 100 on average: 0.69 of 4, and one at least.
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(4.0), Some(1.0)));
        assert!(advice[0].elsewhere.as_ref().unwrap().contains("{pool=\"app\"}"));
    }

    #[test]
    fn load_by_the_clock_shows_on_the_second_day() {
        let day = |minute: usize| {
            100.0
                * (1.2 - (minute % MINUTES_OF_DAY) as f64 / MINUTES_OF_DAY as f64 * std::f64::consts::TAU)
                    .cos()
                    .max(-0.9)
                + 100.0
        };
        assert!(scene(2, day).advised(&Autoscaling)[0].why.contains("clock"));
    }

    #[test]
    fn even_load_is_not_and_a_morning_is_too_little() {
        assert!(scene(1, |_| 50.0).no_need(&Autoscaling).contains("1.0 times"));
        let morning = Scene::new();
        assert!(morning.cannot_tell(&Autoscaling).contains("24 more hours"));
    }

    #[test]
    fn one_instance_cannot_be_fewer() {
        let mut scene = scene(1, |minute| if minute % 100 < 8 { 100.0 } else { 10.0 });
        scene.facts.applications[0].targets.truncate(1);
        assert!(scene.no_need(&Autoscaling).contains("one instance"));
    }
}
