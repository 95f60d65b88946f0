//! Memory: what requests under way hold is bounded by how many may be under way; what is never given back is a leak, which
//! needs a restart now and a heap profile for good.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, unsure, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind, Range};
use crate::facts::Application;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Memory;

/// Share of the limit that requests under way may fill.
const FILL: f64 = 0.9;
/// Ticks that must have been measured of both.
const LEAST_TICKS: usize = 60;
/// How much of what memory varies by the requests under way must explain (r²).
const EXPLAINS: f64 = 0.5;
/// Part of the earliest end of a leak, after which to start anew.
const RESTART: f64 = 0.5;

/// Seconds until it is full, below which a restart by the clock is no answer.
const SOON: f64 = 1_800.0;

const LIMIT: Price = Price {
    complexity: "clients see 503 with Retry-After when there is too much of them",
    staleness: "none",
    money: "none",
    operations: "the figure is of today's code: look at it again when requests grow",
};
const LEAK: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "none",
    operations: "a restart by the clock, one instance at a time, until the leak is found",
};

impl Rule for Memory {
    fn technique(&self) -> &'static str {
        "memory"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let (mut found, mut missing) = (Vec::new(), unsure(cliffs, Kind::Memory));
        for cliff in worrying(cliffs, Kind::Memory) {
            match look(picture, cliff) {
                Ok(advice) => found.push(advice),
                Err(why) => missing.push(why),
            }
        }
        Verdict::of(found, &missing, || "memory is far from its limit".into())
    }
}

fn look(picture: &Picture<'_>, cliff: &Cliff) -> Result<Advice, String> {
    if let Some(within) = cliff.within {
        return Ok(if within.value < SOON { soon(cliff, within) } else { leak(cliff, within) });
    }
    let applications = &picture.facts.applications;
    let application = match applications.iter().find(|known| known.name == cliff.resource) {
        Some(application) => application,
        // On a machine with one application it is that one's requests that count.
        None => match &applications[..] {
            [only] => only,
            _ => return Err(format!("{}: which application's requests fill it is not known", cliff.text)),
        },
    };
    if application.limited {
        return Err(format!("{}, and `{}` has a limit already: lower it", cliff.text, application.name));
    }
    let limit = cliff.limit.ok_or_else(|| "how much memory there is is not known".to_owned())?;
    let (signal, label) = if cliff.resource == application.name {
        (&signal::APP_MEMORY, application.name.as_str())
    } else {
        (&signal::MEMORY_USED, "")
    };
    let held =
        held(&picture.windows(&signal::UPSTREAM_BUSY, &application.name), &picture.windows(signal, label))
            .ok_or_else(|| {
                format!("{}: what a request holds of it cannot be told from the rest", cliff.text)
            })?;
    let most = ((FILL * limit - held.base) / held.each).floor();
    if most < 1.0 {
        return Err(format!("{}: what is in use without any request fills it", cliff.text));
    }
    Ok(fixed(cliff, application, held, most as usize))
}

/// What memory is held: without any request, and by each one under way, in bytes.
#[derive(Debug, Clone, Copy)]
struct Held {
    base: f64,
    each: f64,
}

/// By least squares; none when requests hardly decide about it.
fn held(under_way: &[f64], bytes: &[f64]) -> Option<Held> {
    let pairs: Vec<(f64, f64)> = under_way
        .iter()
        .copied()
        .zip(bytes.iter().copied())
        .filter(|(under_way, bytes)| under_way.is_finite() && bytes.is_finite())
        .collect();
    if pairs.len() < LEAST_TICKS {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0 / n, sum.1 + pair.1 / n));
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| f(a - mean.0, b - mean.1)).sum::<f64>();
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    let explains = xy * xy / (xx * yy);
    let each = xy / xx;
    // What is not a number is not enough, either.
    (explains >= EXPLAINS && each > 0.0).then_some(Held { base: mean.1 - each * mean.0, each })
}

