//! What a client calls its statements.

use std::collections::HashMap;
use std::sync::Arc;

use deepwater_pgwire::sql::{self, Verdict};

use super::expect::Named;
use super::sql::SqlPrepared;
use crate::statements::Statement;

/// What a client calls its statements. Takes no memory for a client that has none.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) kept: Option<Box<Kept>>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) named: HashMap<Box<[u8]>, Arc<Statement>, foldhash::fast::RandomState>,
    /// The text and types of the unnamed statement, as Parse carries them.
    pub(super) unnamed: Vec<u8>,
    pub(super) has_unnamed: bool,
    /// The unnamed statement, where it is one that the pooler has made of a repeated text.
    pub(super) repeated: Option<Arc<Statement>>,
    /// Whether one of them may be a LISTEN or UNLISTEN.
    pub(super) listen: bool,
    /// What running it does, if it does anything.
    pub(super) unnamed_verdict: Option<Verdict>,
    pub(super) sql: HashMap<String, Arc<SqlPrepared>>,
}

/// A client's statement without a name.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Text and types, as Parse carries them; none if there is no such statement.
    text: Option<Vec<u8>>,
    /// What running it does, if it does anything.
    verdict: Option<Verdict>,
    /// It is one that the pooler has made.
    repeated: Option<Arc<Statement>>,
}

/// Statements that one client may name.
pub(super) const MAX_NAMES: usize = 65_536;

/// The longest unnamed statement kept in the memory of an idle client, in bytes.
const UNNAMED_BYTES: usize = 4 * 1024;

fn listens(verdict: &Verdict) -> bool {
    use sql::Statement::{Listen, Unlisten, UnlistenAll};
    verdict.session.iter().any(|statement| matches!(statement, Listen(_) | Unlisten(_) | UnlistenAll))
}

impl Names {
    pub(super) fn kept(&mut self) -> &mut Kept {
        self.kept.get_or_insert_with(Box::default)
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.kept.as_ref()?.named.get(name)
    }

    /// What the protocol's messages mean by a name, the empty one included; none if only the server knows.
    #[inline]
    pub(super) fn statement(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        if name.is_empty() { self.kept.as_ref()?.repeated.as_ref() } else { self.get(name) }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Statement>> {
        self.kept.as_mut()?.named.remove(name)
    }

    /// What the protocol's messages mean by a name only the server knows from here on.
    pub(super) fn forget(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.drop_unnamed();
        } else {
            self.remove(name);
        }
    }

    /// Enters a statement under its name.
    pub(super) fn insert(&mut self, named: Named) {
        let kept = self.kept();
        if named.name.is_empty() {
            return self.keep_repeated(named.statement);
        }
        kept.listen |= listens(&named.statement.verdict);
        kept.named.insert(named.name, named.statement);
    }

