//! The effective configuration: what is in force once every default is filled in.

use serde::Serialize;

/// `value` as a TOML document that decodes to an equal value. Secrets are written as the reference they
/// are (`env:NAME`, `file:PATH`); one given literally becomes `<redacted>`.
///
/// # Errors
/// When `value` cannot be said in TOML: a map whose keys are not strings, an absent value inside a list,
/// a number above 2⁶³−1, a root that is not a table.
pub fn to_toml<T: Serialize>(value: &T) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(value)
}
