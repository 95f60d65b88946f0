//! Requests that come again on routes that do not cache, and whether a cache would store what answers them.

use std::time::Duration;

use deepwater_cache::rules::{self, Policy, Times};
use http::Method;

use crate::cache::unix_ms;
use crate::head::{Fields, Name, Request, Response};
use crate::http1::framing::Framing;
use crate::measure::{RepeatMetrics, RouteMetrics, Storing};
use crate::repeats::{LIFETIME_S, Repeats};
use crate::worker::Worker;

use super::passage::Passage;

/// Of so many requests that come again, the answer of one is judged.
const JUDGED_EVERY: u32 = 128;
const LIFETIME: Duration = Duration::from_secs(LIFETIME_S as u64);

/// A request that has come again, and whose answer is judged.
pub(super) struct Repeated(Fields);

impl Repeated {
    /// Notes a request; some if its answer is to be judged. Boxed, since that is rare.
    pub fn of(passage: &Passage<'_>, request: &Request) -> Option<Box<Self>> {
        if request.method != Method::GET || passage.framing != Framing::Empty {
            return None;
        }
        let now = passage.tally.started;
        let repeats = passage.route().repeats.get_or_init(|| Repeats::new(now));
        let seen = repeats.note(now, request.authority(), request.target())?;
        if passage.authorized || request.fields.get_known(Name::Authorization).is_some() {
            return None;
        }
        let (registry, name) = (&passage.worker.context.metrics, &passage.route().name);
        let metrics = passage.local.routes[passage.at.0]
            .repeats
            .get_or_init(|| RepeatMetrics::register(registry, name));
        if !seen.again {
            metrics.first.add(seen.weight);
            return None;
        }
        metrics.again.add(seen.weight);
        if let Some(left) = metrics.until_judged.get().checked_sub(1) {
            metrics.until_judged.set(left);
            return None;
        }
        metrics.until_judged.set(JUDGED_EVERY - 1);
        Some(Box::new(Self(request.fields.clone())))
    }

    /// Notes what a cache would do with its answer.
    pub fn judge(&self, worker: &Worker, metrics: &RouteMetrics, response: &Response) {
        if let Some(metrics) = metrics.repeats.get() {
            metrics.judged(storing(&self.0, response, unix_ms(worker.context.clock.wall())));
        }
    }
}

/// Whether `cache = true` would store an answer to a GET with these fields, or a lifetime beside it.
fn storing(asked: &Fields, response: &Response, now_ms: u64) -> Storing {
    let times = Times { sent_ms: now_ms, received_ms: now_ms };
    let lifetime_ms = |policy: &Policy| {
        let asked = rules::Request { method: &Method::GET, fields: asked };
        let told = rules::Response { status: response.status.as_u16(), fields: &response.fields };
        rules::store(asked, told, policy, times).map_or(0, |storable| storable.meta.lifetime_ms)
    };
    let enough = u64::from(LIFETIME_S) * 1_000;
    match lifetime_ms(&Policy::default()) {
        lifetime if lifetime >= enough => Storing::AsIs,
        0 => match lifetime_ms(&Policy { default_ttl: Some(LIFETIME), ..Policy::default() }) {
            lifetime if lifetime >= enough => Storing::WithLifetime,
            _ => Storing::Never,
        },
        _ => Storing::Briefly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cache_would_do_with_an_answer() {
        let of = |asked: &[(&str, &str)], told: &[(&str, &str)]| {
            let response = Response { fields: Fields::of(told), ..Response::default() };
            storing(&Fields::of(asked), &response, 1_700_000_000_000)
        };
        let control = |value| [("Cache-Control", value)];
        assert_eq!(of(&[], &control("max-age=300")), Storing::AsIs);
        assert_eq!(of(&[], &control("max-age=5")), Storing::Briefly);
        assert_eq!(of(&[], &[("Content-Type", "text/html")]), Storing::WithLifetime);
        assert_eq!(of(&[], &control("private, max-age=300")), Storing::Never);
        assert_eq!(of(&[], &control("no-store")), Storing::Never);
        assert_eq!(of(&[], &[("Set-Cookie", "a=b")]), Storing::Never);
        // Nobody has looked whether the page is personal.
        assert_eq!(of(&[("Cookie", "session=1")], &[("Content-Type", "text/html")]), Storing::Never);
        assert_eq!(of(&[("Cookie", "session=1")], &control("max-age=300")), Storing::AsIs);
    }
}
