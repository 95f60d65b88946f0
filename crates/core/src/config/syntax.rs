//! What the parser of TOML complains of, said so that it can be put right.

use toml::de::Error;

use super::document::position;
use super::problem::Problem;

/// What to do about each complaint, by how it begins.
const FIXES: [(&str, &str); 13] = [
    ("string values must be quoted", "write it in quotes: \"...\""),
    ("key with no value", "write `key = value` on one line; text goes in quotes"),
    ("missing value", "write a value after the `=`; text goes in quotes"),
    ("invalid basic string", "end it with a quote on the same line; write `\\\\` for a backslash"),
    ("invalid literal string", "end it with a quote on the same line"),
    ("unclosed table", "end the heading with `]`"),
    ("unclosed array table", "end the heading with `]]`"),
    ("unclosed array", "end the list with `]`"),
    ("unclosed inline table", "end the table with `}`"),
    ("missing comma", "separate what stands in brackets by commas"),
    ("extra comma", "remove the comma"),
    ("invalid unquoted key", "put a key of other characters than letters, digits, `_` and `-` in quotes"),
    ("unexpected key or value", "begin a new line for each key, and put text in quotes"),
];

const DUPLICATE: &str = "duplicate key";

/// The complaints about a text, at most one a line: what follows on the same line is nearly always the echo of the first.
pub(super) fn problems(text: &str, file_name: &str, errors: &[Error]) -> Vec<Problem> {
    let lines: Vec<&str> = text.lines().collect();
    let mut problems: Vec<Problem> = Vec::new();
    // The line of a heading that stands there twice: what is under it is no mistake of its own.
    let mut twice: Option<usize> = None;
    for error in errors {
        let span = error.span().unwrap_or_default();
        let (line, column) = position(text, span.start);
        let is_echo = error.message() == DUPLICATE
            && twice.is_some_and(|heading| lines[heading..line].iter().all(|line| !is_heading(line)));
        if is_echo || problems.iter().any(|problem| problem.line == Some(line)) {
            continue;
        }
        let (what, fix) = if error.message() == DUPLICATE {
            if lines.get(line - 1).is_some_and(|line| is_heading(line)) {
                twice = Some(line);
            }
            duplicate(&lines, line, text.get(span).unwrap_or_default())
        } else {
            let fix = FIXES.iter().rev().find(|(begins, _)| error.message().starts_with(begins));
            (error.message().to_owned(), fix.map(|(_, fix)| (*fix).to_owned()))
        };
        problems.push(Problem {
            file: Some(file_name.to_owned()),
            line: Some(line),
            column: Some(column),
            key: String::new(),
            what,
            fix,
        });
    }
    problems
}

/// What is said of a heading, or a key, that stands at a line and has stood before.
fn duplicate(lines: &[&str], line: usize, key: &str) -> (String, Option<String>) {
    let before = &lines[..line.saturating_sub(1).min(lines.len())];
    let this = lines.get(line - 1).copied().unwrap_or_default();
    let place = |found: Option<usize>| found.map(|at| format!(" at line {}", at + 1)).unwrap_or_default();
    if is_heading(this) {
        let name = bare(this);
        let first = place(before.iter().position(|line| bare(line) == name));
        return (
            format!("{DUPLICATE}: `{name}` has stood before{first}"),
            Some("put all keys of it under the first, or give this one another name".to_owned()),
        );
    }
    let under = before.iter().rposition(|line| is_heading(line)).map_or(0, |heading| heading + 1);
    let is_it = |line: &&str| line.split('=').next().is_some_and(|name| name.trim() == key);
    let first = place(before[under..].iter().position(is_it).map(|at| under + at));
    (format!("{DUPLICATE}: `{key}` has stood before{first}"), Some("keep one of them".to_owned()))
}

fn is_heading(line: &str) -> bool {
    line.trim_start().starts_with('[') && !line.contains('=')
}

/// A heading without comment and spaces.
fn bare(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}
