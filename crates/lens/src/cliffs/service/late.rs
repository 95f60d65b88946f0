//! Answers that are late, and where the time goes.

use super::failing::fails;
use super::{Trouble, time};
use crate::picture::Picture;
use crate::signal;

/// Times the target that 95 % of answers take, from which they are late.
const LATE: f64 = 2.0;
/// Times what they took at best in the last ten minutes, likewise: if it comes to half of the target at all.
const GROWN: f64 = 3.0;
/// Seconds that must have been measured to say what they took at best.
const LEAST_SECONDS: usize = 30;

/// That answers take far longer than they should, or than they did, if they do.
pub(super) fn late(picture: &Picture<'_>) -> Option<Trouble> {
    let p95 = picture.now(&signal::LATENCY_P95, "")?;
    let target = picture.target;
    let late = if p95 >= LATE * target {
        format!("95 % of answers take {}, and the target is {} (lens.target)", time(p95), time(target))
    } else {
        let mut known = good(picture);
        if known.len() < LEAST_SECONDS {
            return None;
        }
        known.sort_by(f64::total_cmp);
        let floor = known[known.len() / 10];
        if p95 < GROWN * floor || p95 < target / 2.0 {
            return None;
        }
        format!("95 % of answers take {}, and did take {} a while ago", time(p95), time(floor))
    };
    let (application, slowest) = slowest(picture).unzip();
    Some(Trouble { text: late + &slowest.unwrap_or_default(), application, broken: false })
}

/// What 95 % of answers took in each second of the last ten minutes in which they were answers: an error is soon said.
fn good(picture: &Picture<'_>) -> Vec<f64> {
    let windows = |signal| picture.windows(signal, "");
    let answers = windows(&signal::REQUESTS).into_iter().zip(windows(&signal::ERRORS));
    let known = windows(&signal::LATENCY_P95).into_iter().zip(answers);
    let good = known.filter(|(p95, (all, errors))| p95.is_finite() && !fails(*all, *errors));
    good.map(|(p95, _)| p95).collect()
}

/// The application that most requests are with, if it takes its time, and how much of it as a clause.
fn slowest(picture: &Picture<'_>) -> Option<(String, String)> {
    let applications = picture.store.labels(&signal::UPSTREAM_SECONDS);
    let with = |name: &str| picture.now(&signal::UPSTREAM_BUSY, name).unwrap_or(0.0);
    let name = applications.iter().max_by(|a, b| with(a).total_cmp(&with(b)))?;
    let mean = picture.now(&signal::UPSTREAM_SECONDS, name).filter(|mean| *mean >= picture.target / 2.0)?;
    let (took, with) = (time(mean), with(name));
    let clause = format!(": `{name}` answers after {took} on average, {with:.0} requests are with it");
    Some((name.to_string(), clause))
}
