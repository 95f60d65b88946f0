//! What the standards say of caches, case by case (RFC 9111 and its relatives).
//!
//! The cases are ours; their ids are those of the public suite at cache-tests.fyi, so that results can be laid beside
//! the ones published there. Every case runs on two routes, all of them at once: one that takes clients at their word
//! and stores cookies, as the suite expects, and one with the defaults, on which some cases make no sense.

mod case;
mod origin;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use case::{Check, Kind, Needs, Source, Step};
use origin::{Run, Seen};
use tokio::task::JoinSet;

use super::pause;
use crate::support::{Deepwater, Ending, LISTEN, Message, pool};

const FILES: [(&str, &str); 10] = [
    ("freshness", include_str!("conformance/freshness.cases")),
    ("status", include_str!("conformance/status.cases")),
    ("directives", include_str!("conformance/directives.cases")),
    ("stale", include_str!("conformance/stale.cases")),
    ("vary", include_str!("conformance/vary.cases")),
    ("conditions", include_str!("conformance/conditions.cases")),
    ("fields", include_str!("conformance/fields.cases")),
    ("invalidation", include_str!("conformance/invalidation.cases")),
    ("partial", include_str!("conformance/partial.cases")),
    ("other", include_str!("conformance/other.cases")),
];

/// Optimal behaviour that this cache does not show, on purpose.
const EXCEPTIONS: [(&str, &str); 3] = [
    (
        "method-POST",
        "answers to POST are not stored: RFC 9110 §9.3.3 allows it, applications do not expect it",
    ),
    (
        "vary-normalise-lang-order",
        "origins prefer the first of equal languages: another order is another answer",
    ),
    ("vary-normalise-lang-select", "which language is best is for the origin to say"),
];

const HONOURED: &str = "honoured.example";
const DEFAULT: &str = "default.example";

/// Longer than what the cases call fresh for a second is fresh.
const LIFETIME: Duration = Duration::from_millis(1_300);

#[tokio::test]
async fn the_standards_are_met() {
    let mut runs = Vec::new();
    let mut topics = Vec::new();
    for (topic, text) in FILES {
        for case in case::read(text) {
            let case = Arc::new(case);
            for host in [HONOURED, DEFAULT] {
                if host == HONOURED || case.needs == Needs::Nothing {
                    let (case, index) = (Arc::clone(&case), runs.len());
                    runs.push(Run { case, host, index, seen: Mutex::default() });
                    topics.push(topic);
                }
            }
        }
    }
    let runs = Arc::new(runs);
    let origin = origin::start(Arc::clone(&runs)).await;
    let route = |host, cache| {
        format!("[[edge.route]]\nmatch = {{ host = \"{host}\" }}\npool = \"app\"\ncache = {cache}\n")
    };
    let honoured = route(HONOURED, "{ honour_client = true, set_cookie = \"keep\" }");
    let routes = honoured + &route(DEFAULT, "true");
    let edge =
        Arc::new(Deepwater::start(&format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))).await);

    let mut results = JoinSet::new();
    for index in 0..runs.len() {
        let (runs, edge) = (Arc::clone(&runs), Arc::clone(&edge));
        results.spawn(async move { (index, follow(&runs[index], &edge).await) });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(result) = results.join_next().await {
        let (index, outcome) = result.unwrap();
        outcomes.insert(index, outcome);
    }
    let faults = report(&runs, &topics, &outcomes);
    assert!(faults.is_empty(), "{} cases fail:\n{}", faults.len(), faults.join("\n"));
}

