//! What the body of a health check says.

use serde_json::Value;

/// Texts that mean well, whatever their case.
const WELL: [&str; 5] = ["healthy", "ok", "pass", "up", "true"];
/// Failing checks told of one server.
const MAX_FAILING: usize = 32;
/// Characters of a text of the server's that are told.
const MAX_TEXT: usize = 100;

/// What a body comes to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The first expectation that is not met.
    pub complaint: Option<String>,
    /// The server's own checks that fail: `database: down`.
    pub failing: Vec<String>,
}

/// Judges a body by the members it must have. Members of an object named `checks` that say anything but
/// well are listed; they do not decide.
pub fn judge_body(body: &[u8], expected: &[(String, String)]) -> Verdict {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        let complaint = (!expected.is_empty()).then(|| "the body is not JSON".to_owned());
        return Verdict { complaint, failing: Vec::new() };
    };
    let complaint = expected.iter().find_map(|(path, wanted)| match member(&json, path).map(text_of) {
        None => Some(format!("the body has no `{path}`: expected \"{wanted}\"")),
        Some(found) if found != *wanted => {
            Some(format!("`{path}` is \"{}\": expected \"{wanted}\"", cut(&found)))
        }
        Some(_) => None,
    });
    let checks = json.get("checks").and_then(Value::as_object);
    let failing = checks
        .into_iter()
        .flatten()
        .filter_map(|(name, check)| Some(format!("{}: {}", cut(name), cut(&complaint_of(check)?))))
        .take(MAX_FAILING)
        .collect();
    Verdict { complaint, failing }
}

/// The member at a dotted path; a member whose own name holds the dots comes first. Digits are positions in lists.
fn member<'j>(json: &'j Value, path: &str) -> Option<&'j Value> {
    let step = |json: &'j Value, name: &str| match json {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    };
    step(json, path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        member(step(json, first)?, rest)
    })
}

/// A scalar as the configuration writes it; anything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a check says, unless that is well. A check is a text or a truth value, an object with a `status`, or (as in
/// `application/health+json`) a list of such objects.
fn complaint_of(check: &Value) -> Option<String> {
    match check {
        Value::Array(checks) => checks.iter().find_map(complaint_of),
        Value::Object(members) => match members.get("status") {
            Some(status) => complaint_of(status),
            None => Some("has no status".to_owned()),
        },
        scalar => {
            let text = text_of(scalar);
            (!WELL.iter().any(|well| text.eq_ignore_ascii_case(well))).then_some(text)
        }
    }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge(body: &str, expected: &[(&str, &str)]) -> Verdict {
        let expected: Vec<_> =
            expected.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        judge_body(body.as_bytes(), &expected)
    }

    #[test]
    fn expectations_are_compared_as_text() {
        let body = r#"{"status": "healthy", "ready": true, "db": {"lag": 3, "nodes": [{"up": "yes"}]}, "a.b": null}"#;
        let met = [
            ("status", "healthy"),
            ("ready", "true"),
            ("db.lag", "3"),
            ("db.nodes.0.up", "yes"),
            ("a.b", "null"),
        ];
        assert_eq!(judge(body, &met), Verdict::default());
        for (path, value, says) in [
            ("status", "ok", "`status` is \"healthy\": expected \"ok\""),
            ("db.lag", "0", "`db.lag` is \"3\": expected \"0\""),
            ("db.size", "1", "the body has no `db.size`: expected \"1\""),
            ("db.nodes.7.up", "1", "the body has no `db.nodes.7.up`: expected \"1\""),
        ] {
            assert_eq!(judge(body, &[(path, value)]).complaint.as_deref(), Some(says));
        }
        assert_eq!(judge("<html>", &[("a", "b")]).complaint.as_deref(), Some("the body is not JSON"));
        assert_eq!(judge("<html>", &[]), Verdict::default());
    }

    #[test]
    fn failing_checks_are_listed_and_do_not_decide() {
        let body = r#"{"status": "UP", "checks": {
            "database": "ok", "queue": true, "disk": {"status": "pass"}, "mail": {"status": "Healthy"},
            "cache": "down", "search": false, "payments": {"status": "degraded", "error": "slow"},
            "cpu": [{"status": "pass"}, {"status": "warn"}], "odd": {}
        }}"#;
        let verdict = judge(body, &[("status", "UP")]);
        assert_eq!(verdict.complaint, None);
        assert_eq!(
            verdict.failing,
            ["cache: down", "search: false", "payments: degraded", "cpu: warn", "odd: has no status"]
        );
    }

    #[test]
    fn a_server_cannot_tell_without_end() {
        let checks: Vec<_> = (0..100).map(|n| format!(r#""c{n}": "{}""#, "é".repeat(1_000))).collect();
        let verdict = judge(&format!(r#"{{"checks": {{{}}}}}"#, checks.join(",")), &[]);
        assert_eq!(verdict.failing.len(), MAX_FAILING);
        assert!(verdict.failing.iter().all(|check| check.chars().count() <= MAX_TEXT + 10));
        assert_eq!(judge(&"[".repeat(100_000), &[]), Verdict::default());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..100), path in ".{0,10}") {
            judge_body(&body, &[(path, "x".into())]);
        }
    }
}
