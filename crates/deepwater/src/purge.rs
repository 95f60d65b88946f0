//! `deepwater purge`: has the console of a running Deepwater purge its cache.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::{Failure, print};
use crate::console::{self, deal, pretty, understood};

/// What to purge, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "selectors", required = true, multiple = true, args = ["tag", "url", "prefix", "host", "version", "all"])]
pub(crate) struct Arguments {
    /// What carries this tag: from the route's `tags`, or the response's Surrogate-Key, Cache-Tag or xkey.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// One URL in all its variants: `https://shop.example/a?page=2`, the scheme does not count.
    #[arg(long, value_name = "URL")]
    url: Vec<String>,
    /// Everything below: `shop.example/images/`.
    #[arg(long, value_name = "HOST/PATH")]
    prefix: Vec<String>,
    /// Everything of this host.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Everything of the routes with this `version`: it is counted up.
    #[arg(long, value_name = "NAME")]
    version: Vec<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
    /// Make it stale rather than forget it: it may still be served while it is fetched anew, or on errors.
    #[arg(long)]
    soft: bool,
    #[command(flatten)]
    console: console::Arguments,
    /// Print the console's answer, which is JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Each of --tag, --url, --prefix, --host and --version may be given several times.

Examples:
  deepwater purge --tag product:42 --tag category:7
  deepwater purge --url https://shop.example/products/42 --soft
  deepwater purge --all --console http://10.0.0.5:9000 --token env:DEEPWATER_TOKEN";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let request = arguments.request();
    let answer =
        deal(&arguments.console, async |console| console.command("/api/cache/purge", &request).await)?;
    let text = if arguments.json { pretty(&answer) } else { understood::<Answer>(&answer)?.sentences() };
    print(text.as_bytes())
}

impl Arguments {
    /// What the console is asked to do.
    fn request(&self) -> Value {
        let names = [
            ("tag", &self.tag),
            ("url", &self.url),
            ("prefix", &self.prefix),
            ("host", &self.host),
            ("version", &self.version),
        ];
        let given = names.into_iter().filter(|(_, names)| !names.is_empty());
        let mut request: Map<_, _> = given.map(|(selector, names)| (selector.into(), json!(names))).collect();
        for (switch, on) in [("all", self.all), ("soft", self.soft)] {
            if on {
                request.insert(switch.into(), true.into());
            }
        }
        request.into()
    }
}

/// What the console says it did.
#[derive(Deserialize)]
struct Answer {
    purged: Purged,
    #[serde(default)]
    soft: bool,
    /// The numbers that versions have now.
    #[serde(default)]
    versions: BTreeMap<String, u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Purged {
    tag: Vec<String>,
    url: Vec<String>,
    prefix: Vec<String>,
    host: Vec<String>,
    all: bool,
}

impl Answer {
    /// One for each thing purged.
    fn sentences(&self) -> String {
        let softly = if self.soft { " softly" } else { "" };
        let Purged { tag, url, prefix, host, all } = &self.purged;
        let named = [("tag", tag), ("url", url), ("prefix", prefix), ("host", host)];
        let named = named.into_iter().flat_map(|(selector, names)| {
            names.iter().map(move |name| format!("purged {selector} {name}{softly}\n"))
        });
        let versions = self.versions.iter().map(|(name, number)| format!("version {name} is now {number}\n"));
        let all = all.then(|| format!("purged everything{softly}\n"));
        named.chain(versions).chain(all).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        purge: Arguments,
    }

    fn request(line: &str) -> Result<Value, clap::error::ErrorKind> {
        let words = std::iter::once("purge").chain(line.split(' ').filter(|word| !word.is_empty()));
        Line::try_parse_from(words).map(|line| line.purge.request()).map_err(|error| error.kind())
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        assert_eq!(request("--tag a --tag b"), Ok(json!({ "tag": ["a", "b"] })));
        assert_eq!(request("--all --soft"), Ok(json!({ "all": true, "soft": true })));
        assert_eq!(
            request("--url https://a/b --prefix a/ --host a --version v"),
            Ok(json!({ "url": ["https://a/b"], "prefix": ["a/"], "host": ["a"], "version": ["v"] }))
        );
    }

    #[test]
    fn something_must_be_named() {
        for line in ["", "--soft", "--soft --json --console 127.0.0.1:1"] {
            assert_eq!(request(line), Err(clap::error::ErrorKind::MissingRequiredArgument), "{line}");
        }
    }

    #[test]
    fn a_sentence_for_each_thing_purged() {
        let told = |answer: Value| understood::<Answer>(&answer).ok().map(|answer| answer.sentences());
        let answer = json!({
            "purged": { "all": true, "tag": ["a", "b"], "version": ["pricing"] },
            "soft": false,
            "versions": { "pricing": 4 }
        });
        let expected = "purged tag a\npurged tag b\nversion pricing is now 4\npurged everything\n";
        assert_eq!(told(answer).as_deref(), Some(expected));
        let soft = json!({ "purged": { "host": ["shop.example"] }, "soft": true });
        assert_eq!(told(soft).as_deref(), Some("purged host shop.example softly\n"));
        assert_eq!(told(json!({ "status": "fine" })), None);
    }
}
