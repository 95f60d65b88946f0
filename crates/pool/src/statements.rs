//! Prepared statements, shared: clients that prepare the same text share one name on each server connection.

mod seen;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use deepwater_pgwire::sql::{self, Strings, Verdict};

pub(crate) use seen::{Seen, Sight};

/// A statement some client has prepared.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Unique in this process.
    pub id: u64,
    /// Its name on servers.
    pub name: Box<str>,
    /// The text.
    pub query: Box<[u8]>,
    /// The types of its parameters, as Parse carries them: a count and that many object ids.
    pub types: Box<[u8]>,
    /// What running it does to a session.
    pub verdict: Verdict,
    /// How its literals are read; none if only one client has it, since that was not certain.
    pub reading: Option<u64>,
    /// When the pooler made it of a text that clients repeat without a name, in microseconds since the process began; none
    /// if a client has given it a name.
    pub repeated: Option<u64>,
}

/// All statements clients hold, by text, types, and how literals are read.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    known: Mutex<Known>,
    next: AtomicU64,
    generation: AtomicU64,
}

type Known = HashMap<Box<[u8]>, Weak<Statement>, foldhash::fast::RandomState>;

/// Entries whose statement is gone are swept when there are this many, and then whenever the number has doubled.
const SWEEP_FROM: usize = 1_024;

/// How long a statement of the pooler's own serves, in microseconds. A client that prepares for one use sees its text read
/// anew: what types the server takes parameters for, which table a name means. That may have changed since.
const REPEATED_MICROS: u64 = 60_000_000;

/// A text longer than this is not prepared for its clients, in bytes.
const REPEATED_BYTES: usize = 64 * 1024;

impl Statements {
    /// A number that no other statement has.
    pub(crate) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Changes whenever names may mean another thing from here on: part of how texts are read that clients repeat.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Something was defined, or dropped: what clients repeat is prepared anew.
    pub(crate) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The statement with this text and these types. `reading` tells how its literals are read, which is when it is
    /// prepared; none if that is not certain, and then nobody else shares it.
    pub(crate) fn intern(
        &self,
        query: &[u8],
        types: &[u8],
        strings: Strings,
        reading: Option<u64>,
        verdict: impl FnOnce() -> Verdict,
    ) -> Arc<Statement> {
        let Some(how) = reading else { return Arc::new(self.make(query, types, None, None, verdict())) };
        let key = key(query, types, strings, how, false);
        let mut known = self.known.lock().expect("no panic while statements are held");
        if let Some(statement) = known.get(key.as_slice()).and_then(Weak::upgrade) {
            return statement;
        }
        let statement = Arc::new(self.make(query, types, reading, None, verdict()));
        enter(&mut known, key, &statement);
        statement
    }

    /// The statement of the pooler's own for a text that clients repeat without a name, at the time `now`; none if the text
    /// may mean something else the next time. Clients' own are not shared with it.
    pub(crate) fn repeated(
        &self,
        query: &[u8],
        types: &[u8],
        strings: Strings,
        reading: u64,
        now: u64,
    ) -> Option<Arc<Statement>> {
        if query.len() > REPEATED_BYTES {
            return None;
        }
        let key = key(query, types, strings, reading, true);
        let young = |statement: &Arc<Statement>| {
            statement.repeated.is_some_and(|made| now.saturating_sub(made) < REPEATED_MICROS)
        };
        let held = || self.known.lock().expect("no panic while statements are held");
        let known = held().get(key.as_slice()).and_then(Weak::upgrade).filter(young);
        if known.is_some() {
            return known;
        }
        if !sql::is_repeatable(query, strings) {
            return None;
        }
        let verdict = Verdict { statements: 1, ..Verdict::default() };
        let statement = Arc::new(self.make(query, types, Some(reading), Some(now), verdict));
        enter(&mut held(), key, &statement);
        Some(statement)
    }

    /// Something has changed under a statement of the pooler's own: its text is prepared anew the next time.
    pub(crate) fn retire(&self, statement: &Statement, strings: Strings) {
        let Some(reading) = statement.reading else { return };
        let key = key(&statement.query, &statement.types, strings, reading, true);
        let mut known = self.known.lock().expect("no panic while statements are held");
        let there = known.get(key.as_slice()).and_then(Weak::upgrade);
        if there.is_some_and(|there| there.id == statement.id) {
            known.remove(key.as_slice());
        }
    }

    fn make(
        &self,
        query: &[u8],
        types: &[u8],
        reading: Option<u64>,
        repeated: Option<u64>,
        verdict: Verdict,
    ) -> Statement {
        let id = self.next_id();
        let name = format!("deepwater_{id}").into();
        Statement { id, name, query: query.into(), types: types.into(), verdict, reading, repeated }
    }
}

/// What makes two statements the same. The text has no NUL in it, so the parts cannot run into each other; what a text does
/// may hang on how its strings are meant.
fn key(query: &[u8], types: &[u8], strings: Strings, reading: u64, repeated: bool) -> Vec<u8> {
    let mut key = Vec::with_capacity(query.len() + 2 + size_of_val(&reading) + types.len());
    key.extend_from_slice(query);
    key.push(0);
    key.push(u8::from(strings == Strings::Escapes) | u8::from(repeated) << 1);
    key.extend_from_slice(&reading.to_ne_bytes());
    key.extend_from_slice(types);
    key
}

