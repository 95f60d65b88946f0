//! A pool in numbers: its status and its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use deepwater_core::Context;
use deepwater_core::metrics::Sink;

use super::Pool;
use super::control::Control;
use super::member::Member;
use crate::rotation::Rotation;
use crate::status::{CheckStatus, NameStatus, PoolStatus, TargetStatus};
use crate::target::TargetId;

pub(super) fn status(control: &Control, rotation: &Rotation, now: u64) -> PoolStatus {
    let weights: BTreeMap<TargetId, f64> =
        rotation.ids.iter().copied().zip(rotation.weights.iter().copied()).collect();
    let names = control.lookups().iter().map(|(name, lookup)| NameStatus {
        name: name.clone(),
        addresses: lookup.addresses.iter().map(ToString::to_string).collect(),
        error: lookup.error.clone(),
    });
    PoolStatus {
        name: control.name().to_owned(),
        balance: control.spec().balance,
        panic: control.panic(),
        available: control.members().iter().filter(|member| member.is_available()).count(),
        targets: control.members().iter().map(|member| target_status(member, &weights, now)).collect(),
        names: names.collect(),
    }
}

fn target_status(member: &Member, weights: &BTreeMap<TargetId, f64>, now: u64) -> TargetStatus {
    let (target, load) = (&member.target, &member.target.load);
    let (state, reason) = member.state();
    let (successes, failures, cancelled) = (load.successes(), load.failures(), load.cancelled());
    TargetStatus {
        id: target.id,
        name: target.name.clone(),
        address: target.endpoint.to_string(),
        state,
        reason,
        since: rfc3339(member.since),
        weight: target.weight(),
        effective_weight: weights.get(&target.id).copied().unwrap_or(0.0),
        in_flight: load.in_flight(),
        requests: successes + failures + cancelled,
        failures,
        cancelled,
        consecutive_failures: load.consecutive_failures(),
        latency_ms: load.mean().map(|nanos| nanos / 1e6),
        ejections: member.ejections.total,
        ejected_for_seconds: member.ejections.until.map(|until| until.saturating_sub(now) as f64 / 1e9),
        check: member.last_check.as_ref().map(|(at, report)| CheckStatus {
            at: rfc3339(*at),
            healthy: report.healthy,
            detail: report.detail.clone(),
            failing: report.failing.clone(),
            latency_ms: report.latency.as_secs_f64() * 1e3,
            passed_in_a_row: member.series.passed_in_a_row,
            failed_in_a_row: member.series.failed_in_a_row,
        }),
    }
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Adds the pool to what a scrape shows, for as long as the pool lives.
pub(super) fn register(pool: &Arc<Pool>, context: &Context) {
    let pool = Arc::downgrade(pool);
    context.metrics.collect(move |sink| {
        if let Some(pool) = pool.upgrade() {
            collect(&pool.control(), sink);
        }
    });
}

fn collect(control: &Control, sink: &mut Sink) {
    let pool = ("pool", control.name());
    sink.gauge(
        "deepwater_upstream_pool_panic",
        "1 while unavailable targets are used too, because nearly all are.",
        &[pool],
        f64::from(u8::from(control.panic())),
    );
    for member in control.members() {
        let (target, load) = (&member.target, &member.target.load);
        let address = target.endpoint.to_string();
        let labels = [pool, ("target", target.name.as_str()), ("address", address.as_str())];
        let (successes, failures, cancelled) = (load.successes(), load.failures(), load.cancelled());
        sink.gauge(
            "deepwater_upstream_target_up",
            "1 while the target is available: not unhealthy, ejected or draining.",
            &labels,
            f64::from(u8::from(member.is_available())),
        );
        sink.gauge(
            "deepwater_upstream_target_in_flight",
            "Requests under way.",
            &labels,
            f64::from(load.in_flight()),
        );
        sink.counter(
            "deepwater_upstream_target_requests_total",
            "Requests ended in any way.",
            &labels,
            successes + failures + cancelled,
        );
        sink.counter(
            "deepwater_upstream_target_failures_total",
            "Requests the target failed.",
            &labels,
            failures,
        );
        sink.counter(
            "deepwater_upstream_target_ejections_total",
            "Times the target was ejected.",
            &labels,
            member.ejections.total,
        );
        if let Some(nanos) = load.mean() {
            sink.gauge(
                "deepwater_upstream_target_latency_seconds",
                "Mean latency of the last sixteen successes or so.",
                &labels,
                nanos / 1e9,
            );
        }
    }
}
