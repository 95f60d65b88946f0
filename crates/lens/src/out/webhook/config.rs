//! The `[lens.webhook]` table.

use deepwater_core::config::{Place, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells a URL when a cliff's level changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Gets a POST with JSON for each change: `{"cliff": {…}, "was": "clear", "is": "near", "at": "2026-01-01T00:00:00Z"}`,
    /// the cliff as in `/api/cliffs`. Any 2xx takes it; else it is posted up to three more times. `http` or `https`;
    /// redirects are not followed. Never shown, since such URLs often hold a password; `"env:NAME"` and `"file:PATH"`
    /// are read.
    pub url: Secret,
    /// Sent as `Authorization: Bearer …`, as `"env:NAME"` or `"file:PATH"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

impl Config {
    /// Reports what the types cannot say. What is behind `env:` and `file:` shows at the start.
    pub fn validate(&self, place: &Place<'_>) {
        let reference = self.url.to_string();
        if reference.starts_with("env:") || reference.starts_with("file:") {
            return;
        }
        // A literal resolves without its surroundings.
        if let Ok(url) = self.url.resolve(std::path::Path::new("."))
            && !(url.expose().starts_with("http://") || url.expose().starts_with("https://"))
        {
            place.at("url").problem_with_fix(
                "the webhook's address is no URL",
                "write it like \"https://alerts.example/deepwater\"",
            );
        }
    }
}