fn enter(known: &mut Known, key: Vec<u8>, statement: &Arc<Statement>) {
    if known.len() >= SWEEP_FROM && known.len() == known.capacity() {
        known.retain(|_, statement| statement.strong_count() > 0);
    }
    known.insert(key.into(), Arc::downgrade(statement));
}

/// The statements that one server connection has, the least recently used dropped first.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    entries: HashMap<u64, Entry, foldhash::fast::FixedState>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    statement: Arc<Statement>,
    used: u64,
}

impl Prepared {
    /// Whether the connection has the statement; it then counts as used.
    #[inline]
    pub(crate) fn touch(&mut self, id: u64) -> bool {
        self.clock += 1;
        match self.entries.get_mut(&id) {
            Some(entry) => {
                entry.used = self.clock;
                true
            }
            None => false,
        }
    }

    /// Notes that it has the statement; returns those beyond the limit, which must be closed.
    pub(crate) fn add(&mut self, statement: Arc<Statement>, limit: usize) -> Vec<Arc<Statement>> {
        self.clock += 1;
        self.entries.insert(statement.id, Entry { statement, used: self.clock });
        let mut evicted = Vec::new();
        while self.entries.len() > limit.max(1) {
            // Preparing is rare beside using: a scan of some hundred entries costs less than order kept on every use.
            let Some(oldest) = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id)
            else {
                break;
            };
            evicted.extend(self.entries.remove(&oldest).map(|entry| entry.statement));
        }
        evicted
    }

    /// Notes that it has it no more.
    pub(crate) fn remove(&mut self, id: u64) {
        self.entries.remove(&id);
    }

    /// Notes that it has none.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes that it has none but those with these numbers.
    pub(crate) fn retain(&mut self, ids: &[u64]) {
        self.entries.retain(|id, _| ids.contains(id));
    }

    /// How many it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_pgwire::sql;

    #[test]
    fn equal_texts_are_one_statement_while_anybody_holds_it() {
        let statements = Statements::default();
        let intern = |query: &[u8], types: &[u8]| {
            statements.intern(query, types, Strings::Standard, Some(0), || sql::read(query))
        };
        let first = intern(b"SELECT $1", &[0, 0]);
        assert!(Arc::ptr_eq(&first, &intern(b"SELECT $1", &[0, 0])));
        assert_ne!(first.id, intern(b"SELECT $1", &[0, 1, 0, 0, 0, 23]).id);
        let read_as = |reading| {
            statements.intern(b"SELECT $1", &[0, 0], Strings::Standard, reading, Verdict::default).id
        };
        assert_eq!(read_as(Some(0)), first.id);
        assert_ne!(read_as(Some(1)), first.id, "its literals are read differently");
        assert_ne!(read_as(None), read_as(None), "it is nobody else's");
        let id = first.id;
        drop(first);
        assert_ne!(intern(b"SELECT $1", &[0, 0]).id, id, "a name is never used twice");
    }

    #[test]
    fn a_repeated_text_has_a_statement_of_its_own_for_a_while() {
        let statements = Statements::default();
        let repeated = |text: &[u8], now| {
            statements.repeated(text, &[0, 0], Strings::Standard, 0, now).map(|it| (it.id, it))
        };
        let (first, held) = repeated(b"SELECT $1", 5).expect("it may be repeated");
        assert_eq!(repeated(b"SELECT $1", 5 + REPEATED_MICROS - 1).map(|it| it.0), Some(first));
        let named = statements.intern(b"SELECT $1", &[0, 0], Strings::Standard, Some(0), Verdict::default);
        assert_ne!(named.id, first, "a client's own is another");
        let (second, renewed) = repeated(b"SELECT $1", 5 + REPEATED_MICROS).expect("it may be repeated");
        assert_ne!(second, first, "it is prepared anew now and then");
        statements.retire(&held, Strings::Standard);
        assert_eq!(repeated(b"SELECT $1", 5 + REPEATED_MICROS).map(|it| it.0), Some(second));
        statements.retire(&renewed, Strings::Standard);
        assert_ne!(repeated(b"SELECT $1", 5 + REPEATED_MICROS).map(|it| it.0), Some(second));
        assert!(repeated(b"SELECT 'now'::timestamptz", 5).is_none());
        assert!(
            repeated(&[b"SELECT ".as_slice(), &[b'1'; REPEATED_BYTES]].concat(), 5).is_none(),
            "too long"
        );
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let statements = Statements::default();
        let intern = |query: &str| {
            let read = || sql::read(query.as_bytes());
            statements.intern(query.as_bytes(), &[0, 0], Strings::Standard, Some(0), read)
        };
        let (a, b, c) = (intern("SELECT 1"), intern("SELECT 2"), intern("SELECT 3"));
        let mut prepared = Prepared::default();
        assert!(prepared.add(Arc::clone(&a), 2).is_empty());
        assert!(prepared.add(Arc::clone(&b), 2).is_empty());
        assert!(prepared.touch(a.id));
        let evicted = prepared.add(c, 2);
        assert_eq!(evicted.iter().map(|statement| statement.id).collect::<Vec<_>>(), [b.id]);
        assert!(!prepared.touch(b.id) && prepared.touch(a.id));
        assert_eq!(prepared.len(), 2);
    }
}
