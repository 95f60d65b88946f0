//! What is typed, byte by byte.

use std::io::{self, Read};

use tokio::sync::mpsc;

/// Keys that may wait to be acted upon.
const WAITING_KEYS: usize = 64;

/// Reads standard input on a thread of its own until it ends, and gives what `key` makes of its bytes.
pub(crate) fn read<Key: Send + 'static>(
    key: impl FnMut(u8) -> Option<Key> + Send + 'static,
) -> io::Result<mpsc::Receiver<Key>> {
    let (keys, receiver) = mpsc::channel(WAITING_KEYS);
    // Nobody waits for this thread: a read from a terminal cannot be called off.
    std::thread::Builder::new().name("keys".into()).spawn(move || {
        for key in io::stdin().lock().bytes().map_while(Result::ok).filter_map(key) {
            if keys.blocking_send(key).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
