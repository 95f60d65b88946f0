//! Names of channels. As PostgreSQL takes them: unquoted and cut to its length, as [`deepwater_pgwire::sql::Statement`] has
//! them.

/// The name as an identifier of SQL that means it exactly.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the name is what the client wrote. Bytes that are not UTF-8 were given as characters U+F780 to U+F7FF:
/// the server would listen on another channel.
pub(super) fn is_exact(name: &str) -> bool {
    !name.chars().any(|c| ('\u{f780}'..='\u{f7ff}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_names_are_doubled() {
        assert_eq!(quoted("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
    }

    #[test]
    fn names_that_were_not_utf8_are_told_apart() {
        assert!(is_exact("größe \u{10ffff}"));
        assert!(!is_exact("gr\u{f7f6}sse"));
    }
}