fn fixed(cliff: &Cliff, application: &Application, held: Held, most: usize) -> Advice {
    let name = &application.name;
    let mib = held.each / 1_048_576.0;
    Advice {
        id: format!("memory:{name}"),
        technique: "memory",
        title: format!("at most {most} requests at once with `{name}`"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: format!(
                "each request under way holds {mib:.2} MiB: with {most} of them memory is at {:.0} %, and no further",
                FILL * 100.0
            ),
            from: cliff.used,
            to: None,
            unit: "bytes".into(),
            measured: Measured::Signal(&signal::APP_MEMORY, name.clone()),
        },
        price: LIMIT,
        lines: Some(Lines::FixedLimit { application: name.clone(), most }.to_string()),
        elsewhere: None,
        evidence: cliff.evidence.clone(),
        done: Done::Limited { application: name.clone() },
    }
}

/// What fills up within minutes.
fn soon(cliff: &Cliff, within: Range) -> Advice {
    let who = if cliff.resource == "machine" { "the program that grows" } else { &cliff.resource };
    Advice {
        title: format!("restart {who} before its memory is full, and see first what it holds"),
        elsewhere: Some(
            "`top -o RES` tells which program grows. Take a heap profile while it lasts (node --heapsnapshot-signal, tracemalloc, \
             jemalloc's or pprof's heap profile), then restart it, one instance at a time. A limit (systemd: MemoryMax=) has the kernel \
             end that program rather than another, such as the database"
                .into(),
        ),
        price: Price { operations: "a restart now, and again until it is found what grows", ..LEAK },
        ..leak(cliff, within)
    }
}

fn leak(cliff: &Cliff, within: Range) -> Advice {
    let hours = within.low * RESTART / 3_600.0;
    let after =
        if hours >= 2.0 { format!("{hours:.0} hours") } else { format!("{:.0} minutes", hours * 60.0) };
    Advice {
        id: format!("memory:leak:{}", cliff.resource),
        technique: "memory",
        title: format!("a restart every {after} until the leak is found"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "memory begins anew before it is full".into(),
            from: Some(within.value),
            to: None,
            unit: "seconds until it is full".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: LEAK,
        lines: None,
        elsewhere: Some(
            "systemd: RuntimeMaxSec= and Restart=always, instances at different times; gunicorn: --max-requests with \
             --max-requests-jitter. Then take two heap profiles an hour apart and compare what has grown (node \
             --heapsnapshot-signal, tracemalloc, jemalloc's or pprof's heap profile). Deepwater's targets drain while one \
             restarts: its health check takes it out"
                .into(),
        ),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::{SECONDS, Scene};
    use crate::cliffs::Level;

    const MIB: f64 = 1_048_576.0;

    /// 100 MiB, and 8 for each request under way; 1 GiB there is.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.application("app");
        let under_way = |second: usize| (second % 60) as f64;
        scene.each(&signal::UPSTREAM_BUSY, "app", (0..SECONDS).map(under_way));
        scene.each(
            &signal::APP_MEMORY,
            "app",
            (0..SECONDS).map(|second| (100.0 + 8.0 * under_way(second)) * MIB),
        );
        scene.cliff(Kind::Memory, "app", Level::Near, Some(1_000.0)).limit = Some(1_024.0 * MIB);
        scene
    }

    #[test]
    fn as_many_requests_as_fit_may_be_under_way() {
        let advice = scene().advised(&Memory);
        // (0.9 · 1024 − 100) / 8
        assert!(advice[0].lines.as_ref().unwrap().contains("max = 102"), "{:?}", advice[0].lines);
        assert!(advice[0].gain.text.contains("8.00 MiB"), "{}", advice[0].gain.text);
    }

    #[test]
    fn a_leak_gets_a_restart_in_time() {
        let mut scene = scene();
        scene.cliffs.cliffs[0].within =
            Some(Range { value: 36_000.0, low: 28_800.0, high: 50_000.0, confidence: 0.9 });
        let advice = scene.advised(&Memory);
        assert!(advice[0].title.contains("every 4 hours"), "{}", advice[0].title);
        assert_eq!(advice[0].lines, None);
    }

    #[test]
    fn what_requests_do_not_explain_is_not_computed_with() {
        let mut scene = scene();
        scene.each(&signal::UPSTREAM_BUSY, "app", (0..SECONDS).map(|second| (second * 7 % 13) as f64));
        assert!(scene.cannot_tell(&Memory).contains("cannot be told"));
        scene.facts.applications[0].limited = true;
        assert!(scene.cannot_tell(&Memory).contains("lower it"));
        scene.cliffs.cliffs.clear();
        assert!(scene.no_need(&Memory).contains("far from"));
    }
}
