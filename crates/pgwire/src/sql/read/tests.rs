//! Texts and what they do.

mod tables;

use std::fmt::Write;

use super::super::{Statement, Strings, Transaction, Verdict, read, read_with};

/// A verdict in a few words: how many statements if not one, what they do, `+` and what is mentioned.
fn show(text: &[u8], verdict: &Verdict) -> String {
    let mut shown = match verdict.statements {
        1 => String::new(),
        statements => format!("{statements}:"),
    };
    let inline = verdict.transaction.map(Statement::Transaction);
    let statements: Vec<_> = inline.iter().chain(&verdict.session).map(|s| show_statement(text, s)).collect();
    if !statements.is_empty() {
        let _ = write!(shown, " {}", statements.join(", "));
    }
    if !verdict.marks.is_empty() {
        let marks = format!("{:?}", verdict.marks);
        let _ = write!(shown, " +{}", marks.replace(['{', '}', '"'], "").replace(", ", " +"));
    }
    shown.trim_start().to_owned()
}

fn show_statement(text: &[u8], statement: &Statement) -> String {
    match statement {
        Statement::Set { name, value: Some(value) } => format!("set {name}={value}"),
        Statement::Set { name, value: None } => format!("set {name}?"),
        Statement::Reset(name) => format!("reset {name}"),
        Statement::ResetAll => "reset".to_owned(),
        Statement::Touch(name) => format!("touch {name}"),
        Statement::TouchUnknown => "touch".to_owned(),
        Statement::Prepare { name, whole, body } => {
            let whole = String::from_utf8_lossy(&text[whole.clone()]);
            let body = String::from_utf8_lossy(&text[body.clone()]);
            assert!(whole.ends_with(&*body), "{whole} {body}");
            format!("prepare {name}=<{body}>")
        }
        Statement::Execute { name } => format!("execute {name}"),
        Statement::Deallocate(name) => format!("deallocate {name}"),
        Statement::DeallocateAll => "deallocate".to_owned(),
        Statement::DiscardAll => "discard all".to_owned(),
        Statement::DiscardPlans => "discard plans".to_owned(),
        Statement::DiscardTemp => "discard temp".to_owned(),
        Statement::DiscardSequences => "discard sequences".to_owned(),
        Statement::Listen(name) => format!("listen {name}"),
        Statement::Unlisten(name) => format!("unlisten {name}"),
        Statement::UnlistenAll => "unlisten".to_owned(),
        Statement::Transaction(command) => show_transaction(*command).to_owned(),
        Statement::CreateTemp => "temp".to_owned(),
        Statement::HoldCursor(name) => format!("hold {name}"),
        Statement::CloseCursor(Some(name)) => format!("close {name}"),
        Statement::CloseCursor(None) => "close".to_owned(),
        Statement::Load => "load".to_owned(),
        Statement::Copy => "copy".to_owned(),
    }
}

fn show_transaction(command: Transaction) -> &'static str {
    match command {
        Transaction::Begin => "begin",
        Transaction::Commit => "commit",
        Transaction::Rollback => "rollback",
        Transaction::Prepare => "prepare transaction",
        Transaction::CommitPrepared => "commit prepared",
        Transaction::RollbackPrepared => "rollback prepared",
        Transaction::Savepoint => "savepoint",
        Transaction::RollbackTo => "rollback to",
        Transaction::Release => "release",
    }
}

fn check(table: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (text, expected) in table {
        let found = show(text.as_bytes(), &read(text.as_bytes()));
        if found != *expected {
            let _ = writeln!(wrong, "{text}\n  is <{found}>, should be <{expected}>");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
