//! What is known of whoever sent a request, once it has been verified.

mod path;
mod require;
mod text;

use serde_json::{Map, Value};

pub use path::ClaimPath;
pub use require::Requirements;

/// Verified claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    expires: Option<u64>,
}

impl Claims {
    pub(crate) const fn new(members: Map<String, Value>, expires: Option<u64>) -> Self {
        Self { members, expires }
    }

    /// Those of a user who gave a name and a password: `sub`, so that headers and limits need no case of their own.
    pub fn of_user(name: &str) -> Self {
        Self::new(Map::from_iter([("sub".to_owned(), Value::from(name))]), None)
    }

    /// What a claim says.
    pub fn get(&self, path: &ClaimPath) -> Option<&Value> {
        path.find(&self.members)
    }

    /// A claim as the value of a header field, or as the key of a limit: printable ASCII, unequal for unequal claims of
    /// one type. The values of a list are joined by commas, objects are JSON, and whatever could be misread is
    /// percent-encoded: control characters, non-ASCII, `%`, spaces at the ends, commas inside the values of a list.
    /// None if the claim is absent or `null`.
    pub fn text(&self, path: &ClaimPath) -> Option<String> {
        text::text(self.get(path)?)
    }

    /// When they cease to hold, Unix time in seconds.
    pub const fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// All of them.
    pub const fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// About how much memory they take, bytes.
    pub(crate) fn weight(&self) -> usize {
        self.members.iter().map(|(name, value)| name.len() + weight(value)).sum()
    }
}

/// A member's place in its table or list, and what hangs on it.
fn weight(value: &Value) -> usize {
    const PLACE: usize = 128;
    PLACE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
            _ => 0,
        }
}
