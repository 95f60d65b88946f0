//! Workers of the application: so many requests it works on at once, and the rest waits inside it, where nobody sees the
//! queue.
//!
//! Their number is not told by anybody. It shows when they are all busy: then more requests with the application take it longer,
//! and it answers no more of them. By Little's law the workers are what it answers then, times what an answer takes
//! when nobody waits.

use deepwater_forecast::usl::{self, Point};

use super::{Detector, Evidence, Finding, Kind, Outlook, Range, evidence};
use crate::picture::{Load, Picture};
use crate::signal::{self, Signal};

pub(super) struct Concurrency;

/// The probability that a range holds the truth.
const CONFIDENCE: f64 = 0.9;
/// Ticks that must have been measured.
const LEAST_TICKS: usize = 30;
/// Latency over its floor, from which requests wait rather than work.
const WAITS: f64 = 2.0;
/// Share of the highest rate that rates at the plateau have at least.
const PLATEAU: f64 = 0.85;
/// Ticks at the plateau that it takes to believe in it.
const LEAST_FULL: usize = 10;
/// Ticks in which as much was done without waits, beside those with: of more, something other than the load makes it slow.
const IN_TIME: f64 = 0.25;
/// Busy workers, below which nobody can have waited for one.
const LEAST_WORKERS: f64 = 0.8;

