//! Problems of files that are read line by line.

use deepwater_core::config::Problem;

/// A file under examination: every problem of it is kept.
#[derive(Debug)]
pub(crate) struct Lines<'f> {
    file: &'f str,
    problems: Vec<Problem>,
}

impl<'f> Lines<'f> {
    pub(crate) const fn of(file: &'f str) -> Self {
        Self { file, problems: Vec::new() }
    }

    /// Something is wrong in a line, counted from 1.
    pub(crate) fn report(&mut self, line: usize, fault: Fault) {
        self.problems.push(fault.at(Some(self.file), Some(line), ""));
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// What is wrong and what to do about it, its place not yet known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    what: String,
    fix: Option<String>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), fix: None }
    }

    #[must_use]
    pub(crate) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    pub(crate) fn at(self, file: Option<&str>, line: Option<usize>, key: &str) -> Problem {
        Problem {
            file: file.map(str::to_owned),
            line,
            column: None,
            key: key.to_owned(),
            what: self.what,
            fix: self.fix,
        }
    }
}
