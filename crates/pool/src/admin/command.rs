//! What is said at the console: `WORD [WORD]`, or `SET word = value`.

#[cfg(test)]
mod tests;

/// The longest command, argument and value, in bytes; longer ones are "bad arguments".
const MAX_WORD: usize = 15;
const MAX_ARGUMENT: usize = 63;
const MAX_VALUE: usize = 255;
/// How much of a command is repeated in an error, in characters.
const REPEATED: usize = 1_000;

/// A command, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// A word in lower case, and what follows it; empty for nothing.
    Plain { word: String, argument: String },
    /// A setting and its new value.
    Set { key: String, value: String },
}

impl Command {
    /// Reads a query.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let parsed = plain(text).or_else(|| set(text)).ok_or_else(|| invalid(text))?;
        let fits = match &parsed {
            Self::Plain { word, argument } => word.len() <= MAX_WORD && argument.len() <= MAX_ARGUMENT,
            Self::Set { key, value } => {
                !key.is_empty() && key.len() <= MAX_ARGUMENT && value.len() <= MAX_VALUE
            }
        };
        if fits { Ok(parsed) } else { Err("bad arguments".into()) }
    }
}

/// The answer to what is no command.
pub(super) fn invalid(text: &str) -> String {
    let text: String = text.chars().take(REPEATED).collect();
    format!("invalid command '{text}', use SHOW HELP;")
}

fn plain(text: &str) -> Option<Command> {
    let mut rest = Rest(text);
    rest.space();
    let word = rest.word()?.to_ascii_lowercase();
    let argument = if rest.space() { rest.word().unwrap_or_default() } else { String::new() };
    rest.end()?;
    Some(Command::Plain { word, argument })
}

fn set(text: &str) -> Option<Command> {
    let mut rest = Rest(text);
    rest.space();
    rest.keyword("set")?;
    if !rest.space() {
        return None;
    }
    let key = rest.word()?;
    rest.space();
    rest.keyword("=").or_else(|| rest.keyword("to"))?;
    rest.space();
    let value = rest.quoted('\'').or_else(|| rest.word())?;
    rest.end()?;
    Some(Command::Set { key, value })
}

/// What is left to read.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    /// Skips white space; whether there was any.
    fn space(&mut self) -> bool {
        let trimmed = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
        let any = trimmed.len() < self.0.len();
        self.0 = trimmed;
        any
    }

    fn keyword(&mut self, keyword: &str) -> Option<()> {
        let head = self.0.get(..keyword.len())?;
        if !head.eq_ignore_ascii_case(keyword) {
            return None;
        }
        self.0 = &self.0[keyword.len()..];
        Some(())
    }

    /// Letters, digits and underscores, or anything in double quotes.
    fn word(&mut self) -> Option<String> {
        if let Some(quoted) = self.quoted('"') {
            return Some(quoted);
        }
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = self.0.find(|character| !is_part(character)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// Text in quotes, of which a double one stands for one.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut rest = self.0.strip_prefix(quote)?;
        let mut text = String::new();
        loop {
            let (before, after) = rest.split_once(quote)?;
            text.push_str(before);
            match after.strip_prefix(quote) {
                Some(more) => {
                    text.push(quote);
                    rest = more;
                }
                None => {
                    self.0 = after;
                    return Some(text);
                }
            }
        }
    }

    /// Nothing more but white space and one semicolon.
    fn end(&mut self) -> Option<()> {
        self.space();
        if self.keyword(";").is_some() {
            self.space();
        }
        self.0.is_empty().then_some(())
    }
}
