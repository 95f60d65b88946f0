//! `/api/cliffs`, `/api/advice` and `/api/signals`.

use std::sync::Arc;

use deepwater_core::{Call, Endpoint, Reply};
use serde_json::{Value, json};

use super::{Shared, State};
use crate::console::query_value;
use crate::signal;
use crate::store::Span;

/// Points of a series that one answer may have.
const MOST_POINTS: usize = 2_000;

pub(super) fn endpoints(shared: &Arc<Shared>) -> Vec<Endpoint> {
    let (cliffs, signals) = (Arc::clone(shared), Arc::clone(shared));
    let (advice, dismiss, restore) = (Arc::clone(shared), Arc::clone(shared), Arc::clone(shared));
    let about = "Every signal and its newest value; ?name=N&label=L&last=10m for its course";
    vec![
        Endpoint::get("/api/cliffs", "Which scalability cliff is next, and at what load", move || {
            cliffs.read().cliffs.clone()
        }),
        Endpoint::get("/api/advice", "What to switch on next, with its gain and its price", move || {
            advice.read().advice.clone()
        }),
        Endpoint::post_slow(
            "/api/advice/{id}/dismiss",
            "Advice that is not wanted; {\"reason\": \"...\"} is remembered",
            move |call| {
                let shared = Arc::clone(&dismiss);
                async move {
                    match reason(&call.body) {
                        Ok(reason) => decide(shared, &call, Some(reason)).await,
                        Err(what) => Reply::error(400, &what),
                    }
                }
            },
        ),
        Endpoint::post_slow("/api/advice/{id}/restore", "Advice that is wanted after all", move |call| {
            let shared = Arc::clone(&restore);
            async move { decide(shared, &call, None).await }
        }),
        Endpoint {
            method: "GET",
            ..Endpoint::post("/api/signals", about, move |call| signals_page(&signals, &call))
        },
    ]
}

pub(super) fn status(shared: &Arc<Shared>) -> impl Fn() -> Value + Send + Sync + use<> {
    let shared = Arc::clone(shared);
    move || {
        let state = shared.read();
        let cliffs = &state.cliffs;
        let nearest = cliffs.cliffs.first().filter(|first| Some(&first.id) == cliffs.nearest.as_ref());
        json!({
            "summary": cliffs.summary,
            "advice": state.advice.summary,
            "load": cliffs.load,
            "nearest": nearest,
            "cpu": state.store.mean(&signal::LENS_COST, "", 60),
            "bytes": state.store.bytes(),
            "dropped": state.store.dropped(),
        })
    }
}

/// Longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 1_000;

fn reason(body: &[u8]) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        reason: String,
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        format!("the body says why, as in {{\"reason\": \"we shed at the CDN\"}}: {error}")
    })?;
    let reason = body.reason.trim();
    match reason.len() {
        0 => Err("the reason is empty: say why, for whoever asks next year".into()),
        1..=LONGEST_REASON => Ok(reason.to_owned()),
        _ => Err(format!("the reason is longer than {LONGEST_REASON} bytes")),
    }
}

/// What is said where there is no file to keep decisions in.
const NOT_KEPT: &str =
    "until this process ends: nothing is kept beyond that; fix: snapshot = \"lens.state\" in [lens]";
/// What is said where it cannot be written.
const UNWRITTEN: &str =
    "until this process ends: the file of lens.snapshot cannot be written, the log says why";

/// Dismisses advice for a reason, or takes that back; and keeps it, before it is answered.
async fn decide(shared: Arc<Shared>, call: &Call, reason: Option<String>) -> Reply {
    let Some(id) = call.parameters.first() else { return Reply::error(400, "the path must name the advice") };
    let wall = shared.context.clock.wall();
    let dismissed = {
        let State { ledger, advice, .. } = &mut *shared.write();
        match ledger.dismiss(id, reason, wall) {
            Ok(dismissed) => {
                advice.decide(id, dismissed);
                dismissed.cloned()
            }
            Err(what) => return Reply::error(404, &what),
        }
    };
    let remembered = if shared.keep.is_none() {
        NOT_KEPT
    } else {
        let kept = tokio::task::spawn_blocking(move || shared.keep_advice()).await;
        if kept.unwrap_or(false) { "also after a restart" } else { UNWRITTEN }
    };
    Reply::ok(&json!({ "id": id, "dismissed": dismissed, "remembered": remembered }))
}

fn signals_page(shared: &Shared, call: &Call) -> Reply {
    let value = |name| query_value(&call.query, name);
    match value("name") {
        None => Reply::ok(&all(shared)),
        Some(name) => {
            match course(shared, &name, &value("label").unwrap_or_default(), value("last").as_deref()) {
                Ok(course) => Reply::ok(&course),
                Err((status, what)) => Reply::error(status, &what),
            }
        }
    }
}

fn all(shared: &Shared) -> Value {
    let state = shared.read();
    let about = |name: &str| signal::ALL.iter().find(|signal| signal.name == name);
    let rows: Vec<Value> = state
        .store
        .newest()
        .map(|(name, label, value)| {
            let signal = about(name);
            json!({
                "name": name,
                "label": label,
                "value": value,
                "unit": signal.map(|signal| signal.unit),
                "about": signal.map(|signal| signal.about),
            })
        })
        .collect();
    json!({
        "signals": rows,
        "unknown": state.unknown,
        "store": { "bytes": state.store.bytes(), "series": state.store.count(), "dropped": state.store.dropped() },
    })
}

/// One series over time.
fn course(shared: &Shared, name: &str, label: &str, last: Option<&str>) -> Result<Value, (u16, String)> {
    let Some(signal) = signal::ALL.iter().find(|signal| signal.name == name) else {
        return Err((404, format!("there is no signal named `{name}`: see /api/signals")));
    };
    let last = last.unwrap_or("10m");
    let last: deepwater_core::config::Duration =
        last.parse().map_err(|error| (400, format!("`last` is a duration, as in ?last=10m: {error}")))?;
    let seconds = last.get().as_secs().max(1);
    let span = Span::reaching(seconds);
    let points = usize::try_from(seconds.div_ceil(span.seconds())).unwrap_or(usize::MAX).min(span.most());
    let points = shared.read().store.points(signal.name, label, span, points);
    // Long courses are told in fewer points, each the mean of several.
    let fold = points.len().div_ceil(MOST_POINTS).max(1);
    let values: Vec<Option<f64>> = points.chunks(fold).map(mean).collect();
    Ok(json!({
        "name": name,
        "label": label,
        "unit": signal.unit,
        "about": signal.about,
        "seconds": span.seconds() * fold as u64,
        "values": values,
    }))
}

/// The mean of what was measured; none when nothing was.
fn mean(points: &[f64]) -> Option<f64> {
    let known = points.iter().filter(|value| value.is_finite());
    let (sum, count) = known.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
