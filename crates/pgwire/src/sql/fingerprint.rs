//! Texts that are the same but for their values, and a number for each kind.
//!
//! Comments go, blanks become regular, words go in lower case. A value (a string, a number, a parameter, a sign before
//! a number) becomes `?`; a list of values after `IN` or `ARRAY` becomes `...`; of the rows of `VALUES` the first
//! stays, so that a statement is the same however many rows it inserts. So no value of a text is in what comes out:
//! what does not end, a string perhaps, becomes `?` as well.

mod hash;
#[cfg(test)]
mod tests;

use super::lexer::{Kind, Lexer, Strings, Token};
use super::words::{lower, room};
use hash::Hash;

/// The text without its values.
pub fn normalise(text: &[u8]) -> String {
    let mut normal = Vec::with_capacity(text.len());
    Writer::new(text, &mut normal).write();
    String::from_utf8(normal).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned())
}

/// A number for the text without its values: the same wherever and whenever [`normalise`] makes the same of two texts.
/// It is for counting and grouping: who tries can find two texts with the same number.
pub fn fingerprint(text: &[u8]) -> u64 {
    let mut hash = Hash::default();
    Writer::new(text, &mut hash).write();
    hash.finish()
}

/// Where a normal text goes, in parts that are UTF-8.
trait Sink {
    fn put(&mut self, part: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, part: &[u8]) {
        self.extend_from_slice(part);
    }
}

impl Sink for Hash {
    fn put(&mut self, part: &[u8]) {
        self.update(part);
    }
}

/// What stands before a token, as far as that matters to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing.
    Start,
    /// What holds on to what follows: `(`, `[`, `::`.
    Glue,
    /// A dot: whatever word follows is a name.
    Dot,
    /// A name, which a parenthesis or a bracket belongs to.
    Name,
    /// The end of an operand.
    Operand,
    /// A comma, an operator, a keyword: a sign may follow.
    Other,
}

struct Writer<'a, S> {
    lexer: Lexer<'a>,
    sink: &'a mut S,
    before: Before,
    /// Parentheses that are open, and at how many the row after the last `VALUES` began.
    depth: usize,
    row: Option<usize>,
}

impl<'a, S: Sink> Writer<'a, S> {
    fn new(text: &'a [u8], sink: &'a mut S) -> Self {
        let lexer = Lexer::new(text, Strings::Standard);
        Self { lexer, sink, before: Before::Start, depth: 0, row: None }
    }

