//! What the lens says, as the commands show it: cliffs and advice, in words that fit into a table.

use std::time::Duration;

use serde::Deserialize;

use crate::table::{bytes, count, lasting, latency};

/// `/api/cliffs`, as far as it is shown.
#[derive(Deserialize, Clone, Debug, Default)]
pub(crate) struct Cliffs {
    pub load: Option<Load>,
    pub nearest: Option<String>,
    /// What is wrong with the answers, whatever a cliff says.
    #[serde(default)]
    pub trouble: Option<String>,
    pub summary: String,
    pub cliffs: Vec<Cliff>,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Load {
    pub value: f64,
    pub unit: String,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Cliff {
    pub id: String,
    pub kind: String,
    pub resource: String,
    pub level: Level,
    pub at: Option<At>,
    pub within: Option<Within>,
    pub used: Option<f64>,
    pub limit: Option<f64>,
    pub unit: String,
    pub text: String,
}

/// How near a cliff is.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Clear,
    Watch,
    Near,
    Over,
    /// It cannot be told, or a newer console tells something else.
    #[serde(other)]
    Unknown,
}

/// The load at which a cliff is reached.
#[derive(Deserialize, Clone, Copy, Debug)]
pub(crate) struct At {
    pub load: f64,
    pub low: f64,
    pub high: f64,
}

/// Seconds until it is.
#[derive(Deserialize, Clone, Copy, Debug)]
pub(crate) struct Within {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// `/api/advice`, as far as it is shown.
#[derive(Deserialize, Clone, Debug, Default)]
pub(crate) struct Advised {
    pub summary: String,
    pub advice: Vec<Advice>,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Advice {
    pub title: String,
    pub gain: Gain,
    pub price: Price,
    pub lines: Option<String>,
    pub elsewhere: Option<String>,
    pub dismissed: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Gain {
    pub text: String,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Price {
    pub complexity: String,
    pub staleness: String,
    pub money: String,
    pub operations: String,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Clear => "clear",
            Self::Watch => "watch",
            Self::Near => "near",
            Self::Over => "over",
        }
    }

    /// Whether somebody should look at it.
    pub(crate) fn is_worth_a_look(self) -> bool {
        !matches!(self, Self::Unknown | Self::Clear)
    }
}

impl Cliffs {
    /// The whole in a sentence.
    pub(crate) fn verdict(&self) -> String {
        told(&self.summary)
    }

    /// The one that comes first.
    pub(crate) fn nearest(&self) -> Option<&Cliff> {
        self.cliffs.iter().find(|cliff| Some(&cliff.id) == self.nearest.as_ref())
    }
}

impl Cliff {
    /// `connection pool`
    pub(crate) fn kind(&self) -> String {
        self.kind.replace('_', " ")
    }

    /// `2.5 of 4 connections`
    pub(crate) fn in_use(&self) -> String {
        match (self.used, self.limit) {
            (Some(used), Some(limit)) => {
                format!("{} of {}", bare(used, &self.unit, limit), amount(limit, &self.unit))
            }
            (Some(used), None) => amount(used, &self.unit),
            (None, _) => "–".into(),
        }
    }

    /// `410/s (360–470)`, `in 3 d 0 h (2 d 7 h – 4 d 15 h)`, or `–`.
    pub(crate) fn reached(&self) -> String {
        match (self.at, self.within) {
            (Some(At { load, low, high }), _) => {
                format!("{}/s ({}–{})", number(load), number(low), number(high))
            }
            (None, Some(Within { value, low, high })) => {
                format!("in {} ({} – {})", time(value), time(low), time(high))
            }
            (None, None) => "–".into(),
        }
    }
}

impl Advised {
    /// What to do next.
    pub(crate) fn first(&self) -> Option<&Advice> {
        self.advice.iter().find(|advice| advice.dismissed.is_none())
    }

