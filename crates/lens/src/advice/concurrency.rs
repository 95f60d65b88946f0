//! A limit on requests at once, with a waiting room: what comes beyond what the application can do is refused at once, and the
//! rest is answered as fast as ever. Without it, an overload is answered late, all of it, and helps nobody.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, worrying};
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

impl Rule for Concurrency {
    fn technique(&self) -> &'static str {
        "concurrency_limit"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let kinds = [Kind::Concurrency, Kind::Cpu, Kind::Memory, Kind::Locks];
        let near: Vec<&Cliff> = kinds.into_iter().flat_map(|kind| worrying(cliffs, kind)).collect();
        let Some(first) = near.first() else {
            return Verdict::NoNeed("the application is not near its end".into());
        };
        let unlimited: Vec<_> = picture.facts.applications.iter().filter(|known| !known.limited).collect();
        if unlimited.is_empty() {
            return Verdict::NoNeed("every pool of targets has a limit already".into());
        }
        let concerned = unlimited.iter().filter(|known| {
            near.iter().any(|cliff| {
                cliff.resource == known.name || cliff.resource == "machine" || cliff.kind == Kind::Locks
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
    let late = picture.minute(&signal::LATENCY_P95, "").unwrap_or(0.0);
    let usual = picture.minute(&signal::UPSTREAM_SECONDS, application).unwrap_or(0.0);
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
            to: (2.0 * usual).min(late),
            unit: "seconds for 95 % of requests".into(),
            measured: Measured::Signal(&signal::LATENCY_P95, String::new()),
        },
        price: PRICE,
        lines: Some(format!("[pools.{application}]\nconcurrency = {{ limit = \"gradient\" }}\n")),
        elsewhere: None,
        evidence: cliff.evidence.clone(),
        done: Done::Limited { application: application.to_owned() },
    }
}
