//! A limit on requests at once, with a waiting room: what comes beyond what the application can do is refused at once, and the
//! rest is answered as fast as ever. Without it, an overload is answered late, all of it, and helps nobody.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, uses_machine, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct Concurrency;

const PRICE: Price = Price {
    complexity: "clients see 503 with Retry-After when there is too much of them",
    staleness: "none",
    money: "none",
    operations: "one more thing that can refuse requests: watch deepwater_edge_upstream_shed_total",
};

/// Latency of 95 % over its mean where nothing queues: that of independent service times is 3, of steady ones 1.
const WITHOUT_QUEUE: f64 = 3.0;

impl Rule for Concurrency {
    fn technique(&self) -> &'static str {
        "concurrency_limit"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        // What fits into memory is a fixed limit: see `memory`.
        let kinds = [Kind::Concurrency, Kind::Cpu, Kind::Locks];
        let near: Vec<&Cliff> = kinds.into_iter().flat_map(|kind| worrying(cliffs, kind)).collect();
        let Some(first) = near.first() else {
            return Verdict::NoNeed("the application is not near its end".into());
        };
        let unlimited: Vec<_> = picture.facts.applications.iter().filter(|known| !known.limited).collect();
        if unlimited.is_empty() {
            return Verdict::NoNeed("every pool of targets has a limit already".into());
        }
        let concerned = unlimited.iter().filter(|known| {
            // Cores that others use are not given back by refusing requests.
            let machine = uses_machine(picture, &known.name) != Some(false);
            near.iter().any(|cliff| {
                cliff.resource == known.name
                    || (cliff.resource == "machine" && machine)
                    || cliff.kind == Kind::Locks
            })
        });
        let advice: Vec<Advice> = concerned
            .map(|known| {
                let cliff = near.iter().find(|cliff| cliff.resource == known.name).unwrap_or(first);
                advise(picture, cliff, &known.name)
            })
            .collect();
        if advice.is_empty() {
            Verdict::NoNeed("what is near is not the application's".into())
        } else {
            Verdict::Advise(advice)
        }
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff, application: &str) -> Advice {
    let late = picture.minute(&signal::LATENCY_P95, "");
    // Before it waits: the floor of the last ten minutes, which a tenth of the seconds were below.
    let floor = floor(picture, application);
    Advice {
        id: format!("concurrency_limit:{application}"),
        technique: "concurrency_limit",
        title: format!("a limit on requests at once for `{application}`"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "beyond its capacity the application keeps answering as fast as before, and what is too much is refused at once"
                .into(),
            from: late,
            to: late.zip(floor).map(|(late, floor)| (WITHOUT_QUEUE * floor).min(late)),
            unit: "seconds for 95 % of requests".into(),
            measured: Measured::Signal(&signal::LATENCY_P95, String::new()),
        },
        price: PRICE,
        lines: Some(Lines::Limit { application: application.to_owned() }.to_string()),
        elsewhere: None,
        evidence: cliff.evidence.clone(),
        done: Done::Limited { application: application.to_owned() },
    }
}

/// The latency of an application that is not at its end; none before a minute was measured.
fn floor(picture: &Picture<'_>, application: &str) -> Option<f64> {
    let mut known = picture.windows(&signal::UPSTREAM_SECONDS, application);
    known.retain(|seconds| seconds.is_finite());
    known.sort_by(f64::total_cmp);
    (known.len() >= 60).then(|| known[known.len() / 10])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.application("app");
        scene.all(&signal::LATENCY_P95, "", 2.0);
        scene.all(&signal::UPSTREAM_SECONDS, "app", 0.05);
        scene
    }

    #[test]
    fn an_application_at_its_end_gets_a_limit() {
        let mut scene = scene();
        scene.cliff(Kind::Concurrency, "app", Level::Near, Some(400.0));
        let advice = scene.advised(&Concurrency);
        assert_eq!(advice[0].id, "concurrency_limit:app");
        assert_eq!(advice[0].gain.from, Some(2.0));
        assert!((advice[0].gain.to.unwrap() - 0.15).abs() < 1e-6, "{:?}", advice[0].gain);
    }

    #[test]
    fn one_with_a_limit_or_far_from_its_end_needs_none() {
        let mut scene = scene();
        assert!(scene.no_need(&Concurrency).contains("not near"));
        scene.cliff(Kind::Concurrency, "app", Level::Over, Some(400.0));
        scene.facts.applications[0].limited = true;
        assert!(scene.no_need(&Concurrency).contains("already"));
    }

    #[test]
    fn another_resource_of_somebody_else_is_no_reason() {
        let mut scene = scene();
        scene.cliff(Kind::Cpu, "other", Level::Near, Some(400.0));
        assert!(scene.no_need(&Concurrency).contains("not the application"));
        scene.cliff(Kind::Cpu, "machine", Level::Near, Some(400.0));
        scene.advised(&Concurrency);
        scene.all(&signal::CPU_BUSY, "", 2.0);
        scene.all(&signal::APP_CPU, "app", 0.1);
        assert!(scene.no_need(&Concurrency).contains("not the application"));
    }
}