    fn write(mut self) {
        let mut separate = false;
        loop {
            let token = self.lexer.next();
            match token.kind {
                Kind::End => return,
                // Written once another statement follows.
                Kind::Semicolon => {
                    separate |= self.before != Before::Start;
                    continue;
                }
                _ if separate => self.put("; ", Before::Start),
                _ => {}
            }
            separate = false;
            self.token(token);
        }
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            Kind::Word => self.word(token),
            Kind::QuotedName | Kind::UnicodeName => {
                self.space();
                // What stands around a `UESCAPE` is no part of the name.
                let mut parts = Lexer::new(self.lexer.bytes(token), Strings::Standard);
                let [name, word, character] = [parts.next_alone(), parts.next(), parts.next()];
                self.put_name(parts.bytes(name));
                if word.kind == Kind::Word {
                    self.sink.put(b" uescape ");
                    self.put_name(parts.bytes(character));
                }
                self.before = Before::Name;
            }
            Kind::Open => self.open(),
            Kind::Close => self.close(),
            Kind::OpenBracket => self.put("[", Before::Glue),
            Kind::CloseBracket => self.put("]", Before::Name),
            Kind::Comma => self.put(",", Before::Other),
            Kind::Dot => self.put(".", Before::Dot),
            Kind::Colon => self.put_bytes(token, Before::Glue),
            Kind::Operator if self.is_sign(token) => {
                self.lexer.next();
                self.value();
            }
            Kind::Operator | Kind::Other => {
                self.space();
                self.put_bytes(token, Before::Other);
            }
            _ => self.value(),
        }
    }

    fn value(&mut self) {
        self.space();
        self.put("?", Before::Operand);
    }

    /// A plus or minus before a number where no operand stands before it.
    fn is_sign(&self, token: Token) -> bool {
        matches!(self.lexer.bytes(token), b"-" | b"+")
            && !matches!(self.before, Before::Name | Before::Operand)
            && self.lexer.peek().kind == Kind::Number
    }

    fn word(&mut self, token: Token) {
        let bytes = self.lexer.bytes(token);
        let mut room = room();
        let lower = lower(bytes, &mut room);
        let after_dot = self.before == Before::Dot;
        self.space();
        match lower {
            b"" => self.put_name(&bytes.to_ascii_lowercase()),
            word => self.put_name(word),
        }
        self.before = if !after_dot && is_keyword(lower) { Before::Other } else { Before::Name };
        if self.before == Before::Other {
            match lower {
                b"in" => self.list(Kind::Open, " (...)"),
                b"array" => self.list(Kind::OpenBracket, "[...]"),
                b"values" if self.lexer.peek().kind == Kind::Open => self.row = Some(self.depth),
                _ => {}
            }
        }
    }

    fn open(&mut self) {
        if self.before != Before::Name {
            self.space();
        }
        self.depth += 1;
        self.put("(", Before::Glue);
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.put(")", Before::Operand);
        if self.row == Some(self.depth) {
            self.row = None;
            self.skip_rows();
        }
    }

    /// Takes the rows of `VALUES` after the first.
    fn skip_rows(&mut self) {
        loop {
            let mut ahead = self.lexer;
            if ahead.next().kind != Kind::Comma || ahead.next().kind != Kind::Open {
                return;
            }
            let mut depth = 1_usize;
            while depth > 0 {
                match ahead.next().kind {
                    Kind::Open => depth += 1,
                    Kind::Close => depth -= 1,
                    Kind::End | Kind::Unterminated => depth = 0,
                    _ => {}
                }
            }
            self.lexer = ahead;
        }
    }

    /// Takes a list that holds nothing but values, rows of values and casts.
    fn list(&mut self, open: Kind, written: &str) {
        let mut ahead = self.lexer;
        if ahead.next().kind != open {
            return;
        }
        let mut depth = 1_usize;
        let mut empty = true;
        let mut cast = false;
        while depth > 0 {
            let token = ahead.next();
            match token.kind {
                Kind::Open | Kind::OpenBracket => depth += 1,
                Kind::Close | Kind::CloseBracket => depth -= 1,
                Kind::Number | Kind::Parameter => empty = false,
                kind if kind.is_string() => empty = false,
                kind if cast && kind.is_name() => {}
                Kind::Word if is_constant(ahead.bytes(token)) => empty = false,
                Kind::Operator if matches!(ahead.bytes(token), b"-" | b"+") => {}
                Kind::Comma | Kind::Colon => {}
                _ => return,
            }
            cast = token.kind == Kind::Colon;
        }
        if !empty {
            self.lexer = ahead;
            self.put(written, Before::Operand);
        }
    }

    fn space(&mut self) {
        if !matches!(self.before, Before::Start | Before::Glue | Before::Dot) {
            self.sink.put(b" ");
        }
    }

    fn put(&mut self, text: &str, before: Before) {
        self.sink.put(text.as_bytes());
        self.before = before;
    }

    /// Of a token that is ASCII.
    fn put_bytes(&mut self, token: Token, before: Before) {
        self.put_name(self.lexer.bytes(token));
        self.before = before;
    }

    /// Bytes that are not UTF-8 become U+FFFD.
    fn put_name(&mut self, name: &[u8]) {
        if name.is_ascii() {
            return self.sink.put(name);
        }
        for chunk in name.utf8_chunks() {
            self.sink.put(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.sink.put("\u{FFFD}".as_bytes());
            }
        }
    }
}

fn is_constant(word: &[u8]) -> bool {
    matches!(lower(word, &mut room()), b"null" | b"true" | b"false" | b"default")
}

/// Words after which a parenthesis stands apart and a sign belongs to the number after it, by their length.
fn is_keyword(word: &[u8]) -> bool {
    match word.len() {
        2 => matches!(word, b"as" | b"by" | b"in" | b"is" | b"on" | b"or" | b"to"),
        3 => matches!(word, b"all" | b"and" | b"any" | b"key" | b"not" | b"set"),
        4 => {
            matches!(word, b"case" | b"else" | b"from" | b"join" | b"like" | b"only" | b"over" | b"some")
                || matches!(word, b"then" | b"when" | b"with")
        }
        5 => {
            matches!(word, b"array" | b"check" | b"fetch" | b"group" | b"ilike" | b"limit" | b"order")
                || matches!(word, b"union" | b"using" | b"where")
        }
        6 => {
            matches!(word, b"except" | b"exists" | b"filter" | b"having" | b"offset" | b"return")
                || matches!(word, b"select" | b"values" | b"within")
        }
        7 => matches!(word, b"between" | b"default" | b"lateral" | b"similar"),
        _ => matches!(word, b"distinct" | b"intersect" | b"materialized" | b"partition" | b"returning"),
    }
}
