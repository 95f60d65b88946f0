//! `SET` and `RESET`.

use super::Reader;
use crate::sql::lexer::{Kind, Token};
use crate::sql::words::{lower, room};
use crate::sql::{Marks, Statement, decides_literals, decides_names, literal};

/// The settings whose value is a list of names, each quoted where it must be (`GUC_LIST_QUOTE`).
const LISTS_OF_NAMES: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// What a setting is set to.
enum Value {
    Default,
    Exactly(String),
    Unknown,
}

impl Reader<'_> {
    pub(super) fn set(&mut self) {
        let mut token = self.step();
        let mut local = false;
        while !self.is_setting() {
            match lower(self.lexer.bytes(token), &mut room()) {
                b"local" => local = true,
                b"session" if self.sees(b"characteristics") => return self.characteristics(),
                b"session" if self.takes(b"authorization") => {
                    return self.assign("session_authorization", local);
                }
                b"session" => {}
                b"time" if self.takes(b"zone") => return self.time_zone(local),
                b"names" => return self.assign("client_encoding", local),
                b"role" => return self.assign("role", local),
                b"schema" => return self.assign("search_path", local),
                b"xml" if self.takes(b"option") => return self.assign("xmloption", local),
                // TRANSACTION and CONSTRAINTS are for the transaction; CATALOG is refused.
                _ => return,
            }
            token = self.step();
        }
        let name = self.setting(token);
        if local {
            return self.note_local(name.as_deref());
        }
        let current = self.sees(b"from");
        self.step();
        match name {
            None => self.push(Statement::TouchUnknown),
            Some(name) if current => self.push_set(name, Value::Unknown),
            Some(name) => self.assign(&name, local),
        }
    }

    /// Whether the token just taken is the name of a setting: what follows tells.
    fn is_setting(&self) -> bool {
        let next = self.lexer.peek();
        match next.kind {
            Kind::Dot => true,
            Kind::Operator => self.lexer.bytes(next) == b"=",
            Kind::Word => self.is(next, b"to") || self.is(next, b"from"),
            _ => false,
        }
    }

    /// The rest of a statement that ends in a value.
    fn assign(&mut self, name: &str, local: bool) {
        if local {
            return self.note_local(Some(name));
        }
        let value = self.value(name);
        self.push_set(name.to_owned(), value);
    }

    /// A setting is changed for the transaction.
    pub(super) fn note_local(&mut self, name: Option<&str>) {
        if name.is_none_or(decides_literals) {
            self.verdict.marks |= Marks::LITERALS;
        }
        if name.is_none_or(decides_names) {
            self.verdict.marks |= Marks::NAMES;
        }
    }

    fn push_set(&mut self, name: String, value: Value) {
        if leaves_nothing(&name) {
            return;
        }
        self.push(match value {
            Value::Default => Statement::Reset(name),
            Value::Exactly(value) => Statement::Set { name, value: Some(value) },
            Value::Unknown => Statement::Set { name, value: None },
        });
    }

    fn time_zone(&mut self, local: bool) {
        if !local && self.takes(b"local") {
            return self.push_set("timezone".to_owned(), Value::Default);
        }
        self.assign("timezone", local);
    }

    /// `SET SESSION CHARACTERISTICS AS TRANSACTION mode, …`
    fn characteristics(&mut self) {
        let mut not = false;
        while !self.ended {
            let token = self.step();
            let (name, value) = match lower(self.lexer.bytes(token), &mut room()) {
                b"level" => ("isolation", self.level()),
                b"read" => ("read_only", if self.sees(b"only") { "on" } else { "off" }),
                b"deferrable" => ("deferrable", if not { "off" } else { "on" }),
                other => {
                    not = other == b"not";
                    continue;
                }
            };
            let name = format!("default_transaction_{name}");
            self.push(Statement::Set { name, value: Some(value.to_owned()) });
        }
    }

    fn level(&mut self) -> &'static str {
        if self.takes(b"serializable") {
            return "serializable";
        }
        if self.takes(b"repeatable") {
            self.step();
            return "repeatable read";
        }
        self.step();
        if self.sees(b"uncommitted") { "read uncommitted" } else { "read committed" }
    }

    pub(super) fn reset(&mut self) {
        let token = self.step();
        if self.lexer.peek().kind != Kind::Dot {
            match lower(self.lexer.bytes(token), &mut room()) {
                b"all" => return self.push(Statement::ResetAll),
                b"transaction" if self.sees(b"isolation") => return,
                b"session" if self.sees(b"authorization") => {
                    return self.push(Statement::Reset("session_authorization".to_owned()));
                }
                b"time" if self.sees(b"zone") => return self.push(Statement::Reset("timezone".to_owned())),
                _ => {}
            }
        }
        match self.setting(token) {
            Some(name) if leaves_nothing(&name) => {}
            Some(name) => self.push(Statement::Reset(name)),
            None => self.push(Statement::TouchUnknown),
        }
    }

    /// The name of a setting that begins with a token, dots included, if it is UTF-8.
    fn setting(&mut self, first: Token) -> Option<String> {
        let mut name = self.text(first);
        while !self.ended && self.lexer.peek().kind == Kind::Dot {
            self.step();
            let token = self.step();
            let part = self.text(token);
            name = name.zip(part).map(|(name, part)| name + "." + &part);
        }
        Some(canonical(&name?))
    }

    fn text(&self, name: Token) -> Option<String> {
        std::str::from_utf8(self.lexer.bytes(name)).ok()?;
        literal::name(&self.lexer, name)
    }

    /// A value up to the end of the statement.
    fn value(&mut self, name: &str) -> Value {
        let mut token = self.step();
        if self.ended || self.is(token, b"default") {
            return Value::Default;
        }
        let quoted = LISTS_OF_NAMES.contains(&name);
        let mut value = String::new();
        while let Some(item) = self.item(token, quoted) {
            value.push_str(&item);
            token = self.step();
            if self.ended {
                return Value::Exactly(value);
            }
            if token.kind != Kind::Comma {
                break;
            }
            value.push_str(", ");
            token = self.step();
        }
        Value::Unknown
    }

    /// A member of a value as `set_config()` takes it.
    fn item(&mut self, token: Token, quoted: bool) -> Option<String> {
        let text = match token.kind {
            Kind::Word if self.is(token, b"null") => return None,
            kind if kind.is_name() => self.text(token)?,
            Kind::Number => return number("", self.lexer.bytes(token)),
            Kind::Operator => {
                let sign = match self.lexer.bytes(token) {
                    b"-" => "-",
                    b"+" => "",
                    _ => return None,
                };
                let digits = self.step();
                return number(sign, self.lexer.bytes(digits));
            }
            _ => literal::string(&self.lexer, token)?,
        };
        Some(if quoted { quote(&text) } else { text })
    }
}

