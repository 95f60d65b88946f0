//! The `options` parameter: settings as a server's command line would have them.

/// Why `options` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// A switch that sets no parameter by its name.
    #[error("unsupported startup option \"{0}\"")]
    Unsupported(String),
    /// A name without `=` and a value.
    #[error("startup option \"{0}\" requires a value")]
    NoValue(String),
    /// `-c` at the end.
    #[error("startup option \"-c\" requires a parameter")]
    NoParameter,
}

/// The settings within: `-c name=value`, `-cname=value`, `--name=value`, in their order. A backslash makes the next
/// character, such as a blank, part of the word; a hyphen in a name stands for an underscore.
///
/// # Errors
/// At anything else: a switch that is not understood must not be dropped silently.
pub fn options(text: &str) -> Result<Vec<(String, String)>, BadOption> {
    let mut words = split(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(""), _) | (None, None) => return Err(BadOption::Unsupported(word)),
            (Some(setting), _) => setting.to_owned(),
            (None, Some("")) => words.next().ok_or(BadOption::NoParameter)?,
            (None, Some(setting)) => setting.to_owned(),
        };
        match setting.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                settings.push((name.replace('-', "_"), value.to_owned()));
            }
            _ => return Err(BadOption::NoValue(setting)),
        }
    }
    Ok(settings)
}

/// Words between blanks, a backslash taking the next character as it is (as `pg_split_opts`).
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            // One at the very end stands for nothing.
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}
