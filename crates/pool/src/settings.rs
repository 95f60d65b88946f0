//! Session settings (GUCs): those a client relies on, those a server connection has, and what makes the second the first.

mod accepted;
mod change;

use std::hash::BuildHasher;
use std::sync::Arc;

use deepwater_pgwire::sql::{self, Strings};
use foldhash::fast::FixedState;

pub(crate) use accepted::Accepted;
pub(crate) use change::{Change, literal};

/// A name and its value.
type Entry = (Box<str>, Box<str>);

/// Settings by name, in the order of names; equal ones have equal hashes. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    entries: Option<Arc<Vec<Entry>>>,
    hash: u64,
    reading: u64,
    names: u64,
}

impl Settings {
    /// The value of a name. Names are in lower case, as PostgreSQL compares them.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let entries = self.entries.as_ref()?;
        let at = entries.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&entries[at].1)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flat_map(|entries| entries.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// Differs from that of other settings, but for a chance of 2⁻⁶⁴.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// A hash of those alone that decide how literals are read; 0 when there are none.
    #[inline]
    pub(crate) fn reading(&self) -> u64 {
        self.reading
    }

    /// A hash of those alone that decide what names mean; 0 when there are none.
    #[inline]
    pub(crate) fn names(&self) -> u64 {
        self.names
    }

    /// Sets or replaces one.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let mut entries = self.take();
        match entries.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => entries[at].1 = value.into(),
            Err(at) => entries.insert(at, (name.into(), value.into())),
        }
        self.put(entries);
    }

    /// Removes one.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.get(name).is_none() {
            return;
        }
        let mut entries = self.take();
        entries.retain(|(known, _)| **known != *name);
        self.put(entries);
    }

    /// These, and those of others that are not among these.
    pub(crate) fn over(&self, base: &Self) -> Self {
        let mut both = base.clone();
        self.iter().for_each(|(name, value)| both.set(name, value));
        both
    }

    /// Those that are not the same in others.
    pub(crate) fn beyond(&self, base: &Self) -> Self {
        if base.entries.is_none() {
            return self.clone();
        }
        let mut beyond = Self::default();
        let new = self.iter().filter(|(name, value)| base.get(name) != Some(value));
        new.for_each(|(name, value)| beyond.set(name, value));
        beyond
    }

    /// Those that decide what the client may do.
    pub(crate) fn rights(&self) -> Self {
        let mut rights = Self::default();
        self.iter().filter(|(name, _)| is_right(name)).for_each(|(name, value)| rights.set(name, value));
        rights
    }

    fn take(&mut self) -> Vec<Entry> {
        self.entries.take().map(Arc::unwrap_or_clone).unwrap_or_default()
    }

    fn put(&mut self, entries: Vec<Entry>) {
        let hash = if entries.is_empty() { 0 } else { FixedState::with_seed(0).hash_one(&entries) };
        let reading = hash_of(&entries, sql::decides_literals);
        let names = hash_of(&entries, sql::decides_names);
        *self = Self { entries: (!entries.is_empty()).then(|| Arc::new(entries)), hash, reading, names };
    }

    /// Whether any of them decides what the client may do: a change must be known to have succeeded before it acts.
    pub(crate) fn holds_rights(&self) -> bool {
        self.iter().any(|(name, _)| is_right(name))
    }
}

/// Of the settings that decide something: the same for the same settings in whatever order.
fn hash_of(entries: &[Entry], decides: fn(&str) -> bool) -> u64 {
    let hasher = FixedState::with_seed(2);
    let decide = entries.iter().filter(|(name, _)| decides(&name.to_ascii_lowercase()));
    decide.fold(0, |hash, entry| hash ^ hasher.hash_one(entry))
}

fn is_right(name: &str) -> bool {
    matches!(name, "role" | "session_authorization")
}

/// What a server reports of itself (ParameterStatus), as one client was last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    entries: Vec<Entry>,
    hash: u64,
    strings: Strings,
    is_ambiguous: bool,
    is_other: bool,
    reading: u64,
}

