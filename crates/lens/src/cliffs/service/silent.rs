//! An application that has fallen silent: what nobody answers is in no figure of answers.

use super::Trouble;
use crate::picture::Picture;
use crate::signal;

/// Ticks in which hardly anything was answered.
const SILENT: usize = 5;
/// Seconds that must have been measured to say what is usual.
const LEAST_SECONDS: usize = 30;
/// Answers a second of an application, below which silence may be chance.
const LEAST_RATE: f64 = 2.0;
/// Share of what is usual that hardly anything is.
const HARDLY: f64 = 0.1;
/// Requests that are with it beyond those that usually are, such as streams that stay open.
const LEAST_WAITING: f64 = 5.0;

/// That an application answers hardly anything of what is asked of it, if one does.
pub(super) fn silent(picture: &Picture<'_>) -> Option<Trouble> {
    let applications = picture.store.labels(&signal::UPSTREAM_RATE);
    applications.iter().find_map(|name| of(picture, name))
}

fn of(picture: &Picture<'_>, name: &str) -> Option<Trouble> {
    let rate = usual(picture.windows(&signal::UPSTREAM_RATE, name)).filter(|rate| *rate >= LEAST_RATE)?;
    let now = picture.store.mean(&signal::UPSTREAM_RATE, name, SILENT).unwrap_or(0.0);
    let with = usual(picture.windows(&signal::UPSTREAM_ACTIVE, name))?;
    let waiting = picture.store.latest(&signal::UPSTREAM_ACTIVE, name)? - with;
    (now < HARDLY * rate && waiting >= LEAST_WAITING).then(|| Trouble {
        text: format!(
            "`{name}` answers {now:.1} requests a second, and did answer {rate:.0}: {waiting:.0} wait for it, it seems to hang"
        ),
        application: Some(name.to_owned()),
        broken: true,
    })
}

/// What it mostly was in the last ten minutes: the median. None before half a minute was measured.
fn usual(mut known: Vec<f64>) -> Option<f64> {
    known.retain(|value| value.is_finite());
    if known.len() < LEAST_SECONDS {
        return None;
    }
    known.sort_by(f64::total_cmp);
    Some(known[known.len() / 2])
}
