//! How the planes report what no type can say: a name that refers to nothing, two keys that contradict.

use std::cell::RefCell;

use super::document::Document;
use super::nearest::nearest;
use super::path::KeyPath;
use super::problem::{Problem, Problems};
use super::secret::SecretError;

/// Collects the problems found while validating a typed configuration.
///
/// ```ignore
/// let checker = document.checker();
/// config.edge.validate(&checker.at("edge"));
/// checker.finish()?;
/// ```
#[derive(Debug)]
pub struct Checker<'d> {
    document: Option<&'d Document>,
    problems: RefCell<Vec<Problem>>,
}

impl<'d> Checker<'d> {
    /// For a configuration that was not read from a file: problems carry keys, but neither file nor line.
    pub const fn without_document() -> Checker<'static> {
        Checker { document: None, problems: RefCell::new(Vec::new()) }
    }

    pub(super) const fn new(document: &'d Document) -> Self {
        Self { document: Some(document), problems: RefCell::new(Vec::new()) }
    }

    /// The root of the configuration.
    pub const fn root(&self) -> Place<'_> {
        Place { checker: self, path: KeyPath::root() }
    }

    /// The value under a key of the root.
    pub fn at(&self, key: &str) -> Place<'_> {
        self.root().at(key)
    }

    /// Ends the validation.
    ///
    /// # Errors
    /// Everything that was reported.
    pub fn finish(self) -> Result<(), Problems> {
        Problems::into_result(self.problems.into_inner())
    }
}

/// One key of the configuration under validation; knows its full path and, through the document, its line.
#[derive(Debug, Clone)]
pub struct Place<'c> {
    checker: &'c Checker<'c>,
    path: KeyPath,
}

impl Place<'_> {
    /// The value under a key of this table.
    #[must_use]
    pub fn at(&self, key: &str) -> Self {
        Self { checker: self.checker, path: self.path.key(key) }
    }

    /// The value at a position of this list, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self { checker: self.checker, path: self.path.index(index) }
    }

    /// The full key.
    pub const fn path(&self) -> &KeyPath {
        &self.path
    }

    /// Reports that something is wrong here. A key that is absent from the document (its default is at
    /// fault, or a table that should exist does not) is reported at its nearest existing ancestor's line.
    pub fn problem(&self, what: impl Into<String>) {
        self.report(what.into(), None);
    }

    /// Reports that something is wrong here and what to do about it.
    pub fn problem_with_fix(&self, what: impl Into<String>, fix: impl Into<String>) {
        self.report(what.into(), Some(fix.into()));
    }

    /// Reports that the name written here refers to nothing: `` there is no pool named `ap` ``, with the
    /// names that are `defined_under` a table (`[pools]`) and the one that was probably meant.
    pub fn unknown_name<'k>(
        &self,
        noun: &str,
        name: &str,
        defined_under: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let fix = if known.is_empty() {
            format!("define it under {defined_under}: there is none yet")
        } else {
            let names = quoted_list(&known);
            let near = nearest(name, known).map(|near| format!(" (nearest: `{near}`)")).unwrap_or_default();
            format!("use one of the {noun}s defined under {defined_under}: {names}{near}")
        };
        self.problem_with_fix(format!("there is no {noun} named `{name}`"), fix);
    }

    /// Reports that the secret named here is not to be had.
    pub fn secret_problem(&self, error: &SecretError) {
        self.problem_with_fix(error.to_string(), error.fix());
    }

    /// The line of the key, counted from 1; `None` where no file was read.
    pub fn line(&self) -> Option<usize> {
        self.checker.document?.problem(&self.path, String::new(), None).line
    }

    fn report(&self, what: String, fix: Option<String>) {
        let problem = match self.checker.document {
            Some(document) => document.problem(&self.path, what, fix),
            None => Problem { file: None, line: None, column: None, key: self.path.to_string(), what, fix },
        };
        self.checker.problems.borrow_mut().push(problem);
    }
}

/// `` `app`, `static` ``
pub(super) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
