//! What the person at the keyboard wants.

use std::io;

use tokio::sync::mpsc;

use crate::terminal;

/// Bytes of the longest sequence that means something; a terminal may send longer ones.
const LONGEST: usize = 16;

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Pause,
    /// Lines down; up when negative.
    Lines(isize),
    /// Screens down; up when negative.
    Screens(isize),
    Top,
    Bottom,
}

/// Puts the bytes of a terminal together: arrows and the like come as several.
#[derive(Debug, Default)]
struct Parser {
    /// What came since an escape.
    sequence: Option<Vec<u8>>,
}

impl Parser {
    fn feed(&mut self, byte: u8) -> Option<Key> {
        let Some(sequence) = &mut self.sequence else {
            if byte == 0x1b {
                self.sequence = Some(Vec::new());
                return None;
            }
            return plain(byte);
        };
        match (sequence.is_empty(), byte) {
            // `ESC [` and `ESC O` go on; anything else was the key Escape and then another.
            (true, b'[' | b'O') => sequence.push(byte),
            (true, 0x1b) => {}
            (true, byte) => {
                self.sequence = None;
                return plain(byte);
            }
            // ECMA-48 §5.4: parameters and intermediates, then one final byte.
            (false, 0x20..=0x3f) if sequence.len() < LONGEST => sequence.push(byte),
            (false, _) => {
                sequence.push(byte);
                let sequence = self.sequence.take().unwrap_or_default();
                return special(&sequence);
            }
        }
        None
    }
}

fn plain(byte: u8) -> Option<Key> {
    Some(match byte.to_ascii_lowercase() {
        b'q' => Key::Quit,
        b'p' | b' ' => Key::Pause,
        b'k' => Key::Lines(-1),
        b'j' => Key::Lines(1),
        _ => return None,
    })
}

fn special(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        b"[A" | b"OA" => Key::Lines(-1),
        b"[B" | b"OB" => Key::Lines(1),
        b"[5~" => Key::Screens(-1),
        b"[6~" => Key::Screens(1),
        b"[H" | b"OH" | b"[1~" => Key::Top,
        b"[F" | b"OF" | b"[4~" => Key::Bottom,
        _ => return None,
    })
}

/// Keys from standard input until it ends.
pub(super) fn read() -> io::Result<mpsc::Receiver<Key>> {
    let mut parser = Parser::default();
    terminal::read(move |byte| parser.feed(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut parser = Parser::default();
        bytes.iter().filter_map(|byte| parser.feed(*byte)).collect()
    }

    #[test]
    fn keys_are_letters_or_sequences() {
        assert_eq!(keys(b"Pq jk\n?"), [Key::Pause, Key::Quit, Key::Pause, Key::Lines(1), Key::Lines(-1)]);
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[5~"), [Key::Lines(-1), Key::Lines(1), Key::Screens(-1)]);
        assert_eq!(keys(b"\x1b[6~\x1b[H\x1b[4~"), [Key::Screens(1), Key::Top, Key::Bottom]);
    }

    #[test]
    fn what_is_no_wish_does_no_harm() {
        // Ctrl and an arrow, a mouse, a function key: none holds a `q` or a `p` of its own.
        assert_eq!(keys(b"\x1b[1;5A\x1b[<0;33;17M\x1b[24~\x1bOP"), []);
        assert_eq!(keys(b"\x1bq"), [Key::Quit], "escape, then a key");
        assert_eq!(keys(b"\x1b\x1b[B"), [Key::Lines(1)]);
        let endless = [b"\x1b[".as_slice(), &b"1".repeat(1_000), b"q"].concat();
        assert_eq!(keys(&endless).last(), Some(&Key::Quit));
        for byte in 0..=u8::MAX {
            keys(&[0x1b, b'[', byte, 0x1b, byte]);
        }
    }
}
