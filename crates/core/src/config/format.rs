//! The kinds of text a value can be: one table, from which come the parser's complaints, the JSON Schema
//! and the reference.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schemars::Schema;

use super::secret::Secret;
use super::units::{Bitrate, Duration, Percent, Size};

/// A text that is not what its type asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default())]
pub struct ParseError {
    /// What is wrong.
    pub what: String,
    /// What to write instead, e.g. `write "10s"`.
    pub fix: Option<String>,
}

impl ParseError {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), fix: None }
    }

    #[must_use]
    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// A string with a grammar, recognised by the `format` of its JSON Schema.
pub(super) struct Format {
    /// The schema's `format`. Ours are not named `duration` and the like: JSON Schema means ISO 8601 by
    /// that, and an editor would refuse `10s`.
    pub(super) name: &'static str,
    /// What the reference calls it.
    pub(super) label: &'static str,
    /// What an error calls it.
    pub(super) noun: &'static str,
    /// How one is written; empty for a kind that needs no explanation.
    pub(super) about: &'static str,
    /// Values to show.
    pub(super) examples: &'static [&'static str],
    /// What an editor can check: ECMA 262 without look-around.
    pub(super) pattern: Option<&'static str>,
    /// Whether a text is one.
    pub(super) check: fn(&str) -> Result<(), ParseError>,
    /// What somebody who wrote a bare integer probably meant.
    pub(super) from_integer: fn(u64) -> Option<String>,
}

pub(super) static FORMATS: [&Format; 8] = [&DURATION, &SIZE, &BITRATE, &PERCENT, &SECRET, &IP, &IPV4, &IPV6];

pub(super) static DURATION: Format = Format {
    name: "human-duration",
    label: "duration",
    noun: "a duration",
    about: "A whole number and a unit: `d`, `h`, `m`, `s`, `ms`, `us`, `ns`; several in a row, the largest first.",
    examples: &["10s", "500ms", "1m30s"],
    pattern: Some("^([0-9]+(d|h|m|s|ms|us|ns))+$"),
    check: check::<Duration>,
    from_integer: |seconds| Some(format!("{seconds}s")),
};

pub(super) static SIZE: Format = Format {
    name: "byte-size",
    label: "size",
    noun: "a size",
    about: "A whole number and a unit: `B`; `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024); `kB`, `MB`, `GB`, `TB` (powers of 1000).",
    examples: &["64KiB", "256MiB", "10MB"],
    pattern: Some("^[0-9]+(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$"),
    check: check::<Size>,
    from_integer: |bytes| Some(Size::from_bytes(bytes).to_string()),
};

pub(super) static BITRATE: Format = Format {
    name: "bit-rate",
    label: "bit rate",
    noun: "a bit rate",
    about: "A whole number of bits per second and a unit: `bit`, `kbit`, `Mbit`, `Gbit` (powers of 1000).",
    examples: &["100Mbit", "1Gbit"],
    pattern: Some("^[0-9]+(bit|kbit|Mbit|Gbit)$"),
    check: check::<Bitrate>,
    from_integer: |bits| Some(Bitrate::from_bits(bits).to_string()),
};

pub(super) static PERCENT: Format = Format {
    name: "percentage",
    label: "percentage",
    noun: "a percentage",
    about: "A number from 0 to 100 with up to four decimals and a percent sign.",
    examples: &["10%", "0.5%"],
    pattern: Some("^[0-9]+(\\.[0-9]{1,4})?%$"),
    check: check::<Percent>,
    from_integer: |percent| (percent <= 100).then(|| format!("{percent}%")),
};

pub(super) static SECRET: Format = Format {
    name: "secret",
    label: "secret",
    noun: "a secret",
    about: "`env:NAME` reads an environment variable, `file:PATH` a file (relative to the configuration file, one line ending dropped); anything else is the secret itself. Never printed.",
    examples: &["env:NAME", "file:PATH"],
    pattern: None,
    check: check::<Secret>,
    from_integer: |_| None,
};

static IP: Format = address::<IpAddr>("ip", "an IP address", &["127.0.0.1", "::1"]);
static IPV4: Format = address::<Ipv4Addr>("ipv4", "an IPv4 address", &["127.0.0.1"]);
static IPV6: Format = address::<Ipv6Addr>("ipv6", "an IPv6 address", &["::1"]);

const fn address<T: FromStr>(
    name: &'static str,
    noun: &'static str,
    examples: &'static [&'static str],
) -> Format {
    Format {
        name,
        label: "IP address",
        noun,
        about: "",
        examples,
        pattern: None,
        check: |text| match text.parse::<T>() {
            Ok(_) => Ok(()),
            Err(_) => Err(ParseError::new(format!("`{text}` is not an IP address of the kind expected"))),
        },
        from_integer: |_| None,
    }
}

fn check<T: FromStr<Err = ParseError>>(text: &str) -> Result<(), ParseError> {
    text.parse::<T>().map(drop)
}

impl Format {
    /// The format a schema names, if it is one of ours.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// The JSON Schema of a type of this format.
    pub(super) fn schema(&self) -> Schema {
        let mut schema = schemars::json_schema!({
            "type": "string",
            "format": self.name,
            "examples": self.examples,
        });
        if let Some(pattern) = self.pattern {
            schema.insert("pattern".to_owned(), pattern.into());
        }
        schema
    }

    /// `a duration such as "10s"`
    pub(super) fn expected(&self) -> String {
        match self.examples.first() {
            Some(example) => format!("{} such as \"{example}\"", self.noun),
            None => self.noun.to_owned(),
        }
    }
}
