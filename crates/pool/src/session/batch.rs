//! The client's messages since its last Sync, kept in case a stale plan makes them fail.

use deepwater_pgwire::message::frontend as frontend_tags;
use deepwater_pgwire::message::{self, HEADER_BYTES};

/// A batch of the extended protocol, kept while it may have to be sent again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub state: BatchState,
    /// The client has been sent something of the answer.
    pub answered: bool,
    /// The number of the pooler's own statement that the client has last prepared in it: of that it knows nothing from before.
    pub prepares: Option<u64>,
}

/// Whether a batch can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum BatchState {
    /// Nothing is kept.
    #[default]
    Off,
    /// Messages are added.
    Open,
    /// The Sync was the last.
    Whole,
    /// It is to be sent again when the server is ready.
    Again,
    /// It has been sent again.
    Spent,
}

/// The longest batch that is kept, in bytes.
const BATCH_BYTES: usize = 16 * 1024;

impl Batch {
    /// Adds a message; a batch that grows too long is not kept.
    pub(super) fn add(&mut self, message: &[u8]) {
        if self.state == BatchState::Open {
            if self.bytes.len() + message.len() > BATCH_BYTES {
                self.stop();
            } else {
                self.bytes.extend_from_slice(message);
            }
        }
    }

    /// The first message was answered without the server: it need not be sent again.
    pub(super) fn drop_first(&mut self) {
        if let Ok(Some(header)) = message::header(&self.bytes) {
            self.bytes.drain(..header.total().min(self.bytes.len()));
        }
    }

    /// Whether the client asked for a description of what it runs, so that it will not take new columns for old ones.
    pub(super) fn describes_portal(&self) -> bool {
        let mut rest = self.bytes.as_slice();
        while let Ok(Some(header)) = message::header(rest) {
            if header.tag == frontend_tags::DESCRIBE && rest.get(HEADER_BYTES) == Some(&b'P') {
                return true;
            }
            rest = rest.get(header.total()..).unwrap_or_default();
        }
        false
    }

    /// Nothing is kept any more.
    pub(super) fn stop(&mut self) {
        self.state = BatchState::Off;
        self.bytes.clear();
    }
}
