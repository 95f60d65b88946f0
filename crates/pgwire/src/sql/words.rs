//! Words that mean something.

use super::Marks;

/// The longest word that anything is compared with.
const LONGEST: usize = 40;

/// Room for a word in lower case.
pub(super) type Room = [u8; LONGEST];

/// Empty room.
pub(super) fn room() -> Room {
    [0; LONGEST]
}

/// A word in lower case; empty when it is longer than any that matters. The room stays where it is: copying it right
/// after it is written would make the processor wait.
pub(super) fn lower<'a>(word: &[u8], room: &'a mut Room) -> &'a [u8] {
    if word.len() > LONGEST {
        return &[];
    }
    for (eight, part) in room.chunks_exact_mut(8).zip(word.chunks(8)) {
        eight.copy_from_slice(&to_lower(up_to_eight(part)).to_le_bytes());
    }
    &room[..word.len()]
}

/// Up to eight bytes as a number, the first lowest.
pub(super) fn up_to_eight(part: &[u8]) -> u64 {
    // Two overlapping halves: where they overlap they agree.
    let halves = |first: u64, last: u64, len: usize| first | last << (8 * (part.len() - len));
    match (part.first_chunk::<8>(), part.first_chunk::<4>(), part.first_chunk::<2>(), part) {
        (Some(eight), ..) => u64::from_le_bytes(*eight),
        (_, Some(first), ..) => {
            let last = part.last_chunk::<4>().unwrap_or(first);
            halves(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into(), 4)
        }
        (.., Some(first), _) => {
            let last = part.last_chunk::<2>().unwrap_or(first);
            halves(u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into(), 2)
        }
        (.., [one]) => u64::from(*one),
        _ => 0,
    }
}

/// Eight bytes with their ASCII letters in lower case.
fn to_lower(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let low = bytes & !HIGH;
    // The high bit of each byte that is at least A, and after Z.
    let from_a = low + ONES * u64::from(0x80 - b'A');
    let after_z = low + ONES * u64::from(0x7f - b'Z');
    bytes | (((from_a ^ after_z) & !bytes & HIGH) >> 2)
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

/// Whether a word can be `into`, `insert`, `merge`, `update`, `pg_settings` or one that [`function`] knows, by its
/// length and a letter or two: nearly every word of nearly every text cannot.
pub(super) fn is_worth_a_look(word: &[u8]) -> bool {
    match (word.len(), word[0] | 0x20) {
        (4 | 6, b'i') | (6, b'u') | (5, b'm') | (10, b's') | (14..=16, b'd') => true,
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
        let mut room = room();
        let word = lower(word, &mut room);
        let known = matches!(
            word,
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
        let function = function(word);
        known || is_temporary_schema(word) || !function.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_in_lower_case() {
        let all: Vec<u8> = (0..=255).collect();
        for start in 0..=255 {
            for word in (start..=256.min(start + LONGEST)).map(|end| &all[start..end]) {
                assert_eq!(lower(word, &mut room()), word.to_ascii_lowercase());
            }
        }
        assert_eq!(lower(&[b'a'; LONGEST + 1], &mut room()), b"");
    }
}
