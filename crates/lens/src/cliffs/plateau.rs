//! How much a link carries that does not say it: what it carried while it was full.
//!
//! It was full where what was sent stayed the same while answers took far longer to be sent. That they took longer to be
//! made (the application's own time) does not count: then something else was full.

use crate::picture::Picture;
use crate::signal::{self, Signal};
use crate::store::Span;

/// Points looked at: ten seconds each, six hours.
const POINTS: usize = 2_160;
/// Of the highest point, above which a point is on the plateau.
const FLAT: f64 = 0.97;
/// Points on the plateau, and below it, for it to be one.
const LEAST: usize = 6;
/// How many times as long as without a queue it takes to send an answer while the link is full.
const WAITS: f64 = 2.0;

/// Bytes per second; none when the link was not full.
pub(super) fn learned(picture: &Picture<'_>) -> Option<f64> {
    let points = |signal: &Signal| picture.store.points(signal.name, "", Span::TenSeconds, POINTS);
    let sent =
        points(&signal::NET_SENT).into_iter().zip(points(&signal::SENT)).map(|(all, own)| all.max(own));
    let took = points(&signal::LATENCY);
    let made = mean_made(picture);
    let sending = took.into_iter().zip(made).map(|(took, made)| (took - made).max(0.0));
    let known = sent.zip(sending).filter(|(sent, sending)| *sent > 0.0 && sending.is_finite());
    plateau(&known.collect::<Vec<_>>())
}

/// The application's own time for an answer, in each point: of all pools of targets by how much each answered, spread over
/// all answers, as some are not from the application.
fn mean_made(picture: &Picture<'_>) -> Vec<f64> {
    let points =
        |signal: &Signal, label: &str| picture.store.points(signal.name, label, Span::TenSeconds, POINTS);
    let mut made = vec![0.0; POINTS];
    for name in picture.store.labels(&signal::UPSTREAM_RATE) {
        let times = points(&signal::UPSTREAM_SECONDS, &name);
        let work =
            points(&signal::UPSTREAM_RATE, &name).into_iter().zip(times).map(|(rate, time)| rate * time);
        made.iter_mut().zip(work).filter(|(_, work)| work.is_finite()).for_each(|(made, work)| *made += work);
    }
    let rates = points(&signal::REQUESTS, "");
    made.into_iter().zip(rates).map(|(made, rate)| if rate > 0.0 { made / rate } else { 0.0 }).collect()
}

/// In (bytes per second, seconds to send an answer) of each point.
fn plateau(known: &[(f64, f64)]) -> Option<f64> {
    let highest = known.iter().map(|(sent, _)| *sent).fold(0.0, f64::max);
    let (mut on, below): (Vec<_>, Vec<_>) =
        known.iter().copied().partition(|(sent, _)| *sent >= FLAT * highest);
    if on.len() < LEAST || below.len() < LEAST {
        return None;
    }
    let mut times: Vec<f64> = below.into_iter().map(|(_, sending)| sending).collect();
    times.sort_by(f64::total_cmp);
    let usual = times[times.len() / 2];
    on.retain(|(_, sending)| *sending >= WAITS * usual && *sending > 0.0);
    if on.len() < LEAST {
        return None;
    }
    let mut full: Vec<f64> = on.into_iter().map(|(sent, _)| sent).collect();
    full.sort_by(f64::total_cmp);
    Some(full[full.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::facts::Facts;
    use crate::store::Store;

    /// Twenty minutes in which the load rises to twice what 10 MB/s carry; `made` is the application's time at a load.
    fn learned_from(carries: f64, made: impl Fn(f64) -> f64) -> Option<f64> {
        let (mut store, facts, limits) = (Store::new(1 << 22), Facts::default(), Limits::default());
        for second in 0..1_200 {
            // 100 KB each: 100 a second fill the link.
            let offered = f64::from(second) / 6.0;
            let rate = offered.min(carries);
            let made = made(offered);
            let waits = if offered > 100.0 && carries <= 100.0 { 0.5 } else { 0.0 };
            store.put(&signal::REQUESTS, "", rate);
            store.put(&signal::SENT, "", rate * 1e5);
            store.put(&signal::LATENCY, "", made + 0.01 + waits);
            store.put(&signal::UPSTREAM_RATE, "app", rate);
            store.put(&signal::UPSTREAM_SECONDS, "app", made);
            store.pass(1);
        }
        let picture = Picture { store: &store, facts: &facts, limits: &limits, target: 0.1, seed: 7 };
        learned(&picture)
    }

    #[test]
    fn a_link_that_was_full_is_known() {
        let speed = learned_from(100.0, |_| 0.02).expect("it was full");
        assert!((speed / 1e7 - 1.0).abs() < 0.02, "{speed}");
    }

    #[test]
    fn an_application_that_is_full_is_no_link_that_is() {
        // Its answers take longer to be made, and no longer to be sent.
        assert_eq!(learned_from(101.0, |offered| if offered > 101.0 { 0.8 } else { 0.02 }), None);
    }

    #[test]
    fn a_link_that_carries_all_that_comes_is_not_known() {
        assert_eq!(learned_from(1e9, |_| 0.02), None);
        assert_eq!(plateau(&[]), None);
        // The same all the time: nothing to compare with.
        assert_eq!(plateau(&[(1e7, 0.5); 100]), None);
    }
}
