//! What the person at the keyboard wants: single keys from a terminal, or characters from a pipe.

use std::io;

use tokio::sync::mpsc;

use crate::terminal;

pub(super) use crate::terminal::KeyAtATime;

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Kill the instance at this position, or bring it back.
    Instance(usize),
    /// Slow an instance down, or let it be.
    Slow,
    /// A flash sale.
    FlashSale,
    /// A crowd at one page, in front of ever better protected caches.
    Crowd,
    /// A new price.
    Price,
    /// Instances that fail, and breakers.
    Break,
    /// More than the shop can carry.
    Overload,
    /// Another configuration.
    Reload,
    /// What the lens advises, before and after.
    Advice,
    /// The end.
    Quit,
}

impl Key {
    fn parse(byte: u8) -> Option<Self> {
        match byte.to_ascii_lowercase() {
            digit @ b'1'..=b'9' => Some(Self::Instance(usize::from(digit - b'1'))),
            b's' => Some(Self::Slow),
            b'f' => Some(Self::FlashSale),
            b'c' => Some(Self::Crowd),
            b'p' => Some(Self::Price),
            b'b' => Some(Self::Break),
            b'o' => Some(Self::Overload),
            b'r' => Some(Self::Reload),
            b'a' => Some(Self::Advice),
            b'q' => Some(Self::Quit),
            _ => None,
        }
    }
}

/// Wishes from standard input until it ends. The end of a pipe is no wish to quit.
pub(super) fn read() -> io::Result<mpsc::Receiver<Key>> {
    terminal::read(Key::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_stray_keys_are_no_wishes() {
        let keys: Vec<Key> = b"1\nF\r\n x?3cPboraq".iter().filter_map(|byte| Key::parse(*byte)).collect();
        let expected = [
            Key::Instance(0),
            Key::FlashSale,
            Key::Instance(2),
            Key::Crowd,
            Key::Price,
            Key::Break,
            Key::Overload,
            Key::Reload,
            Key::Advice,
            Key::Quit,
        ];
        assert_eq!(keys, expected);
    }
}