    /// The first advice with its gain, its price and its lines; or that there is none.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Some(Advice { title, gain, price, lines, elsewhere, .. }) = self.first() else {
            return vec![told(&self.summary)];
        };
        let Price { complexity, staleness, money, operations } = price;
        let mut text = vec![format!("Do next: {}", clean(title))];
        for (term, words) in [
            ("gain", &gain.text),
            ("complexity", complexity),
            ("staleness", staleness),
            ("money", money),
            ("operations", operations),
        ] {
            text.push(format!("  {term:<12}{}", clean(words)));
        }
        let configuration =
            lines.iter().flat_map(|lines| lines.lines()).map(|line| format!("  | {}", clean(line)));
        text.extend(configuration);
        text.extend(elsewhere.iter().map(|elsewhere| format!("  {}", sentence(elsewhere))));
        text
    }
}

/// A summary as a sentence; the lens needs a few seconds before it has one.
fn told(summary: &str) -> String {
    if summary.is_empty() { "Nothing is known yet.".into() } else { format!("{}.", sentence(summary)) }
}

/// A clause of the console as a sentence without its end.
pub(crate) fn sentence(clause: &str) -> String {
    let mut rest = clause.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    clean(&format!("{first}{}", rest.as_str()))
}

/// Names come from databases and files: none may command the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `3.4 GiB`, `250/s`, `4 connections`
pub(crate) fn amount(value: f64, unit: &str) -> String {
    match unit.strip_suffix("per second") {
        Some(what) if what.trim() == "bytes" => format!("{}/s", bytes(value.max(0.0) as u64)),
        Some(_) => format!("{}/s", number(value)),
        None => match unit {
            "bytes" => bytes(value.max(0.0) as u64),
            "seconds" => latency(Some(value * 1e3)),
            "ratio" => format!("{} %", number(value * 100.0)),
            unit => format!("{} {unit}", number(value)).trim_end().to_owned(),
        },
    }
}

/// A part of a whole that is told with its unit.
fn bare(value: f64, unit: &str, whole: f64) -> String {
    let measured = ["bytes", "seconds", "ratio"].contains(&unit) || unit.ends_with("per second");
    match measured {
        true => amount(value, unit),
        // Of two cores, a tenth of one matters; of a thousand files it does not.
        false if whole < 100.0 => number(value),
        false => number(value.round()),
    }
}

/// `0`, `0.12`, `9.9`, `12`, `4,120`
pub(crate) fn number(value: f64) -> String {
    let rounded =
        if value.abs() < 1.0 { (value * 100.0).round() / 100.0 } else { (value * 10.0).round() / 10.0 };
    match rounded {
        value if !value.is_finite() => "–".into(),
        value if value.abs() < 10.0 => format!("{}", value + 0.0),
        value if value < 0.0 => format!("-{}", count(-value.round() as u64)),
        value => count(value.round() as u64),
    }
}

fn time(seconds: f64) -> String {
    lasting(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A cliff as `/api/cliffs` tells it.
    pub(crate) fn cliff(id: &str, level: &str, rest: &Value) -> Value {
        let (kind, resource) = id.split_once(':').unwrap();
        let mut cliff = json!({
            "id": id, "kind": kind, "resource": resource, "level": level, "since": "2026-01-01T00:00:00Z",
            "state": "forecast", "at": null, "within": null, "headroom": null, "used": null, "limit": null,
            "unit": "connections", "text": "it ends", "evidence": []
        });
        for (key, value) in rest.as_object().unwrap() {
            cliff[key] = value.clone();
        }
        cliff
    }

    /// `/api/cliffs` with one of each kind.
    pub(crate) fn cliffs() -> Value {
        let pool = json!({
            "at": { "load": 410.0, "low": 360.0, "high": 470.0, "confidence": 0.9 }, "used": 2.5, "limit": 4.0
        });
        let summary = "the pool of `shop` is exhausted at 410 req/s (360–470); you are at 250 req/s";
        let memory = json!({
            "within": { "value": 259_200.0, "low": 200_000.0, "high": 400_000.0, "confidence": 0.9 },
            "used": 1.8e9, "limit": 4e9, "unit": "bytes"
        });
        json!({
            "load": { "value": 250.0, "unit": "requests per second" },
            "nearest": "connection_pool:shop/web",
            "summary": summary,
            "cliffs": [
                cliff("connection_pool:shop/web", "watch", &pool),
                cliff("memory:app", "near", &memory),
                cliff("cpu:machine", "clear", &json!({ "used": 0.4, "limit": 2.0, "unit": "cores" })),
                cliff("network:link", "unknown", &json!({ "used": 369_844.0, "unit": "bytes per second" })),
            ]
        })
    }

    /// `/api/advice` with one that was dismissed, and one that was not.
    pub(crate) fn advice() -> Value {
        let advice = |title: &str, dismissed: Value| {
            json!({
                "id": "pool_size:shop", "technique": "pool_size", "title": title, "why": "so", "cliff": null,
                "gain": { "text": "twice the load", "from": 1.0, "to": 2.0, "unit": "per second" },
                "price": { "complexity": "none", "staleness": "none", "money": "some memory", "operations": "none" },
                "lines": "[postgres.databases.shop]\npool_size = 12\n", "elsewhere": null, "evidence": [],
                "dismissed": dismissed
            })
        };
        let dismissed = json!({ "reason": "no", "at": "2026-01-01T00:00:00Z" });
        json!({
            "summary": "12 connections for `shop`: twice the load",
            "advice": [advice("another", dismissed), advice("12 connections for `shop`", Value::Null)],
            "considered": [], "applied": []
        })
    }

    #[test]
    fn cliffs_fit_into_a_table() {
        let cliffs = Cliffs::deserialize(cliffs()).unwrap();
        assert_eq!(cliffs.nearest().map(Cliff::kind).as_deref(), Some("connection pool"));
        let rows: Vec<_> = cliffs.cliffs.iter().map(|cliff| (cliff.in_use(), cliff.reached())).collect();
        let expected = [
            ("2.5 of 4 connections", "410/s (360–470)"),
            ("1.7 GiB of 3.7 GiB", "in 3 d 0 h (2 d 7 h – 4 d 15 h)"),
            ("0.4 of 2 cores", "–"),
            ("361 KiB/s", "–"),
        ];
        assert_eq!(rows, expected.map(|(used, reached)| (used.to_owned(), reached.to_owned())));
        assert!(cliffs.cliffs[0].level.is_worth_a_look() && !cliffs.cliffs[3].level.is_worth_a_look());
        assert_eq!(Level::deserialize(json!("beyond")).unwrap(), Level::Unknown);
    }

    #[test]
    fn the_first_advice_is_told_with_its_price_and_its_lines() {
        let advised = Advised::deserialize(advice()).unwrap();
        let expected = "\
Do next: 12 connections for `shop`
  gain        twice the load
  complexity  none
  staleness   none
  money       some memory
  operations  none
  | [postgres.databases.shop]
  | pool_size = 12";
        assert_eq!(advised.lines().join("\n"), expected);
        let nothing = Advised { summary: "you need nothing now".into(), advice: Vec::new() };
        assert_eq!(nothing.lines(), ["You need nothing now."]);
        assert_eq!(Advised::default().lines(), ["Nothing is known yet."]);
    }

    #[test]
    fn numbers_and_names_are_for_people() {
        let numbers = [0.0, -0.001, 0.123, 9.87, 9.96, 12.4, 4_123.0, -20.0, f64::NAN].map(number);
        assert_eq!(numbers, ["0", "0", "0.12", "9.9", "10", "12", "4,123", "-20", "–"]);
        assert_eq!(amount(0.25, "ratio"), "25 %");
        assert_eq!(amount(-1.0, "bytes"), "0 B");
        assert_eq!(sentence("the \x1b[31mpool"), "The \u{fffd}[31mpool");
        assert_eq!(sentence(""), "");
    }
}
