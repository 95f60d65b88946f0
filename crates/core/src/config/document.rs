//! One configuration file: parsed once, then decoded and validated against it.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::check;
use super::path::KeyPath;
use super::place::Checker;
use super::problem::{Problem, Problems};
use super::schema::{Schema, json_schema};
use super::syntax;
use super::tree::Node;

/// A TOML document whose syntax is right and whose every key knows its line.
#[derive(Clone)]
pub struct Document {
    file: String,
    text: String,
    root: Node,
}

impl Document {
    /// Parses `text`; `file_name` is what problems call it and what relative paths start from.
    ///
    /// # Errors
    /// Every syntax error the parser can recover from, at most one a line.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Problems> {
        let (table, errors) = DeTable::parse_recoverable(text);
        Problems::into_result(syntax::problems(text, file_name, &errors))?;
        Ok(Self { file: file_name.to_owned(), text: text.to_owned(), root: Node::root(table) })
    }

    /// Builds a `T`, refusing whatever its JSON Schema does not allow. Keys that no property names are
    /// refused whether or not `T` says `deny_unknown_fields`.
    ///
    /// # Errors
    /// Every unknown key, wrong type, missing key, unknown name, and value out of range or not parsable.
    /// What only `T`'s own deserialisation can tell is reported once all of that is right.
    pub fn decode<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Problems> {
        let schema = json_schema::<T>();
        self.compare(&Schema::root(&schema))?;
        toml::from_str(&self.text).map_err(|error| self.refused(&schema, &error).into())
    }

    /// Starts the validation of a decoded configuration.
    pub const fn checker(&self) -> Checker<'_> {
        Checker::new(self)
    }

    /// The file as it was named to [`Document::parse`].
    pub fn file_name(&self) -> &str {
        &self.file
    }

    /// The directory of the file: what relative paths in it start from. Empty for the current directory.
    pub fn directory(&self) -> &Path {
        Path::new(&self.file).parent().unwrap_or_else(|| Path::new(""))
    }

    /// A problem at a key, or at the nearest ancestor of it that exists.
    pub(super) fn problem(&self, path: &KeyPath, what: String, fix: Option<String>) -> Problem {
        let node = self.root.nearest(path);
        // The root has no key to point at.
        let place = (!std::ptr::eq(node, &self.root)).then(|| position(&self.text, node.offset));
        Problem {
            file: Some(self.file.clone()),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            key: path.to_string(),
            what,
            fix,
        }
    }

    fn compare(&self, schema: &Schema<'_>) -> Result<(), Problems> {
        let faults = check::check(&self.root, schema);
        let problem = |fault: check::Fault| self.problem(&fault.path, fault.what, fault.fix);
        Problems::into_result(faults.into_iter().map(problem).collect())
    }

    /// A refusal by serde, which quotes values: those that the schema calls secret are taken out.
    fn refused(&self, schema: &serde_json::Value, error: &toml::de::Error) -> Problem {
        let secrets = check::secrets(&self.root, &Schema::root(schema));
        // Serde quotes a string as `Debug` does.
        let hide = |message: String, secret: &&str| {
            let escaped = secret.escape_debug().to_string();
            message.replace(&escaped, "<redacted>").replace(*secret, "<redacted>")
        };
        let what = secrets.iter().fold(error.message().to_owned(), hide);
        let span: Option<Range<usize>> = error.span();
        let path = span.as_ref().and_then(|span| self.root.find(span)).unwrap_or_default();
        let mut problem = self.problem(&path, what, None);
        if let (None, Some(span)) = (problem.line, span) {
            let (line, column) = position(&self.text, span.start);
            (problem.line, problem.column) = (Some(line), Some(column));
        }
        problem
    }
}

impl fmt::Debug for Document {
    /// The name only: the text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Line and column (in characters) of a byte offset, both counted from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
