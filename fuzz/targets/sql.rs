//! A text is read the same alone and after another statement; what may be prepared for all is one plain statement;
//! fingerprints are equal where normal texts are.
#![no_main]

use deepwater_pgwire::sql::{
    MAX_STATEMENTS, Statement, Strings, Verdict, comment_tags, fingerprint, is_repeatable, normalise, read,
    read_with,
};
use libfuzzer_sys::fuzz_target;

const BEFORE: &str = "SELECT 1\n;";

/// What the text does, in its order, as if it stood `ahead` bytes later.
fn session(verdict: &Verdict, ahead: usize) -> Vec<Statement> {
    let alone = verdict.transaction.map(Statement::Transaction);
    let mut session: Vec<_> = alone.into_iter().chain(verdict.session.iter().cloned()).collect();
    for statement in &mut session {
        if let Statement::Prepare { whole, body, .. } = statement {
            *whole = whole.start + ahead..whole.end + ahead;
            *body = body.start + ahead..body.end + ahead;
        }
    }
    session
}

fuzz_target!(|text: &[u8]| {
    let later = [BEFORE.as_bytes(), text].concat();
    for strings in [Strings::Standard, Strings::Escapes] {
        let [alone, after] = [read_with(text, strings), read_with(&later, strings)];
        assert!(alone.session.len() <= MAX_STATEMENTS);
        assert_eq!((after.statements, after.marks), (alone.statements + 1, alone.marks));
        assert_eq!(session(&after, 0), session(&alone, BEFORE.len()));
        assert!(!is_repeatable(text, strings) || (alone.is_plain() && alone.statements == 1));
        assert!(!is_repeatable(&later, strings) || alone.statements == 0);
    }
    for statement in &read(text).session {
        if let Statement::Prepare { whole, body, .. } = statement {
            assert!(text.get(whole.clone()).is_some() && text.get(body.clone()).is_some());
        }
    }
    let _ = comment_tags(text);
    let normal = normalise(text);
    let upper = text.to_ascii_uppercase();
    assert_eq!(normal == normalise(&upper), fingerprint(text) == fingerprint(&upper));
    assert!(normal.len() <= 4 * text.len());
});