/// The one way to write the name of a setting.
pub(super) fn canonical(name: &str) -> String {
    match name.to_ascii_lowercase() {
        name if name == "sort_mem" => "work_mem".to_owned(),
        name if name == "vacuum_mem" => "maintenance_work_mem".to_owned(),
        name => name,
    }
}

/// Whether a setting leaves nothing that could be put back: every transaction begins with it anew, or it only sows the
/// generator of random numbers.
pub(super) fn leaves_nothing(name: &str) -> bool {
    matches!(name, "transaction_isolation" | "transaction_read_only" | "transaction_deferrable" | "seed")
}

/// A number as PostgreSQL hands it on: an integer that fits is normalised, another number stays as it is written.
/// None for what only some versions read: `1_000`, `0x1F`.
fn number(sign: &str, digits: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(digits).ok()?;
    let known = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if digits.is_empty() || !digits.bytes().all(known) {
        return None;
    }
    match digits.parse::<i32>() {
        Ok(0) => Some("0".to_owned()),
        Ok(integer) => Some(format!("{sign}{integer}")),
        Err(_) => Some(format!("{sign}{digits}")),
    }
}

/// A name in quotes unless it goes without (`quote_identifier`, which quotes keywords too).
fn quote(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.bytes().all(plain) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit()) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
