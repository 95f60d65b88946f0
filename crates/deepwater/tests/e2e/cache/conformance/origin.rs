//! The origin of the cases: it looks up what to say, and remembers what it heard and said.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::case::{Ask, Case, Source, Step};
use crate::cache::pause;
use crate::support::{Message, Origin};

/// A case on one of the routes.
pub struct Run {
    pub case: Arc<Case>,
    /// The host of the route.
    pub host: &'static str,
    /// Its place among all, and in its URL.
    pub index: usize,
    pub seen: Mutex<Vec<Seen>>,
}

/// A request the origin got.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The step it is of.
    pub step: usize,
    pub request: Message,
    /// What was said to it, when it was no breaking off.
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Run {
    pub fn path(&self) -> String {
        format!("/cases/{}", self.index)
    }

    pub fn ask(&self, step: usize) -> &Ask {
        match &self.case.steps[step] {
            Step::Ask(ask) => ask,
            Step::Wait => panic!("{}: step {step} asks nothing", self.case.id),
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A text with its dates and URL filled in.
    pub fn fill(&self, text: &str, now_s: u64) -> String {
        let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
        let (name, after) = rest.split_once('}').unwrap_or_else(|| panic!("no closing brace: {text:?}"));
        let filled = match name {
            "url" => format!("http://{}{}", self.host, self.path()),
            _ => match name.strip_prefix("rfc850 ") {
                Some(offset) => rfc850(&date(now_s, offset)),
                None => date(now_s, name),
            },
        };
        format!("{before}{filled}{after}")
    }

    /// What is said to a request: the answer, and what to remember of it.
    fn reply(&self, step: usize, request: Message) -> (String, Seen) {
        let ask = self.ask(step);
        let now_s = unix_s();
        let reply = &ask.origin;
        let mut fields: Vec<_> =
            reply.fields.iter().map(|sent| (sent.name.clone(), self.fill(&sent.value, now_s))).collect();
        let validated = matches!(ask.source, Some(Source::Validated(_))) && self.is_current(&request);
        let status = if validated { 304 } else { reply.status.unwrap_or(200) };
        let body = reply.body.clone().unwrap_or_else(|| format!("{} {} {step}", self.index, self.case.id));
        fields.push(("X-Step".into(), step.to_string()));
        fields.push(("X-Now".into(), now_s.to_string()));

        let has = |name: &str| fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let bodiless = matches!(status, 204 | 304) || ask.method == "HEAD";
        let mut text: String = reply.interim.iter().map(interim).collect();
        text.push_str(&format!("HTTP/1.1 {status} Whatever\r\n"));
        fields.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        let chunked = has("transfer-encoding");
        if !bodiless && !chunked && !has("content-length") {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        match (bodiless, chunked) {
            (true, _) => {}
            (false, true) => text.push_str(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())),
            (false, false) => text.push_str(&body),
        }
        (text, Seen { step, request, status, fields, body })
    }

    /// Whether a request asks for a change of what was said last only, and there is none.
    fn is_current(&self, request: &Message) -> bool {
        let seen = self.seen.lock().unwrap();
        let said = |name: &str| {
            let fields = seen.iter().rev().flat_map(|seen| &seen.fields);
            fields.clone().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let matches = |condition: &str, validator: &str| {
            request.get(condition).is_some_and(|value| said(validator).is_some_and(|said| said == value))
        };
        matches("if-none-match", "etag") || matches("if-modified-since", "last-modified")
    }
}

/// The origin of all these.
pub async fn start(runs: Arc<Vec<Run>>) -> Origin {
    Origin::scripted(move |mut visit| {
        let runs = Arc::clone(&runs);
        async move {
            while let Some(request) = visit.request().await {
                let index = request.target().split(['/', '?']).nth(2).and_then(|index| index.parse().ok());
                let run = runs.get::<usize>(index.expect("the index of a case")).expect("a case");
                let step = request.get("x-step").and_then(|step| step.parse().ok()).expect("a step");
                let reply = &run.ask(step).origin;
                if reply.pauses {
                    pause(Duration::from_millis(1_200)).await;
                }
                let (text, seen) = run.reply(step, request);
                run.seen.lock().unwrap().push(seen);
                if reply.closes {
                    return;
                }
                visit.send(text).await;
            }
        }
    })
    .await
}

fn interim((status, line): &(u16, String)) -> String {
    let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
    format!("HTTP/1.1 {status} Interim\r\n{line}\r\n")
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn date(now_s: u64, offset: &str) -> String {
    let offset = offset.parse().unwrap_or_else(|_| panic!("no offset: {offset:?}"));
    let at = now_s.checked_add_signed(offset).expect("a date after 1970");
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(date: &str) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let parts: Vec<_> = date.split(' ').collect();
    let day = DAYS.iter().find(|day| parts[0].starts_with(&day[..3])).expect("a day");
    format!("{day}, {}-{}-{} {} GMT", parts[1], parts[2], &parts[3][2..], parts[4])
}
