//! Configuration: one TOML document, typed, then valid.
//!
//! A plane writes plain serde types with doc comments. Everything else is derived from the JSON Schema
//! those types generate: the errors (every one at once, with line, key and fix), the reference page, the
//! schema for editors, and the lint that refuses a key without documentation or default.
//!
//! 1. [`Document::parse`] reads the text and keeps where each key stands.
//! 2. [`Document::decode`] compares it with the schema of a type, then builds the value.
//! 3. [`Document::checker`] lets the planes report what only they can know (a pool that does not exist).

mod check;
mod document;
mod format;
mod keys;
mod lint;
mod merge;
mod nearest;
mod path;
mod place;
mod print;
mod problem;
pub mod reference;
mod schema;
mod secret;
mod syntax;
mod tree;
mod units;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use document::Document;
pub use format::ParseError;
pub use lint::undocumented;
pub use merge::merge;
pub use nearest::nearest;
pub use path::KeyPath;
pub use place::{Checker, Place};
pub use print::to_toml;
pub use problem::{Problem, Problems};
pub use schema::json_schema;
pub use secret::{Secret, SecretError, SecretValue};
pub use units::{Bitrate, Duration, Percent, Size};
