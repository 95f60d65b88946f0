//! Work behind the user's back: what takes seconds, or waits for services elsewhere, is accepted with 202 and done from a
//! queue. Deepwater has no queue yet, so the advice says how to do it without.
//!
//! What a service elsewhere takes is not seen from here. What is neither the application's CPU nor its database's time is the
//! most it can be.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, evidence, worrying};
use crate::cliffs::{Cliffs, Kind};
use crate::facts::Route;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Asynchronous;

/// Seconds for 95 % of requests, from which nobody should have to wait.
const SLOW: f64 = 2.0;
/// Seconds that neither CPU nor database accounts for, from which somebody else is waited for.
const ELSEWHERE: f64 = 0.2;
/// Requests a second, below which a route is asked for too little to judge.
const LEAST_RATE: f64 = 0.1;
/// Of one core for each core there is: an application that uses more may be slow for want of it.
const BUSY: f64 = 0.8;
/// Times what an answer takes at best, from which requests queue inside the application.
const QUEUES: f64 = 2.0;
/// Requests with it at once, on average, up to which hardly one waits for another, were there but one worker.
const ALONE: f64 = 1.0;
/// Times as many with it at one time as at another that it takes to see that they do not wait for each other.
const VARIED: f64 = 2.0;
/// Seconds that must have been measured to say so.
const LEAST_SECONDS: usize = 30;

const PRICE: Price = Price {
    complexity: "the answer comes later: clients ask for it or are told; work may be done twice and must bear that",
    staleness: "results show when they are done, seconds later",
    money: "a queue and workers",
    operations: "the queue's length is one more thing to watch, and a place for what failed for good",
};

impl Rule for Asynchronous {
    fn technique(&self) -> &'static str {
        "asynchronous_work"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for route in &picture.facts.routes {
            let Some(application) = &route.application else { continue };
            match look(picture, cliffs, route, application) {
                Ok(advice) => found.extend(advice),
                Err(why) => missing.push(why),
            }
        }
        Verdict::of(found, &missing, || {
            "no route takes longer than 2 s, nor 200 ms beyond what its CPU and its database take".into()
        })
    }
}

