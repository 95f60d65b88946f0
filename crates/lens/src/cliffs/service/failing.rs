//! Answers that are errors: how many, where, and who says so.

use super::Trouble;
use crate::picture::Picture;
use crate::signal;

/// Share of answers that are errors, from which not all is well.
const FAILING: f64 = 0.05;
/// Share of them that one route has, or that are the application's own, to say so.
const NEARLY_ALL: f64 = 0.8;
/// Share of them that have one reason, to name it.
const MOST: f64 = 0.5;

/// The reasons, as RFC 9209 calls them, that say what to look at.
const REASONS: [(&str, &str); 7] = [
    (
        "connection_refused",
        "there is no connection to the application: it does not run, or not at that address",
    ),
    ("connection_timeout", "connecting to the application takes too long"),
    ("connection_terminated", "the application ends connections without an answer"),
    ("http_response_incomplete", "the application breaks off its answers"),
    ("http_response_timeout", "the application does not answer in time"),
    (
        "destination_unavailable",
        "no server of the application may be asked now: `deepwater status` tells why",
    ),
    ("connection_limit_reached", "they are refused because the application has enough to do"),
];

/// The share of answers that are errors; none without any.
fn errors(picture: &Picture<'_>) -> Option<f64> {
    let all = picture.now(&signal::REQUESTS, "").filter(|rate| *rate > 0.0)?;
    Some((picture.now(&signal::ERRORS, "")? / all).min(1.0))
}

/// Whether so many of the answers of one tick were errors.
pub(super) fn fails(all: f64, errors: f64) -> bool {
    errors >= FAILING * all
}

/// That too many answers are errors, if they are.
pub(super) fn failing(picture: &Picture<'_>) -> Option<Trouble> {
    let share = errors(picture).filter(|share| *share >= FAILING)?;
    let errors = picture.now(&signal::ERRORS, "")?;
    let place = place(picture, errors).map(|route| format!(", nearly all on {route}")).unwrap_or_default();
    let reason = reason(picture, errors).map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(Trouble {
        text: format!("{:.0} % of answers are errors (5xx){place}{reason}", share * 100.0),
        application: application(picture, errors).map(str::to_owned),
        broken: true,
    })
}

/// The application whose routes have nearly all of them.
fn application<'a>(picture: &Picture<'a>, errors: f64) -> Option<&'a str> {
    let of = |name: &str| -> f64 {
        let routes = picture.facts.routes.iter().filter(|route| route.application.as_deref() == Some(name));
        routes.filter_map(|route| picture.now(&signal::ERRORS, &route.name)).sum()
    };
    let names = picture.facts.applications.iter().map(|application| application.name.as_str());
    names.into_iter().find(|name| of(name) >= NEARLY_ALL * errors)
}

/// The route that has nearly all of them, where others are asked for, too.
fn place(picture: &Picture<'_>, errors: f64) -> Option<String> {
    let routes = picture.store.labels(&signal::REQUESTS);
    let asked = |route: &str| picture.now(&signal::REQUESTS, route).is_some_and(|rate| rate > 0.0);
    if routes.iter().filter(|route| !route.is_empty() && asked(route)).count() < 2 {
        return None;
    }
    let of = |route: &str| picture.now(&signal::ERRORS, route).unwrap_or(0.0);
    let route = routes.iter().find(|route| !route.is_empty() && of(route) >= NEARLY_ALL * errors)?;
    Some(format!("`{route}`"))
}

/// Why most of them are.
fn reason(picture: &Picture<'_>, errors: f64) -> Option<String> {
    let reasons = picture.store.labels(&signal::FAILURES);
    let of = |reason: &str| picture.now(&signal::FAILURES, reason).unwrap_or(0.0);
    let own = errors - reasons.iter().map(|reason| of(reason)).sum::<f64>();
    let first = reasons.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
    if let Some(first) = first.filter(|first| of(first) >= MOST * errors) {
        let known = REASONS.iter().find(|(name, _)| *name == &**first);
        return Some(known.map_or_else(|| first.replace('_', " "), |(_, words)| (*words).to_owned()));
    }
    let applications = picture.store.labels(&signal::UPSTREAM_RATE);
    let answered: f64 =
        applications.iter().filter_map(|name| picture.now(&signal::UPSTREAM_RATE, name)).sum();
    (own >= NEARLY_ALL * errors && answered >= own).then(|| "the application itself answers so".to_owned())
}