/// Prints what came of all cases; those that fail and may not.
fn report(runs: &[Run], topics: &[&str], outcomes: &BTreeMap<usize, Result<(), String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for host in [HONOURED, DEFAULT] {
        println!("{host}");
        for (topic, _) in FILES {
            let of_topic = |index: &&Run| index.host == host && topics[index.index] == topic;
            let mut counts = BTreeMap::<Kind, (usize, usize)>::new();
            let mut checks = Vec::new();
            for run in runs.iter().filter(of_topic) {
                let outcome = &outcomes[&run.index];
                let count = counts.entry(run.case.kind).or_default();
                count.0 += usize::from(outcome.is_ok());
                count.1 += 1;
                let id = &run.case.id;
                let exception = EXCEPTIONS.iter().find(|(exception, _)| exception == id);
                match (run.case.kind, outcome, exception) {
                    (Kind::Check, Ok(()), _) => checks.push(format!("{id}: yes")),
                    (Kind::Check, Err(why), _) => checks.push(format!("{id}: no ({why})")),
                    (_, Ok(()), Some(_)) => faults.push(format!("{host} {id} passes: it is no exception")),
                    (_, Err(_), Some((_, reason))) => checks.push(format!("{id}: no: {reason}")),
                    (kind, Err(why), None) => faults.push(format!("{host} {kind} {id}: {why}")),
                    (_, Ok(()), None) => {}
                }
            }
            let counts: Vec<_> =
                counts.iter().map(|(kind, (good, all))| format!("{kind} {good}/{all}")).collect();
            println!("  {topic}: {}", counts.join(", "));
            checks.iter().for_each(|line| println!("    {line}"));
        }
    }
    faults
}

/// Goes through the steps of a case; why it fails.
async fn follow(run: &Run, edge: &Deepwater) -> Result<(), String> {
    let mut client = edge.client().await;
    let mut now_s = 0;
    for (step, todo) in run.case.steps.iter().enumerate() {
        let Step::Ask(ask) = todo else {
            pause(LIFETIME).await;
            continue;
        };
        let mut text = format!("{} {}{} HTTP/1.1\r\n", ask.method, run.path(), ask.suffix);
        text.push_str(&format!("Host: {}\r\nX-Step: {step}\r\n", run.host));
        for (name, value) in &ask.fields {
            text.push_str(&format!("{name}: {}\r\n", run.fill(value, now_s)));
        }
        match &ask.body {
            Some(body) => text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len())),
            None => text.push_str("\r\n"),
        }
        client.send(text).await;
        let answer = client.try_response_to(&ask.method).await;
        let answer = answer.ok_or_else(|| format!("step {step}: the connection ends without an answer"))?;
        now_s = answer.get("x-now").map_or(now_s, |now| now.parse().unwrap());
        verdict(run, step, &answer, now_s)
            .map_err(|why| format!("step {step}: {why} [{}]", answer.all("cache-status").join(", ")))?;
    }
    Ok(())
}

/// Whether an answer is right; if not, why.
fn verdict(run: &Run, step: usize, answer: &Message, now_s: u64) -> Result<(), String> {
    let ask = run.ask(step);
    let heard = run.seen();
    let asked: Vec<_> = heard.iter().filter(|seen| seen.step == step).collect();
    if answer.ending != Ending::Whole {
        return Err("the answer is broken".into());
    }
    if asked.len() > 1 && !ask.origin.closes {
        return Err(format!("the origin was asked {} times", asked.len()));
    }
    let made_by: Option<usize> = answer.get("x-step").map(|step| step.parse().unwrap());
    check_source(ask.source, step, made_by, &asked)?;
    if ask.source.is_some_and(|source| matches!(source, Source::Fetched | Source::Validated(_))) {
        arrived(run, step, asked[0], answer)?;
    }
    let mut status_checked = false;
    let mut body_checked = false;
    for check in &ask.checks {
        status_checked |= matches!(check, Check::Status(_));
        body_checked |= matches!(check, Check::Body(_));
        holds(run, check, answer, &asked, now_s)?;
    }
    let maker = made_by.and_then(|by| heard.iter().find(|seen| seen.step == by));
    if let Some(maker) = maker
        && !status_checked
    {
        let expected = if maker.status == 304 { 200 } else { maker.status };
        equal("status", &answer.status(), &expected)?;
    }
    let bodiless = matches!(answer.status(), 204 | 304) || ask.method == "HEAD";
    if made_by.is_some() && !body_checked && !bodiless && answer.status() != 206 {
        let body = String::from_utf8_lossy(&answer.body);
        let own = ask.source == Some(Source::Fetched);
        let said = |seen: &Seen| (!own || seen.step == step) && seen.status != 304 && seen.body == body;
        if !heard.iter().any(said) {
            return Err(format!("the body is {body:?}"));
        }
    }
    Ok(())
}