/// Client encodings in which a byte of a character can look like a quote or backslash (PostgreSQL, "Character Set
/// Support": those not allowed in servers).
const AMBIGUOUS: [&str; 8] =
    ["SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS"];

/// What UTF-8 is called.
const UTF8: [&str; 3] = ["UTF8", "UTF-8", "UNICODE"];

impl Parameters {
    /// The value of a name, which is compared as reported.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// Sets or replaces one, keeping the server's order. Whether that changed anything.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> bool {
        match self.entries.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) if **known == *value => return false,
            Some((_, known)) => *known = value.into(),
            None => self.entries.push((name.into(), value.into())),
        }
        if name.eq_ignore_ascii_case("standard_conforming_strings") {
            self.strings = if value == "off" { Strings::Escapes } else { Strings::Standard };
        } else if name.eq_ignore_ascii_case("client_encoding") {
            self.is_ambiguous = AMBIGUOUS.iter().any(|encoding| encoding.eq_ignore_ascii_case(value));
            self.is_other = !UTF8.iter().any(|encoding| encoding.eq_ignore_ascii_case(value));
        }
        // Servers need not report in the same order.
        let hasher = FixedState::with_seed(1);
        self.hash = self.entries.iter().fold(0, |hash, entry| hash ^ hasher.hash_one(entry));
        self.reading = hash_of(&self.entries, sql::decides_literals);
        true
    }

    /// A hash of those alone that decide how literals are read.
    #[inline]
    pub(crate) fn reading(&self) -> u64 {
        self.reading
    }

    /// Differs from that of other parameters, but for a chance of 2⁻⁶⁴.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// What a backslash means in a string of SQL.
    #[inline]
    pub(crate) fn strings(&self) -> Strings {
        self.strings
    }

    /// Whether texts in the client's encoding cannot be read byte by byte.
    #[inline]
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Whether the client's encoding is UTF-8.
    #[inline]
    pub(crate) fn is_utf8(&self) -> bool {
        !self.is_other
    }

    /// Takes in what a server reports. Copies shared parameters only when something changes.
    pub(crate) fn report(parameters: &mut Arc<Self>, name: &[u8], value: &[u8]) {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        if parameters.get(&name) != Some(&*value) {
            Arc::make_mut(parameters).set(&name, &value);
        }
    }

    /// All of them, in the order the server sent them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        pairs.iter().for_each(|(name, value)| settings.set(name, value));
        settings
    }

    #[test]
    fn equal_settings_are_equal_however_they_came_about() {
        let mut a = settings(&[("timezone", "UTC"), ("search_path", "a, b")]);
        let b = settings(&[("search_path", "x"), ("search_path", "a, b"), ("timezone", "UTC")]);
        assert_eq!((&a, a.hash()), (&b, b.hash()));
        a.remove("timezone");
        assert_ne!(a.hash(), b.hash());
        a.remove("search_path");
        assert_eq!(a, Settings::default());
        assert_eq!(a.hash(), Settings::default().hash());
    }

    #[test]
    fn one_statement_leads_from_one_to_the_other() {
        let has = settings(&[("a", "1"), ("role", "x"), ("same", "y")]);
        let wants = settings(&[("b", "it's"), ("c", r"\"), ("same", "y")]);
        assert_eq!(
            has.change_to(&wants).unwrap().statement(),
            r"SELECT pg_catalog.set_config('role',NULL,false),pg_catalog.set_config('a',NULL,false),pg_catalog.set_config('b','it''s',false),pg_catalog.set_config('c', E'\\',false)"
        );
        assert!(wants.change_to(&wants).is_none());
        assert!(has.holds_rights() && !wants.holds_rights());
    }

    #[test]
    fn parameters_keep_the_servers_order() {
        let mut parameters = Parameters::default();
        assert!(parameters.set("TimeZone", "UTC"));
        assert!(parameters.set("DateStyle", "ISO"));
        assert!(!parameters.set("timezone", "UTC"));
        assert!(parameters.set("timezone", "CET"));
        assert_eq!(parameters.iter().collect::<Vec<_>>(), [("TimeZone", "CET"), ("DateStyle", "ISO")]);
    }
}
