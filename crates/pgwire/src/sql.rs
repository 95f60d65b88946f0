//! As much of SQL as a pooler must understand: what a text leaves behind in the session that ran it, and which texts
//! are the same but for their values.
//!
//! Texts are cut into tokens as PostgreSQL cuts them and looked at word by word; they are not parsed. Limits: a text in
//! an encoding whose characters may hold ASCII bytes after their first (SJIS, BIG5, GBK, UHC, GB18030, JOHAB, which
//! only clients may use) can be misread; what functions and triggers do is not known.

mod fingerprint;
mod glance;
mod lexer;
mod literal;
mod marks;
#[cfg(test)]
mod properties;
mod read;
mod repeatable;
mod tags;
mod verdict;
mod words;

pub use fingerprint::{fingerprint, normalise};
pub use lexer::Strings;
pub use marks::Marks;
pub use repeatable::is_repeatable;
pub use tags::comment_tags;
pub use verdict::{Statement, Transaction, Verdict};

/// As many statements of one text are listed in a verdict; what has more is [`Marks::OPAQUE`].
pub const MAX_STATEMENTS: usize = 1_000;

/// Whether a setting, by its name in lower case, decides what literals mean: they are read when a statement is prepared,
/// and functions of them that PostgreSQL takes for immutable are computed when it is planned.
/// (`search_path` does too, and PostgreSQL itself reads a prepared statement anew when that has changed.)
#[must_use]
pub fn decides_literals(name: &str) -> bool {
    matches!(
        name,
        "array_nulls"
            | "bytea_output"
            | "client_encoding"
            | "datestyle"
            | "extra_float_digits"
            | "intervalstyle"
            | "lc_monetary"
            | "quote_all_identifiers"
            | "standard_conforming_strings"
            | "timezone"
            | "timezone_abbreviations"
            | "transform_null_equals"
            | "xmloption"
    )
}

/// Whether a setting, by its name in lower case, decides what names mean, or whether they may be used. PostgreSQL looks some
/// of it up when a statement is prepared alone: the types of its parameters, the right to use a schema or a function.
#[must_use]
pub fn decides_names(name: &str) -> bool {
    matches!(name, "role" | "search_path" | "session_authorization")
}

/// What a text does to the session that runs it, strings as the standard has them.
pub fn read(text: &[u8]) -> Verdict {
    read_with(text, Strings::Standard)
}

/// What a text does to the session that runs it. `strings` is how the session reads strings when the text arrives:
/// PostgreSQL cuts the whole text before it runs any of it.
pub fn read_with(text: &[u8], strings: Strings) -> Verdict {
    if glance::is_plain(text) {
        return Verdict { statements: 1, ..Verdict::default() };
    }
    read::Reader::new(text, strings).read()
}
