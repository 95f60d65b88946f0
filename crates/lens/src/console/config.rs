//! The `[console]` table.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

use deepwater_core::config::{Place, Secret};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::guard::reachable_by_others;

/// The console: dashboard, administration API and metrics on an address of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the dashboard, the API, `/metrics`, `/healthz` and `/readyz`. Port 0 takes a free
    /// one, `"off"` opens nothing. Off loopback a `token` is required.
    pub listen: Listen,
    /// What callers must show as `Authorization: Bearer …` or enter in the browser, as `"env:NAME"` or
    /// `"file:PATH"`. Without it, whoever can reach the address may read and command. `/healthz` and
    /// `/readyz` never ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Config {
    /// Reports what the types cannot say. Relative paths start at `directory`.
    pub fn validate(&self, place: &Place<'_>, directory: &Path) {
        if let Listen::At(address) = self.listen
            && reachable_by_others(address)
            && self.token.is_none()
        {
            place.at("listen").problem_with_fix(
                format!("other machines can reach {address}, and the console has no token"),
                "set `token = \"env:DEEPWATER_TOKEN\"`, or listen on \"127.0.0.1:9000\"",
            );
        }
        if let Some(token) = &self.token
            && self.listen != Listen::Off
            && let Err(error) = token.resolve(directory)
        {
            place.at("token").secret_problem(&error);
        }
    }
}

/// Where the console listens. Written `"127.0.0.1:9000"`, `"localhost:9000"`, `"[::1]:9000"` or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Listen {
    /// Nowhere.
    Off,
    /// On one address.
    At(SocketAddr),
}

impl Default for Listen {
    fn default() -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 9_000)))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = match text.strip_prefix("localhost:") {
            Some(port) => format!("{}:{port}", Ipv4Addr::LOCALHOST),
            None => text.to_owned(),
        };
        address.parse().map(Self::At).map_err(|_| {
            format!("`{text}` is no address to listen on; write it like \"127.0.0.1:9000\", or \"off\"")
        })
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl JsonSchema for Listen {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }

    fn schema_id() -> Cow<'static, str> {
        concat!(module_path!(), "::Listen").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["127.0.0.1:9000", "[::1]:9000", "off"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_core::config::{Checker, Document, undocumented};

    #[test]
    fn an_address_or_off() {
        assert_eq!(Config::default().listen.to_string(), "127.0.0.1:9000");
        for (written, meant) in [
            ("off", "off"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:9000", "[::1]:9000"),
            ("0.0.0.0:9000", "0.0.0.0:9000"),
        ] {
            assert_eq!(written.parse::<Listen>().unwrap().to_string(), meant);
        }
        for wrong in ["9000", "example.org:9000", "127.0.0.1", "127.0.0.1:99999", ""] {
            assert!(wrong.parse::<Listen>().unwrap_err().contains("127.0.0.1:9000"), "{wrong}");
        }
    }

    #[test]
    fn a_console_others_can_reach_needs_a_token() {
        let problems = |config: Config| {
            let checker = Checker::without_document();
            config.validate(&checker.at("console"), Path::new("."));
            checker.finish().map_err(|problems| problems.to_string())
        };
        let open = Config { listen: "0.0.0.0:9000".parse().unwrap(), token: None };
        let message = problems(open.clone()).unwrap_err();
        assert!(message.contains("console.listen") && message.contains("token"), "{message}");
        let token = |token: &str| Some(token.parse().unwrap());
        assert_eq!(problems(Config { token: token("long and random"), ..open.clone() }), Ok(()));
        let message = problems(Config { token: token("file:/no/such/file"), ..open.clone() }).unwrap_err();
        assert!(message.contains("console.token") && message.contains("/no/such/file"), "{message}");
        assert_eq!(problems(Config::default()), Ok(()));
    }

    #[test]
    fn every_key_is_documented_and_faults_are_told_with_their_place() {
        assert_eq!(undocumented::<Config>(), Vec::<String>::new());
        let decode = |text: &str| Document::parse(text, "deepwater.toml").unwrap().decode::<Config>();
        assert_eq!(decode("listen = \"off\"").unwrap().listen, Listen::Off);
        for wrong in ["listen = \"nowhere\"", "listen = 9000", "lisen = \"off\""] {
            let message = decode(wrong).unwrap_err().to_string();
            assert!(message.starts_with("deepwater.toml:1: "), "{message}");
        }
        assert!(decode("listen = \"nowhere\"").unwrap_err().to_string().contains("127.0.0.1:9000"));
    }
}