    /// Whether one of them may be a LISTEN or UNLISTEN.
    #[inline]
    pub(super) fn listen(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.listen)
    }

    /// What running a statement of this name does, if it is known.
    pub(super) fn verdict(&self, name: &[u8]) -> Option<&Verdict> {
        let kept = self.kept.as_ref()?;
        if name.is_empty() {
            return kept.unnamed_verdict.as_ref().filter(|_| kept.has_unnamed);
        }
        kept.named.get(name).map(|statement| &statement.verdict)
    }

    /// Forgets all statements but those with these numbers.
    pub(super) fn retain(&mut self, ids: &[u64]) {
        if let Some(kept) = &mut self.kept {
            kept.named.retain(|_, statement| ids.contains(&statement.id));
            kept.sql.clear();
        }
    }

    /// All of the protocol's that have a name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&[u8], &Arc<Statement>)> {
        let named = self.kept.iter().flat_map(|kept| &kept.named);
        named.map(|(name, statement)| (&**name, statement))
    }

    /// The one without a name: text and types, as Parse carries them.
    pub(super) fn unnamed(&self) -> Option<Vec<u8>> {
        let kept = self.kept.as_ref()?;
        match &kept.repeated {
            Some(statement) => Some([&statement.query[..], &[0], &statement.types].concat()),
            None => kept.has_unnamed.then(|| kept.unnamed.clone()),
        }
    }

    /// Keeps the one without a name, and what running it does.
    pub(super) fn keep_unnamed(&mut self, unnamed: &[u8], verdict: Verdict) {
        let kept = self.kept();
        kept.unnamed.clear();
        kept.unnamed.extend_from_slice(unnamed);
        kept.has_unnamed = true;
        kept.repeated = None;
        kept.listen |= listens(&verdict);
        kept.unnamed_verdict = (!verdict.is_plain()).then_some(verdict);
    }

    /// The one without a name is one that the pooler has made.
    pub(super) fn keep_repeated(&mut self, statement: Arc<Statement>) {
        self.drop_unnamed();
        self.kept().repeated = Some(statement);
    }

    /// Takes out the one without a name.
    pub(super) fn take_unnamed(&mut self) -> Taken {
        let Some(kept) = &mut self.kept else { return Taken::default() };
        let there = std::mem::take(&mut kept.has_unnamed);
        Taken {
            text: there.then(|| std::mem::take(&mut kept.unnamed)),
            verdict: kept.unnamed_verdict.take(),
            repeated: kept.repeated.take(),
        }
    }

    /// Puts it back.
    pub(super) fn put_unnamed(&mut self, taken: Taken) {
        let kept = self.kept();
        kept.has_unnamed = taken.text.is_some();
        kept.unnamed = taken.text.unwrap_or_default();
        kept.unnamed_verdict = taken.verdict;
        kept.repeated = taken.repeated;
    }

    /// Whether there are any made with PREPARE.
    pub(super) fn has_sql(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.sql.is_empty())
    }

    pub(super) fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.named.len())
    }

    /// An error with the client's names in place of ours; none if none of ours is in it. `unnamed` is the number of the
    /// statement it met, if that has no name to the client.
    pub(super) fn in_error(&self, payload: &[u8], unnamed: Option<u64>) -> Option<Vec<u8>> {
        let mut at = memchr::memmem::find(payload, PREFIX.as_bytes())?;
        let mut renamed = Vec::with_capacity(payload.len());
        let mut rest = payload;
        loop {
            renamed.extend_from_slice(&rest[..at]);
            rest = &rest[at + PREFIX.len()..];
            match rest.split_first() {
                Some((b':', name)) => rest = name,
                Some((b'_', number)) => {
                    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let id =
                        std::str::from_utf8(&number[..digits]).ok().and_then(|digits| digits.parse().ok());
                    let named = |id: u64| {
                        let kept = self.kept.as_ref()?;
                        if unnamed == Some(id) || kept.repeated.as_ref().is_some_and(|own| own.id == id) {
                            return Some(&[][..]);
                        }
                        kept.named.iter().find(|(_, statement)| statement.id == id).map(|(name, _)| &**name)
                    };
                    match id.and_then(named) {
                        Some(name) => {
                            renamed.extend_from_slice(name);
                            rest = &number[digits..];
                        }
                        None => renamed.extend_from_slice(PREFIX.as_bytes()),
                    }
                }
                _ => renamed.extend_from_slice(PREFIX.as_bytes()),
            }
            match memchr::memmem::find(rest, PREFIX.as_bytes()) {
                Some(next) => at = next,
                None => break,
            }
        }
        renamed.extend_from_slice(rest);
        Some(renamed)
    }

    /// Gives back memory that an idle client does not need.
    #[inline]
    pub(super) fn trim(&mut self) {
        if let Some(kept) = &mut self.kept
            && kept.unnamed.capacity() > UNNAMED_BYTES
        {
            if !kept.has_unnamed {
                kept.unnamed.clear();
            }
            kept.unnamed.shrink_to_fit();
        }
    }

    /// A simple query ends the unnamed statement.
    #[inline]
    pub(super) fn drop_unnamed(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.has_unnamed = false;
            kept.repeated = None;
        }
    }

    pub(super) fn sql(&self, name: &str) -> Option<&Arc<SqlPrepared>> {
        self.kept.as_ref()?.sql.get(name)
    }

    pub(super) fn sql_len(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.sql.len())
    }

    pub(super) fn add_sql(&mut self, name: String, prepared: Arc<SqlPrepared>) {
        self.kept().sql.insert(name, prepared);
    }

    pub(super) fn remove_sql(&mut self, name: &str) -> Option<(String, Arc<SqlPrepared>)> {
        self.kept.as_mut()?.sql.remove_entry(name)
    }
}

/// What our own names on servers begin with.
const PREFIX: &str = "deepwater";

/// A name that no client has, so that the server says that it does not exist.
pub(super) fn nobodys(name: &[u8]) -> Vec<u8> {
    [PREFIX.as_bytes(), b":", name].concat()
}
