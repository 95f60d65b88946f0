//! The console of a running Deepwater, as the commands that ask it see it.

use std::time::Duration;

use deepwater_core::config::Secret;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Failure;
use crate::client::Call;

/// Where the console listens unless told otherwise.
const CONSOLE_PORT: u16 = 9_000;

/// Whom to ask.
#[derive(Debug, clap::Args)]
// Its group would have the name of the group of the command it is a part of.
#[group(skip)]
pub(crate) struct Arguments {
    /// The console: `http://127.0.0.1:9000`, or only its address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    console: String,
    /// The console's token: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "SECRET")]
    token: Option<Secret>,
}

/// The console to ask.
pub(crate) struct Console {
    /// `host:port`
    address: String,
    authorization: Option<HeaderValue>,
}

/// What dealings with the console come to.
pub(crate) fn deal<T>(
    arguments: &Arguments,
    dealings: impl AsyncFnOnce(Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let console = Console::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(dealings(console))
}

impl Console {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let authorization = match &arguments.token {
            Some(token) => {
                let token = token
                    .resolve(std::path::Path::new("."))
                    .map_err(|error| Failure::Usage(format!("--token: {error}")))?;
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| Failure::Usage("--token: it has characters a header cannot carry".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self { address: address(&arguments.console)?, authorization })
    }

    /// A page of the API.
    pub(crate) async fn page(&self, path: &str) -> Result<Value, Failure> {
        match self.send(Call::get(&self.address, path)).await? {
            (StatusCode::OK, Some(page)) => Ok(page),
            (status, answer) => Err(self.refusal(path, status, answer.as_ref())),
        }
    }

    /// A page that older consoles do not have; `None` from those.
    pub(crate) async fn newer_page(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.send(Call::get(&self.address, path)).await? {
            (StatusCode::OK, Some(page)) => Ok(Some(page)),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, answer) => Err(self.refusal(path, status, answer.as_ref())),
        }
    }

    /// Gives a command. What the console has against it is told in its own words.
    pub(crate) async fn command(&self, path: &str, what: &Value) -> Result<Value, Failure> {
        self.give(Call::post(&self.address, path, what.to_string())).await
    }

    /// Gives a command that may take so long.
    pub(crate) async fn slow_command(&self, path: &str, within: Duration) -> Result<Value, Failure> {
        self.give(Call { within, ..Call::post(&self.address, path, "{}".into()) }).await
    }

    async fn give(&self, call: Call<'_>) -> Result<Value, Failure> {
        let path = call.path;
        match self.send(call).await? {
            (StatusCode::OK, Some(answer)) => Ok(answer),
            (status, answer) => Err(match sentence(answer.as_ref()) {
                Some(sentence)
                    if matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) =>
                {
                    Failure::Usage(sentence.to_owned())
                }
                // It has no such command: not of this version, or no console at all.
                Some(sentence) if status != StatusCode::NOT_FOUND => Failure::Running(sentence.to_owned()),
                _ => self.refusal(path, status, answer.as_ref()),
            }),
        }
    }

    /// The status, and the body as far as it is JSON.
    async fn send(&self, call: Call<'_>) -> Result<(StatusCode, Option<Value>), Failure> {
        let key = self.authorization.clone().map(|value| (AUTHORIZATION, value));
        let (status, body) = Call { key, ..call }.send().await.map_err(|reason| {
            Failure::Running(format!(
                "no console answers at http://{}: {reason}\n  fix: start Deepwater (deepwater run, deepwater demo), or \
                 give the address of its [console] with --console",
                self.address
            ))
        })?;
        match status {
            StatusCode::UNAUTHORIZED if self.authorization.is_some() => Err(Failure::Usage(format!(
                "the console at http://{} does not accept this token\n  fix: give the one its [console] table names",
                self.address
            ))),
            StatusCode::UNAUTHORIZED => Err(Failure::Usage(format!(
                "the console at http://{} asks for its token\n  fix: --token env:DEEPWATER_TOKEN",
                self.address
            ))),
            status => Ok((status, serde_json::from_slice(&body).ok())),
        }
    }

    /// An answer that a console of this version does not give.
    fn refusal(&self, path: &str, status: StatusCode, answer: Option<&Value>) -> Failure {
        let said = match sentence(answer) {
            Some(sentence) => format!(": {sentence}"),
            None if status.is_success() => ", but not what a console says".to_owned(),
            None => String::new(),
        };
        Failure::Running(format!(
            "http://{}{path} answered {status}{said}\n  fix: check that this is the console's address, not that of the \
             application, and that it is of this version",
            self.address
        ))
    }
}

/// What the console has against what was asked.
fn sentence(answer: Option<&Value>) -> Option<&str> {
    answer.and_then(|answer| answer["error"].as_str())
}

/// What an answer says.
///
/// # Errors
/// It has another shape than this version knows.
pub(crate) fn understood<T: DeserializeOwned>(answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer).map_err(|error| {
        Failure::Running(format!(
            "the console answered something this version does not know: {error}\n  fix: use the `deepwater` of the same \
             version, or --json"
        ))
    })
}

/// JSON for people and programs.
pub(crate) fn pretty(value: &Value) -> String {
    // A JSON value always has a text form.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// `host:port` of what was given as a URL or an address.
fn address(console: &str) -> Result<String, Failure> {
    let usage = |what: &str| {
        Failure::Usage(format!("--console: {what}\n  fix: write it like http://127.0.0.1:{CONSOLE_PORT}"))
    };
    if console.starts_with("https://") {
        return Err(usage("the console speaks HTTP without TLS"));
    }
    let address = console.strip_prefix("http://").unwrap_or(console).trim_end_matches('/');
    let authority: hyper::http::uri::Authority =
        address.parse().map_err(|_| usage(&format!("`{console}` is no address of a console")))?;
    if authority.as_str().contains('@') {
        return Err(usage("a password does not belong there; use --token"));
    }
    match authority.port_u16() {
        Some(_) => Ok(address.to_owned()),
        None if authority.host() == address => Ok(format!("{address}:{CONSOLE_PORT}")),
        None => Err(usage(&format!("`{console}` has no valid port"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_a_url_or_an_address() {
        for (given, meant) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("http://127.0.0.1:9001/", "127.0.0.1:9001"),
            ("localhost:9000", "localhost:9000"),
            ("console.internal", "console.internal:9000"),
            ("[::1]", "[::1]:9000"),
        ] {
            assert_eq!(address(given).ok().as_deref(), Some(meant), "{given}");
        }
        for wrong in
            ["https://127.0.0.1:9000", "", "a b", "127.0.0.1:", "127.0.0.1:99999", "http://me:pw@host:9000"]
        {
            assert!(matches!(address(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }
}