fn look(
    picture: &Picture<'_>,
    cliffs: &Cliffs,
    route: &Route,
    application: &str,
) -> Result<Option<Advice>, String> {
    let name = &route.name;
    let of = |signal| picture.minute(signal, name);
    let (Some(rate), Some(mean), Some(p95)) =
        (of(&signal::REQUESTS), of(&signal::LATENCY), of(&signal::LATENCY_P95))
    else {
        return Ok(None);
    };
    if rate < LEAST_RATE || (p95 < SLOW && mean < ELSEWHERE) {
        return Ok(None);
    }
    let queues = [Kind::Concurrency, Kind::Cpu, Kind::ConnectionPool, Kind::Locks];
    if queues.into_iter().any(|kind| worrying(cliffs, kind).next().is_some()) {
        return Err(format!("{name} is slow, and something else is near its end: see to that first"));
    }
    waits_for_itself(picture, application).map_err(|why| format!("{name} is slow, {why}"))?;
    let known = |signal| {
        picture.minute(signal, application).ok_or_else(|| {
            format!("{name} is slow, and whether its application computes is not known: its process is not seen from here")
        })
    };
    let cpu = known(&signal::APP_CPU)?;
    let requests = known(&signal::UPSTREAM_RATE)?.max(f64::MIN_POSITIVE);
    let cores = picture.store.latest(&signal::CPU_CORES, "").unwrap_or(1.0);
    let computing = cpu / requests;
    let pools = picture.store.labels(&signal::POOL_BUSY);
    let in_database: f64 =
        pools.iter().filter_map(|pool| picture.minute(&signal::POOL_BUSY, pool)).sum::<f64>() / requests;
    let elsewhere = mean - computing - in_database;
    if cpu >= BUSY * cores || elsewhere < ELSEWHERE {
        return Ok(None);
    }
    let evidence = [
        evidence(picture, &signal::LATENCY_P95, name, |p95| format!("95 % are answered within {p95:.1} s")),
        evidence(picture, &signal::LATENCY, name, |mean| format!("{:.0} ms on average", mean * 1e3)),
        evidence(picture, &signal::APP_CPU, application, |cpu| {
            format!("the application uses {cpu:.2} cores: {:.0} ms for each request", computing * 1e3)
        }),
    ];
    Ok(Some(Advice {
        id: format!("asynchronous_work:{name}"),
        technique: "asynchronous_work",
        title: format!("accept {name} at once and do it later, if nobody needs the result to go on"),
        why: format!(
            "{:.0} ms of its {:.0} ms are neither the application's CPU nor its database: it waits for something elsewhere",
            elsewhere * 1e3,
            mean * 1e3
        ),
        cliff: None,
        gain: Gain {
            text: format!(
                "users wait for the 202 alone, and {:.1} requests less at a time wait inside the application",
                rate * elsewhere
            ),
            from: Some(p95),
            to: None,
            unit: "seconds for 95 % of requests".into(),
            measured: Measured::Signal(&signal::LATENCY_P95, name.clone()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(
            "answer 202 with a Location to ask at, and put the work into a queue: a table of PostgreSQL read with FOR UPDATE \
             SKIP LOCKED does for hundreds a second. Where the caller may repeat itself, set `idempotency = true` on the route. \
             A route that is slow by design (a long poll, a stream) needs none of it: dismiss this"
                .into(),
        ),
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::NotSeen,
    }))
}

/// Whether requests wait for each other inside the application, which looks like a wait for something elsewhere.
///
/// # Errors
/// They do, or it cannot be told.
fn waits_for_itself(picture: &Picture<'_>, application: &str) -> Result<(), String> {
    let rates = picture.windows(&signal::UPSTREAM_RATE, application);
    let latencies = picture.windows(&signal::UPSTREAM_SECONDS, application);
    let known = rates.into_iter().zip(latencies);
    let known: Vec<(f64, f64)> = known.filter(|(rate, latency)| *rate > 0.0 && latency.is_finite()).collect();
    if known.len() < LEAST_SECONDS {
        return Err("and whether something queues shows with more seconds of load".into());
    }
    // A tenth of the ticks is below the first, a tenth above the second.
    let ends = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[values.len() / 10], values[values.len() - 1 - values.len() / 10])
    };
    let (best, worst) = ends(known.iter().map(|(_, latency)| *latency).collect());
    let (few, many) = ends(known.iter().map(|(rate, latency)| rate * latency).collect());
    if worst >= QUEUES * best {
        return Err(format!(
            "but its application takes {:.0} ms now and then: it queues, rather than wait for something elsewhere",
            best * 1e3
        ));
    }
    if many > ALONE && many < VARIED * few {
        return Err(format!(
            "and whether requests wait for a free worker or for something elsewhere cannot be told: some {many:.0} of them are \
             with the application all the time"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::{SECONDS, Scene};
    use crate::cliffs::Level;

    /// Two requests a second of three seconds each, one tenth of a second of them CPU.
    fn scene(mean: f64) -> Scene {
        let mut scene = Scene::new();
        scene.route("export", "app");
        scene.all(&signal::REQUESTS, "export", 2.0);
        scene.all(&signal::LATENCY, "export", mean);
        scene.all(&signal::LATENCY_P95, "export", 1.5 * mean);
        scene.all(&signal::APP_CPU, "app", 0.2);
        // Now one a second, now three: each takes as long.
        let rates = (0..SECONDS).map(|second| if second / 30 % 2 == 0 { 1.0 } else { 3.0 });
        scene.each(&signal::UPSTREAM_RATE, "app", rates);
        scene.all(&signal::UPSTREAM_SECONDS, "app", mean);
        scene.all(&signal::CPU_CORES, "", 4.0);
        scene
    }

    #[test]
    fn a_queue_is_no_wait_for_something_elsewhere() {
        // Four workers of 50 ms: 80 a second for as many clients as there are, and never more or less.
        let mut queue = scene(7.0);
        queue.all(&signal::REQUESTS, "export", 80.0);
        queue.all(&signal::UPSTREAM_RATE, "app", 80.0);
        queue.cliff(Kind::Concurrency, "app", Level::Unknown, None);
        assert!(queue.cannot_tell(&Asynchronous).contains("some 560 of them"));
        // It began in time.
        queue.each(&signal::UPSTREAM_SECONDS, "app", (0..SECONDS).map(|second| 0.05 + second as f64 / 30.0));
        assert!(queue.cannot_tell(&Asynchronous).contains("it queues"));
        queue.each(&signal::UPSTREAM_SECONDS, "app", []);
        assert!(queue.cannot_tell(&Asynchronous).contains("more seconds of load"));
    }

    #[test]
    fn what_waits_for_others_is_done_later() {
        let advice = scene(3.0).advised(&Asynchronous);
        assert!(advice[0].why.contains("2900 ms of its 3000 ms"), "{}", advice[0].why);
        assert!(advice[0].gain.text.contains("5.8 requests"), "{}", advice[0].gain.text);
        assert_eq!((advice[0].gain.to, advice[0].lines.as_ref()), (None, None));
    }

    #[test]
    fn what_is_quick_computes_or_asks_its_database_is_not() {
        assert!(scene(0.1).no_need(&Asynchronous).contains("no route takes longer"));
        let mut computes = scene(3.0);
        computes.all(&signal::APP_CPU, "app", 3.9);
        assert!(computes.no_need(&Asynchronous).contains("no route"));
        let mut asks = scene(3.0);
        asks.all(&signal::POOL_BUSY, "shop/app", 5.7);
        assert!(asks.no_need(&Asynchronous).contains("no route"));
    }

    #[test]
    fn when_something_queues_or_is_not_seen_it_cannot_be_told() {
        let mut queues = scene(3.0);
        queues.cliff(Kind::Concurrency, "app", Level::Over, None);
        assert!(queues.cannot_tell(&Asynchronous).contains("see to that first"));
        let mut unseen = scene(3.0);
        unseen.each(&signal::APP_CPU, "app", []);
        assert!(unseen.cannot_tell(&Asynchronous).contains("not seen"));
    }
}
