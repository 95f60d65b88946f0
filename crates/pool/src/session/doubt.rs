//! What is not certain while a transaction goes on: how its texts are read, and what their names mean.

use deepwater_pgwire::sql::{self, Marks, Statement, Verdict};

/// What texts of the client's transaction have put in doubt, until what came of them is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubt {
    /// How literals are read.
    pub literals: bool,
    /// What names mean, and what may be done with them: maybe to this client alone.
    pub names: bool,
    /// What names mean to everybody, once the transaction is over.
    pub definitions: bool,
}

impl Doubt {
    /// A text is about to run that does this.
    pub(super) fn note(&mut self, verdict: &Verdict) {
        let all = verdict.marks.intersects(Marks::OPAQUE) || verdict.session.iter().any(changes_any);
        self.literals |=
            all || verdict.marks.intersects(Marks::LITERALS) || sets(verdict, sql::decides_literals);
        self.names |= all
            || verdict.marks.intersects(Marks::NAMES | Marks::DEFINES)
            || sets(verdict, sql::decides_names)
            || verdict.session.contains(&Statement::DiscardTemp);
        self.definitions |= verdict.marks.intersects(Marks::DEFINES);
    }
}

/// Whether it may change any setting.
fn changes_any(statement: &Statement) -> bool {
    matches!(statement, Statement::ResetAll | Statement::TouchUnknown | Statement::DiscardAll)
}

/// Whether a text changes, for long or not, a setting of that kind.
fn sets(verdict: &Verdict, kind: fn(&str) -> bool) -> bool {
    verdict.session.iter().any(|statement| match statement {
        Statement::Set { name, .. } | Statement::Reset(name) | Statement::Touch(name) => kind(name),
        _ => false,
    })
}
