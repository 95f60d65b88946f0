//! The cases, read from text.
//!
//! ```text
//! for $SECONDS,$NAME in 1,short | 2,long     one case for each; the last variable takes the rest, commas and all
//! case some-id required [needs client]       required | optimal | check
//! ask [METHOD] [/suffix|?query] [= stored]   a request, and where its answer must come from
//! > Field: value                             of the request; `> body text`
//! < Field: value                             of the origin's answer; must reach whoever it is fetched for
//! ~ Field: value                             the same, but it may be changed on its way
//! < status 404 · < body text · < interim 103 Field: value · < closes · < pauses
//! = status 304 · = body text · = Field: value · = Field · = no Field[: value] · = Field > 30
//! = seen Field: value · = unseen Field: value · = seen method HEAD · = interim 103 Field: value
//! wait                                       until what is fresh for a second is stale
//! ```
//!
//! `{+30}` and `{-30}` are dates so many seconds from now, `{rfc850 -30}` in the old form, `{url}` that of the case.

use std::fmt;

/// How much a case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The standards demand it.
    Required,
    /// A good cache does it.
    Optimal,
    /// It is worth knowing; either is right.
    Check,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::Optimal => "optimal",
            Self::Check => "check",
        })
    }
}

/// What a route must allow for a case to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// Clients' `Cache-Control` counts.
    Client,
    /// Cookies are stored.
    Cookies,
}

#[derive(Debug)]
pub struct Case {
    pub id: String,
    pub kind: Kind,
    pub needs: Needs,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Step {
    Ask(Box<Ask>),
    Wait,
}

/// One request, what its origin says to it, and what must come of it.
#[derive(Debug, Default)]
pub struct Ask {
    pub method: String,
    pub suffix: String,
    pub fields: Vec<(String, String)>,
    pub body: Option<String>,
    pub origin: Reply,
    pub source: Option<Source>,
    pub checks: Vec<Check>,
}

/// What the origin says.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: Option<u16>,
    pub fields: Vec<Sent>,
    pub body: Option<String>,
    pub interim: Vec<(u16, String)>,
    /// Breaks the connection off instead.
    pub closes: bool,
    /// Takes more than a second.
    pub pauses: bool,
}

#[derive(Debug)]
pub struct Sent {
    pub name: String,
    pub value: String,
    /// Whether it must arrive as it is.
    pub exact: bool,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The origin, for this request.
    Fetched,
    /// The cache.
    Stored,
    /// The cache, once the origin has answered 304 to this condition.
    Validated(&'static str),
    /// Nowhere.
    Nothing,
}

#[derive(Debug)]
pub enum Check {
    Status(u16),
    Body(String),
    Is(String, String),
    Has(String),
    Lacks(String, Option<String>),
    MoreThan(String, u64),
    Seen(String, String),
    Unseen(String, String),
    SeenMethod(String),
    Interim(u16, String),
}

/// Reads a file of cases.
///
/// # Panics
/// When a line is not understood.
pub fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (variables, head) = match line.strip_prefix("for ") {
            Some(variables) => (variables, lines.next().expect("a case follows")),
            None => ("", line),
        };
        let mut block = vec![head];
        while let Some(line) = lines.next_if(|line| !line.is_empty()) {
            block.push(line);
        }
        for values in expansions(variables) {
            let filled = block.iter().map(|line| {
                values.iter().fold((*line).to_owned(), |line, (name, value)| line.replace(name, value))
            });
            cases.push(case(&filled.collect::<Vec<_>>()));
        }
    }
    cases
}

/// The values of the variables of each case; one empty list if there are none.
fn expansions(text: &str) -> Vec<Vec<(&str, &str)>> {
    let Some((names, values)) = text.split_once(" in ") else { return vec![Vec::new()] };
    let names: Vec<_> = names.split(',').collect();
    let values = values.split(" | ").map(|tuple| tuple.splitn(names.len(), ','));
    values.map(|tuple| names.iter().copied().zip(tuple).collect()).collect()
}

