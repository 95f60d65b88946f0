//! Which texts mean the same each time they run, and so may be prepared once in place of each time.

use super::lexer::{Kind, Lexer, Strings};
use super::words::{lower, room};
use super::{literal, read_with};

/// What `date` and its relatives take for a time that goes on ("Special Date/Time Inputs"): a string that says it is read
/// when the statement is prepared, and stays what it was then. `epoch` and `infinity` do not move.
const MOVING: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];

/// Of a longer name PostgreSQL says that it cuts it, whenever it reads it (`NAMEDATALEN`).
const NAME_BYTES: usize = 63;

/// Whether the text is one SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES that leaves nothing behind in its session, none
/// of whose strings could name a time that goes on, and of which PostgreSQL has nothing to say when it reads it. False says
/// nothing.
pub fn is_repeatable(text: &[u8], strings: Strings) -> bool {
    let mut lexer = Lexer::new(text, strings);
    let first = lexer.next();
    let ordinary = first.kind == Kind::Word
        && matches!(
            lower(lexer.bytes(first), &mut room()),
            b"select" | b"insert" | b"update" | b"delete" | b"with" | b"merge" | b"values"
        );
    if !ordinary {
        return false;
    }
    let verdict = read_with(text, strings);
    // PostgreSQL warns of backslashes that escape without an E.
    let warns = strings == Strings::Escapes && text.contains(&b'\\');
    verdict.statements == 1 && verdict.is_plain() && !warns && means_the_same(lexer)
}

fn means_the_same(mut lexer: Lexer<'_>) -> bool {
    loop {
        let token = lexer.next();
        match token.kind {
            Kind::End => return true,
            Kind::Unterminated => return false,
            Kind::BitString => {}
            kind if kind.is_name() && token.end - token.start > NAME_BYTES => return false,
            kind if kind.is_string() => {
                let Some(bytes) = literal::string_bytes(&lexer, token) else { return false };
                let bytes = bytes.to_ascii_lowercase();
                if MOVING.iter().any(|word| memchr::memmem::find(&bytes, word).is_some()) {
                    return false;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeatable(text: &str) -> bool {
        is_repeatable(text.as_bytes(), Strings::Standard)
    }

    #[test]
    fn what_reads_and_writes_rows_is() {
        for text in [
            "SELECT name FROM templates WHERE id = $1",
            " /* shop */ select now(), 'epoch'::timestamptz, $2::int;",
            "INSERT INTO orders (note) VALUES ('it''s', $1) RETURNING id",
            "WITH gone AS (DELETE FROM carts RETURNING *) SELECT count(*) FROM gone",
            "values ($1), (B'1')",
        ] {
            assert!(repeatable(text), "{text}");
        }
    }

    #[test]
    fn what_leaves_something_behind_is_not() {
        for text in [
            "",
            "SET search_path TO a",
            "BEGIN",
            "SELECT set_config('search_path', $1, false)",
            "SELECT pg_advisory_lock($1)",
            "SELECT 1; SELECT 2",
            "CREATE TABLE t (a int)",
            "(SELECT 1)",
            "EXPLAIN SELECT 1",
        ] {
            assert!(!repeatable(text), "{text}");
        }
    }

    #[test]
    fn a_time_that_goes_on_is_read_anew_each_time() {
        for text in [
            "SELECT * FROM events WHERE at > 'now'",
            "SELECT timestamptz ' Today 12:00'",
            "SELECT E'\\x6eow'::timestamptz",
            "SELECT U&'n\\006fw'::timestamptz",
            "SELECT $$yesterday$$::date",
            "SELECT date 'to'\n'morrow'",
            "SELECT 'open",
        ] {
            assert!(!repeatable(text), "{text}");
        }
        let escapes = is_repeatable(b"SELECT '\\x6eow'::timestamptz", Strings::Escapes);
        assert!(!escapes, "strings may hold escapes");
    }

    #[test]
    fn what_postgresql_comments_on_is_read_each_time() {
        for name in ["x".repeat(64), format!("\"{}\"", "é".repeat(40))] {
            assert!(!repeatable(&format!("SELECT 1 AS {name}")), "{name} is cut");
        }
        assert!(repeatable(&format!("SELECT 1 AS {}", "x".repeat(63))));
        assert!(!is_repeatable(br"SELECT 'a\\b'", Strings::Escapes) && repeatable(r"SELECT 'a\\b'"));
    }
}