impl Detector for Concurrency {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let applications = picture.store.labels(&signal::UPSTREAM_RATE);
        applications.iter().filter_map(|name| find(picture, load, name)).collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>, name: &str) -> Option<Finding> {
    let series = |signal| picture.windows(signal, name);
    let (rates, latencies) = (series(&signal::UPSTREAM_RATE), series(&signal::UPSTREAM_SECONDS));
    let known: Vec<(f64, f64)> = rates
        .into_iter()
        .zip(latencies)
        .filter(|(rate, latency)| *rate > 0.0 && latency.is_finite())
        .collect();
    let busy = picture.now(&signal::UPSTREAM_BUSY, name)?;
    let workers = workers(&known);
    let outlook = match (&workers, load) {
        (Ok(found), Some(load)) => {
            // Requests that the cache or the edge answers do not reach the application.
            let passed =
                picture.now(&signal::UPSTREAM_RATE, name).unwrap_or(0.0) / load.now.max(f64::MIN_POSITIVE);
            let at = |rate: f64| rate / passed.clamp(0.01, 1.0);
            let range = Range {
                value: at(found.rate),
                low: at(found.low),
                high: at(found.high),
                confidence: CONFIDENCE,
            };
            Outlook::AtLoad(range)
        }
        (Ok(_), None) => Outlook::CannotTell("nothing is served now".into()),
        (Err(missing), _) => Outlook::CannotTell((*missing).to_owned()),
    };
    let pressing =
        workers.as_ref().ok().filter(|found| found.now).map(|found| {
            format!("it works on about {:.0} at once, and {busy:.0} are with it", found.workers)
        });
    let evidence = [
        evidence(picture, &signal::UPSTREAM_BUSY, name, |busy| {
            format!("{busy:.1} requests are with it on average")
        }),
        evidence(picture, &signal::UPSTREAM_SECONDS, name, |mean| {
            format!("it answers after {:.1} ms", mean * 1e3)
        }),
        evidence(picture, &signal::UPSTREAM_RATE, name, |rate| {
            format!("it answers {rate:.1} requests a second")
        }),
        second_opinion(name, &known),
    ];
    Some(Finding {
        kind: Kind::Concurrency,
        resource: name.to_owned(),
        what: format!("all workers of `{name}` are busy"),
        used: Some(busy),
        limit: workers.ok().map(|found| found.workers),
        unit: "requests",
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

/// What the scalability law says of the same ticks. It keeps silent about low load.
fn second_opinion(label: &str, known: &[(f64, f64)]) -> Option<Evidence> {
    let point = |(rate, latency): &(f64, f64)| Point { n: rate * latency, x: *rate };
    let points: Vec<Point> = known.iter().map(point).collect();
    let (value, text) = match usl::forecast(&points, CONFIDENCE) {
        usl::Outlook::Peak(top) => {
            let (n, usl::Estimate { value, low, high }) = (top.n.value, top.x);
            (
                value,
                format!("at most {value:.0} ({low:.0}–{high:.0}) with {n:.0} at once, and fewer with more"),
            )
        }
        usl::Outlook::NoPeakInSight { limit: usl::Estimate { value, low, high }, .. } => {
            (value, format!("no peak in sight, and never more than {value:.0} ({low:.0}–{high:.0})"))
        }
        usl::Outlook::CannotTell(_) => return None,
    };
    let Signal { name, unit, .. } = signal::UPSTREAM_RATE;
    let text = format!("the scalability law, a second opinion, says of its requests per second: {text}");
    Some(Evidence { signal: name, label: label.to_owned(), value, unit, text })
}

/// Workers that were all busy.
struct Workers {
    workers: f64,
    /// What they answer a second, and how far that varied.
    rate: f64,
    low: f64,
    high: f64,
    /// They are busy now.
    now: bool,
}

/// Looks for a plateau in (rate, latency) of each tick, the oldest first.
fn workers(known: &[(f64, f64)]) -> Result<Workers, &'static str> {
    if known.len() < LEAST_TICKS {
        return Err("needs more seconds of load");
    }
    let mut latencies: Vec<f64> = known.iter().map(|(_, latency)| *latency).collect();
    latencies.sort_by(f64::total_cmp);
    let floor = latencies[latencies.len() / 10];
    let slow = |(_, latency): &&(f64, f64)| *latency >= WAITS * floor;
    let highest = known.iter().map(|(rate, _)| *rate).fold(0.0, f64::max);
    let mut full: Vec<f64> = known.iter().filter(slow).map(|(rate, _)| *rate).collect();
    full.retain(|rate| *rate >= PLATEAU * highest);
    if full.len() < LEAST_FULL {
        return Err("needs more load: its workers have not all been busy yet");
    }
    full.sort_by(f64::total_cmp);
    let at = |share: f64| full[((full.len() - 1) as f64 * share) as usize];
    let in_time = known.iter().filter(|tick| !slow(tick) && tick.0 >= at(0.5)).count();
    if in_time as f64 > IN_TIME * full.len() as f64 {
        return Err("needs more load: it was slow now and then, and did as much in good time");
    }
    if at(0.5) * floor < LEAST_WORKERS {
        return Err("needs more load: less than one of its workers has been busy");
    }
    let now = known.iter().rev().take(5).filter(slow).count() >= 3;
    Ok(Workers { workers: (at(0.5) * floor).max(1.0), rate: at(0.5), low: at(0.05), high: at(0.95), now })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A closed look at eight workers of 20 ms each: what they answer, and what an answer takes.
    fn ticks(offered: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
        let most = 8.0 / 0.02;
        let tick = |offered: f64| {
            if offered < most {
                (offered, 0.02 / (1.0 - (offered / most).powi(8)).max(0.2))
            } else {
                (most, 0.2)
            }
        };
        offered.into_iter().map(tick).collect()
    }

    #[test]
    fn workers_show_when_all_are_busy() {
        let known = ticks((0..60).map(|tick| f64::from(tick) * 10.0));
        let found = workers(&known).ok().unwrap();
        assert!((found.workers - 8.0).abs() < 1.0, "{}", found.workers);
        assert!(found.now && (found.rate - 400.0).abs() < 20.0, "{}", found.rate);
    }

    #[test]
    fn the_scalability_law_has_a_second_opinion_once_it_bends() {
        // X(N) = 50·N/(1 + 0.03(N - 1) + 0.0005·N(N - 1)): 680 a second at most, with 44 at once.
        let tick = |n: u32| {
            let n = f64::from(n);
            let rate = 50.0 * n / (1.0 + 0.03 * (n - 1.0) + 0.000_5 * n * (n - 1.0));
            (rate, n / rate)
        };
        let bent: Vec<_> = (1..=60).map(tick).collect();
        let found = second_opinion("app", &bent).unwrap();
        assert!((found.value - 680.0).abs() < 5.0 && found.text.contains("44 at once"), "{found:?}");
        let low: Vec<_> = (1..=8).cycle().take(60).map(tick).collect();
        assert_eq!(second_opinion("app", &low), None);
    }

    #[test]
    fn before_that_nothing_is_said() {
        assert!(workers(&ticks((0..60).map(|tick| f64::from(tick) * 4.0))).is_err());
        assert!(workers(&ticks((0..10).map(|_| 500.0))).is_err());
        assert!(workers(&[]).is_err());
    }

    #[test]
    fn an_application_that_is_slow_now_and_then_at_the_same_load_has_no_plateau() {
        // A build beside it, a collection of garbage: a third of the time it takes four times as long.
        let wavering = |rate: f64| -> Vec<_> {
            (0..120).map(|tick| (rate, if tick % 30 < 10 { 0.01 } else { 0.0025 })).collect()
        };
        assert!(workers(&wavering(13.0)).is_err());
        assert!(workers(&wavering(2_000.0)).is_err());
        // Nor has one of which hardly anything is asked, however slow.
        let few = ticks((0..60).map(|tick| f64::from(tick) * 10.0)).into_iter();
        assert!(workers(&few.map(|(rate, took)| (rate / 20.0, took)).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn an_application_that_got_slow_at_low_load_has_no_plateau() {
        // Slow at a tenth of what it could do before.
        let mut known = ticks((0..60).map(|tick| f64::from(tick) * 6.0));
        known.extend((0..20).map(|_| (30.0, 0.5)));
        assert!(workers(&known).is_err());
    }
}
