//! Workers of the application: so many requests it works on at once, and the rest waits inside it, where nobody sees the
//! queue.
//!
//! Their number is not told by anybody. It shows when they are all busy: then more requests with the application take it longer,
//! and it answers no more of them. By Little's law the workers are what it answers then, times what an answer takes
//! when nobody waits.

#[cfg(test)]
mod tests;

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
/// Of the rate at the plateau, from which as much is answered: means of so many ticks.
const SAME: f64 = 0.9;
const SMOOTH: usize = 3;
/// How many times as many requests were with it in the end as at first, while all waited and it answered as much, ...
const GROWN: f64 = 1.5;
/// ... in so many ticks, at least.
const LEAST_FEW: usize = 3;
/// The last ticks, and in how many of them requests must wait for its workers to be busy now.
const NOW: usize = 5;
const LEAST_NOW: usize = 3;
/// One wait in twenty is three times the mean or longer, if waits are exponential.
const TAIL: f64 = 3.0;
/// Ticks over which it is seen how much of the load reaches the application, and the least of it to foretell anything from.
const PASSED_TICKS: usize = 60;
const LEAST_PASSED: f64 = 0.01;
/// Busy workers, below which nobody can have waited for one.
const LEAST_WORKERS: f64 = 0.8;

impl Detector for Concurrency {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let applications = picture.store.labels(&signal::UPSTREAM_RATE);
        applications.iter().filter_map(|name| find(picture, load, name)).collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>, name: &str) -> Option<Finding> {
    let ticks = ticks(picture, name);
    let busy = picture.now(&signal::UPSTREAM_BUSY, name)?;
    let workers = workers(&ticks, picture.target);
    let outlook = match (&workers, load) {
        (Ok(found), Some(load)) => match passed(load, &ticks) {
            Some(passed) => Outlook::AtLoad(Range {
                value: found.rate / passed,
                low: found.low / passed,
                high: found.high / passed,
                confidence: CONFIDENCE,
            }),
            None => Outlook::CannotTell("hardly a request reaches it now".into()),
        },
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
        second_opinion(name, &ticks),
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

/// What it answered in each tick, and what that took; NaN where it is not known. The oldest tick is first, the last is now.
fn ticks(picture: &Picture<'_>, name: &str) -> Vec<(f64, f64)> {
    let series = |signal| picture.windows(signal, name);
    series(&signal::UPSTREAM_RATE).into_iter().zip(series(&signal::UPSTREAM_SECONDS)).collect()
}

/// The ticks in which it answered.
fn known(ticks: &[(f64, f64)]) -> Vec<(f64, f64)> {
    ticks.iter().copied().filter(|(rate, latency)| *rate > 0.0 && latency.is_finite()).collect()
}

/// The share of the load that reaches the application, over the last minute: requests that the cache or the edge answers do
/// not. None while hardly any does.
fn passed(load: &Load, ticks: &[(f64, f64)]) -> Option<f64> {
    let minute = |n: usize| n.saturating_sub(PASSED_TICKS);
    let own: f64 =
        ticks[minute(ticks.len())..].iter().map(|(rate, _)| *rate).filter(|rate| rate.is_finite()).sum();
    let rows = load.rows[minute(load.rows.len())..].iter().map(|row| row.iter().sum::<f64>());
    let all: f64 = rows.filter(|rate| rate.is_finite()).sum();
    let share = own / all;
    (share >= LEAST_PASSED).then_some(share.min(1.0))
}

/// What the scalability law says of the same ticks. It keeps silent about low load.
fn second_opinion(label: &str, ticks: &[(f64, f64)]) -> Option<Evidence> {
    let point = |(rate, latency): &(f64, f64)| Point { n: rate * latency, x: *rate };
    let points: Vec<Point> = known(ticks).iter().map(point).collect();
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

/// Looks for a plateau in (rate, latency) of each tick, the oldest first, the last of now.
fn workers(ticks: &[(f64, f64)], target: f64) -> Result<Workers, &'static str> {
    let known = known(ticks);
    if known.len() < LEAST_TICKS {
        return Err("needs more seconds of load");
    }
    let mut latencies: Vec<f64> = known.iter().map(|(_, latency)| *latency).collect();
    latencies.sort_by(f64::total_cmp);
    let floor = latencies[latencies.len() / 10];
    let slow = |(_, latency): &&(f64, f64)| *latency >= WAITS * floor;
    let mut rates: Vec<f64> = known.iter().map(|(rate, _)| *rate).collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    let highest = rates[LEAST_FULL / 2];
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
    if !grew(&known, WAITS * floor, at(0.5)) {
        return Err("needs more load: it takes longer, and would perhaps answer more if more were asked");
    }
    if at(0.5) * floor < LEAST_WORKERS {
        return Err("needs more load: less than one of its workers has been busy");
    }
    // While answers come in time nobody is in want of a worker, whatever the estimate.
    let wanting = |tick: &&(f64, f64)| slow(tick) && TAIL * (tick.1 - floor) >= target;
    let now = ticks[ticks.len().saturating_sub(NOW)..].iter().filter(wanting).count() >= LEAST_NOW;
    Ok(Workers { workers: (at(0.5) * floor).max(1.0), rate: at(0.5), low: at(0.05), high: at(0.95), now })
}

/// Whether more requests waited with it and more of them brought nothing: some ticks in which it answered about as much as at
/// the plateau (`rate`), and took longer than at the floor, had far fewer with it than most. Otherwise it only takes longer
/// than it did, whatever the reason, and has not shown that it can do no more.
fn grew(known: &[(f64, f64)], slow: f64, rate: f64) -> bool {
    let mean =
        |ticks: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| ticks.iter().map(of).sum::<f64>() / SMOOTH as f64;
    let waiting = known.windows(SMOOTH).filter(|ticks| {
        mean(ticks, |(rate, _)| *rate) >= SAME * rate && mean(ticks, |(_, latency)| *latency) >= slow
    });
    let mut with: Vec<f64> = waiting.map(|ticks| mean(ticks, |(rate, latency)| rate * latency)).collect();
    with.sort_by(f64::total_cmp);
    let most = with.get(with.len() * 3 / 4).copied().unwrap_or(0.0);
    with.iter().filter(|few| **few * GROWN <= most).count() >= LEAST_FEW
}