fn check_source(
    source: Option<Source>,
    step: usize,
    made_by: Option<usize>,
    asked: &[&Seen],
) -> Result<(), String> {
    let wrong = match source {
        None => return Ok(()),
        Some(Source::Nothing) => made_by.is_some(),
        Some(Source::Stored) => made_by.is_none_or(|by| by >= step),
        Some(Source::Fetched) => made_by != Some(step) || asked.is_empty(),
        Some(Source::Validated(condition)) => {
            let Some(seen) = asked.first() else { return Err("the origin was not asked".into()) };
            if seen.request.get(condition).is_none() || seen.status != 304 {
                return Err(format!("the origin was not asked {condition}: {:?}", seen.request.fields));
            }
            false
        }
    };
    let of = made_by.map_or("nobody".into(), |by| format!("step {by}"));
    if wrong { Err(format!("the answer is of {of}, not {source:?}")) } else { Ok(()) }
}

/// Whether what the origin said for all to see arrived.
fn arrived(run: &Run, step: usize, seen: &Seen, answer: &Message) -> Result<(), String> {
    let exact = run.ask(step).origin.fields.iter().filter(|sent| sent.exact);
    for sent in exact.filter(|sent| !sent.name.eq_ignore_ascii_case("age")) {
        let said: Vec<_> = seen.fields.iter().filter(|(name, _)| *name == sent.name).collect();
        let said: Vec<_> = said.iter().map(|(_, value)| value.trim()).collect();
        equal(&sent.name, &value_of(answer, &sent.name).unwrap_or_default(), &said.join(", "))?;
    }
    Ok(())
}

fn holds(run: &Run, check: &Check, answer: &Message, asked: &[&Seen], now_s: u64) -> Result<(), String> {
    let value = |name: &str| value_of(answer, name);
    let seen = |name: &str| {
        asked.first().map(|seen| value_of(&seen.request, name)).ok_or("the origin was not asked")
    };
    let holds = match check {
        Check::Status(status) => return equal("status", &answer.status(), status),
        Check::Body(body) => return equal("body", &String::from_utf8_lossy(&answer.body).as_ref(), &&**body),
        Check::Is(name, text) => return equal(name, &value(name), &Some(run.fill(text, now_s))),
        Check::Has(name) => value(name).is_some(),
        Check::Lacks(name, text) => {
            value(name).is_none_or(|value| text.as_ref().is_some_and(|t| !value.contains(t)))
        }
        Check::MoreThan(name, least) => {
            value(name).is_some_and(|value| value.parse().is_ok_and(|value: u64| value > *least))
        }
        Check::Seen(name, text) => return equal(name, &seen(name)?.as_deref(), &Some(text)),
        Check::Unseen(name, text) => seen(name)?.as_deref() != Some(text),
        Check::SeenMethod(method) => {
            return equal("method", &asked.first().map(|seen| seen.request.method()), &Some(method));
        }
        Check::Interim(status, line) => answer.interim.iter().any(|head| {
            let (name, text) = line.split_once(": ").unwrap_or_default();
            head.status() == *status && (name.is_empty() || head.all(&name.to_lowercase()) == [text])
        }),
    };
    if holds { Ok(()) } else { Err(format!("not so: {check:?} in {:?}", answer.head)) }
}

fn value_of(message: &Message, name: &str) -> Option<String> {
    let values = message.all(&name.to_ascii_lowercase());
    (!values.is_empty()).then(|| values.join(", "))
}

fn equal<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what} is {got:?}, not {expected:?}")) }
}