fn case(lines: &[String]) -> Case {
    let words: Vec<_> = lines[0].split(' ').collect();
    let (id, kind, needs) = match words[..] {
        ["case", id, kind] => (id, kind, Needs::Nothing),
        ["case", id, kind, "needs", "client"] => (id, kind, Needs::Client),
        ["case", id, kind, "needs", "cookies"] => (id, kind, Needs::Cookies),
        _ => panic!("no head of a case: {:?}", lines[0]),
    };
    let kind = match kind {
        "required" => Kind::Required,
        "optimal" => Kind::Optimal,
        "check" => Kind::Check,
        _ => panic!("no such kind: {:?}", lines[0]),
    };
    let mut steps = Vec::new();
    for line in &lines[1..] {
        match (line.split_once(' ').unwrap_or((line, "")), steps.last_mut()) {
            (("ask", rest), _) => steps.push(Step::Ask(Box::new(ask(rest)))),
            (("wait", ""), _) => steps.push(Step::Wait),
            ((">", rest), Some(Step::Ask(ask))) => match rest.strip_prefix("body ") {
                Some(body) => ask.body = Some(body.to_owned()),
                None => ask.fields.push(field(rest)),
            },
            (("<", rest), Some(Step::Ask(ask))) => reply(&mut ask.origin, rest),
            (("~", rest), Some(Step::Ask(ask))) => {
                let (name, value) = field(rest);
                ask.origin.fields.push(Sent { name, value, exact: false });
            }
            (("=", rest), Some(Step::Ask(ask))) => ask.checks.push(check(rest)),
            _ => panic!("not understood in {id}: {line:?}"),
        }
    }
    Case { id: id.to_owned(), kind, needs, steps }
}

fn ask(text: &str) -> Ask {
    let (target, source) = text.split_once("= ").unwrap_or((text, ""));
    let source = match source {
        "" => None,
        "fetched" => Some(Source::Fetched),
        "stored" => Some(Source::Stored),
        "validated etag" => Some(Source::Validated("if-none-match")),
        "validated date" => Some(Source::Validated("if-modified-since")),
        "nothing" => Some(Source::Nothing),
        _ => panic!("no such source: {text:?}"),
    };
    let mut ask = Ask { method: "GET".into(), source, ..Ask::default() };
    for word in target.split_whitespace() {
        let part = if word.starts_with(['/', '?']) { &mut ask.suffix } else { &mut ask.method };
        word.clone_into(part);
    }
    ask
}

fn reply(reply: &mut Reply, text: &str) {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("status", status) => reply.status = Some(number(status)),
        ("body", body) => reply.body = Some(body.to_owned()),
        ("interim", interim) => reply.interim.push(interim_of(interim)),
        ("closes", "") => reply.closes = true,
        ("pauses", "") => reply.pauses = true,
        _ => {
            let (name, value) = field(text);
            reply.fields.push(Sent { name, value, exact: true });
        }
    }
}

fn check(text: &str) -> Check {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("status", status) => Check::Status(number(status)),
        ("body", body) => Check::Body(body.to_owned()),
        ("interim", interim) => {
            let (status, line) = interim_of(interim);
            Check::Interim(status, line)
        }
        ("no", lacking) => match lacking.split_once(": ") {
            Some((name, value)) => Check::Lacks(name.to_owned(), Some(value.to_owned())),
            None => Check::Lacks(lacking.to_owned(), None),
        },
        ("seen", seen) => match seen.strip_prefix("method ") {
            Some(method) => Check::SeenMethod(method.to_owned()),
            None => {
                let (name, value) = field(seen);
                Check::Seen(name, value)
            }
        },
        ("unseen", seen) => {
            let (name, value) = field(seen);
            Check::Unseen(name, value)
        }
        (name, "") => Check::Has(name.to_owned()),
        (name, rest) => match rest.strip_prefix("> ") {
            Some(least) => Check::MoreThan(name.to_owned(), number(least)),
            None => {
                let (name, value) = field(text);
                Check::Is(name, value)
            }
        },
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
    (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
}

fn interim_of(text: &str) -> (u16, String) {
    let (status, line) = text.split_once(' ').unwrap_or((text, ""));
    (number(status), line.to_owned())
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| panic!("no number: {text:?}"))
}
