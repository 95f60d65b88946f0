//! How a plane offers its pages and commands to the console without either knowing the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

/// One call from the console's API.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Values of the `{names}` in the endpoint's path, in order, percent-decoded.
    pub parameters: Vec<String>,
    /// The query string without `?`.
    pub query: String,
    /// The request body, at most a mebibyte.
    pub body: Vec<u8>,
}

/// The answer to a call: a status and a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// JSON body.
    pub body: Value,
}

impl Reply {
    /// 200 with a value.
    pub fn ok(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(body) => Self { status: 200, body },
            Err(error) => Self::error(500, &format!("the value cannot be written as JSON: {error}")),
        }
    }

    /// A failure in a sentence that says what to do.
    pub fn error(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "error": message }) }
    }
}

/// The future of a reply.
pub type Replying = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A page or command of a plane, mounted by the console.
#[derive(Clone)]
pub struct Endpoint {
    /// `GET` reads; `POST` changes.
    pub method: &'static str,
    /// Path with `{names}` for its parameters, such as `/api/edge/pools`.
    pub path: &'static str,
    /// One line for the API's own index.
    pub about: &'static str,
    /// Does it.
    pub call: Arc<dyn Fn(Call) -> Replying + Send + Sync>,
}

impl Endpoint {
    /// A page that reads a snapshot.
    pub fn get<T: Serialize>(
        path: &'static str,
        about: &'static str,
        read: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        let call = move |_: Call| -> Replying {
            let reply = Reply::ok(&read());
            Box::pin(async move { reply })
        };
        Self { method: "GET", path, about, call: Arc::new(call) }
    }

    /// A command that is done at once.
    pub fn post(
        path: &'static str,
        about: &'static str,
        act: impl Fn(Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let call = move |call: Call| -> Replying {
            let reply = act(call);
            Box::pin(async move { reply })
        };
        Self { method: "POST", path, about, call: Arc::new(call) }
    }

    /// A command that takes its time.
    pub fn post_slow<F: Future<Output = Reply> + Send + 'static>(
        path: &'static str,
        about: &'static str,
        act: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { method: "POST", path, about, call: Arc::new(move |call| Box::pin(act(call))) }
    }
}
