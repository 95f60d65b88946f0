//! The values of `[databases]`, `[users]` and `[peers]`: `host=db.internal port=5432 password='it''s secret'`.

use crate::lines::Fault;

/// The pairs, in order. Errors quote nothing, it may be a password.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let fault = |what: String| {
            Fault::new(what).fix("write key=value, the value in single quotes if it holds spaces")
        };
        let number = pairs.len() + 1;
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let after = after.trim_start().strip_prefix('=');
        let Some(after) = after.filter(|_| !key.is_empty()) else {
            return Err(fault(format!("item {number} is not key=value")));
        };
        let (value, after) = value(after.trim_start()).ok_or_else(|| {
            fault(format!("`{key}` has a value whose closing quote is missing or not its end"))
        })?;
        if value.is_empty() {
            return Err(
                Fault::new(format!("`{key}` has no value")).fix(format!("give it one, or remove `{key}=`"))
            );
        }
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// A value, in single quotes or up to the next space.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    loop {
        let quote = rest.find('\'')?;
        value.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        let Some(after) = rest.strip_prefix('\'') else { break };
        value.push('\'');
        rest = after;
    }
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::pairs;

    fn read(text: &str) -> Vec<(String, String)> {
        pairs(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn reads_pairs() {
        assert_eq!(read(""), []);
        let expected =
            [("host", "h"), ("port", "5432"), ("password", "it's a = secret"), ("connect_query", "select 1")];
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        assert_eq!(
            read("  host=h\tport = 5432 password='it''s a = secret' connect_query = 'select 1'  "),
            expected
        );
        assert_eq!(read("password=a=b'c"), [("password".to_owned(), "a=b'c".to_owned())]);
        assert_eq!(read("password=''''"), [("password".to_owned(), "'".to_owned())]);
    }

    #[test]
    fn refuses_the_rest_without_quoting_it() {
        for text in [
            "hunter2",
            "host=h hunter2",
            "=hunter2",
            "a='hunter2",
            "a='x'hunter2",
            "password=",
            "a=''",
            "a= ",
        ] {
            let fault = format!("{:?}", pairs(text).expect_err(text));
            assert!(!fault.contains("hunter2"), "{text}: {fault}");
        }
    }
}
