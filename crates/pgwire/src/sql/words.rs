//! Words that mean something.

use super::Marks;

/// The longest word that anything is compared with.
pub(super) const LONGEST: usize = 40;

/// A word in lower case; empty when it is longer than any that matters.
pub(super) struct Lower {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Lower {
    pub(super) fn new(word: &[u8]) -> Self {
        let mut lower = Self { bytes: [0; LONGEST], len: 0 };
        if let Some(room) = lower.bytes.get_mut(..word.len()) {
            room.copy_from_slice(word);
            room.make_ascii_lowercase();
            lower.len = word.len();
        }
        lower
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What calling the function of that name, in lower case, does to the session.
pub(super) fn function(name: &[u8]) -> Marks {
    match name {
        b"set_config" => Marks::SET_CONFIG,
        b"pg_advisory_lock"
        | b"pg_advisory_lock_shared"
        | b"pg_try_advisory_lock"
        | b"pg_try_advisory_lock_shared" => Marks::ADVISORY_LOCK,
        b"pg_advisory_unlock" | b"pg_advisory_unlock_shared" | b"pg_advisory_unlock_all" => {
            Marks::ADVISORY_UNLOCK
        }
        b"pg_notify" => Marks::NOTIFY,
        b"pg_backup_start"
        | b"pg_start_backup"
        | b"pg_replication_origin_session_setup"
        | b"pg_create_physical_replication_slot"
        | b"pg_create_logical_replication_slot"
        | b"pg_copy_physical_replication_slot"
        | b"pg_copy_logical_replication_slot"
        | b"dblink_connect"
        | b"dblink_connect_u" => Marks::SESSION_FUNCTION,
        _ => Marks::NONE,
    }
}

/// Whether a word can be `into` or one that [`function`] knows, by its length and a letter or two: nearly every word
/// of nearly every text cannot.
pub(super) fn is_worth_a_look(word: &[u8]) -> bool {
    match (word.len(), word[0] | 0x20) {
        (4, b'i') | (10, b's') | (14..=16, b'd') => true,
        (9.., b'p') => word[2] == b'_',
        _ => false,
    }
}

/// Whether it is the schema of what is temporary in this session: `pg_temp`, or `pg_temp_7` when it is its own.
pub(super) fn is_temporary_schema(name: &[u8]) -> bool {
    name.strip_prefix(b"pg_temp").is_some_and(|rest| rest.is_empty() || rest[0] == b'_')
}

/// Whether code in whatever language, or a text to become code, names what could change the session.
pub(super) fn mentions_session(code: &[u8]) -> bool {
    let in_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    code.split(|b| !in_word(b)).any(|word| {
        let word = Lower::new(word);
        let known = matches!(
            word.as_bytes(),
            b"set"
                | b"reset"
                | b"prepare"
                | b"execute"
                | b"deallocate"
                | b"discard"
                | b"listen"
                | b"temp"
                | b"temporary"
                | b"load"
        );
        let function = function(word.as_bytes());
        known || is_temporary_schema(word.as_bytes()) || !function.is_empty()
    })
}
