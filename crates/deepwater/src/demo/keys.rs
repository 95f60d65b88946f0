//! What the person at the keyboard wants: single keys from a terminal, or characters from a pipe.

use std::io::{self, Read};

use tokio::sync::mpsc;

pub(super) use crate::terminal::KeyAtATime;

/// Keys that may wait to be acted upon.
const WAITING_KEYS: usize = 64;

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

/// Reads standard input on a thread of its own until it ends. The end of a pipe is no wish to quit.
pub(super) fn read() -> io::Result<mpsc::Receiver<Key>> {
    let (keys, receiver) = mpsc::channel(WAITING_KEYS);
    // Nobody waits for this thread: a read from a terminal cannot be called off.
    std::thread::Builder::new().name("keys".into()).spawn(move || {
        let wishes = io::stdin().lock().bytes().map_while(Result::ok).filter_map(Key::parse);
        for key in wishes {
            if keys.blocking_send(key).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
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
