//! The `[lens.webhook]` table.

use std::path::Path;

use deepwater_core::config::{Place, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WebhookError;

/// Tells a URL when a cliff's level changes, and when something is wrong with the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Gets a POST with JSON for each change: `{"cliff": {…}, "was": "clear", "is": "near", "at": "2026-01-01T00:00:00Z"}`,
    /// the cliff as in `/api/cliffs`, or of kind `service` when something is wrong with the answers. Any 2xx takes it; else it is posted up to three more times. `http` or `https`;
    /// redirects are not followed. Never shown, since such URLs often hold a password; `"env:NAME"` and `"file:PATH"`
    /// are read.
    pub url: Secret,
    /// Sent as `Authorization: Bearer …`, as `"env:NAME"` or `"file:PATH"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Config {
    /// Reports what the types cannot say.
    pub fn validate(&self, place: &Place<'_>, directory: &Path) {
        match super::check(Some(self), directory) {
            Ok(()) => {}
            Err(WebhookError::Secret { key, source }) => place.at(key).secret_problem(&source),
            Err(WebhookError::Url(what)) => place.at("url").problem_with_fix(what, ADDRESS),
            Err(WebhookError::Token) => place.at("token").problem_with_fix(
                "it has characters a header cannot carry",
                "use letters, digits and punctuation",
            ),
        }
    }
}

const ADDRESS: &str = "write it like \"https://alerts.example/deepwater\"";
