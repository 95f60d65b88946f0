//! The content of a file, read piece by piece on tokio's blocking threads.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

use crate::body::{BodyError, BodyRead, Frame};
use crate::head::Fields;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A part of a file. It yields exactly the bytes it was made for, or fails: a file that shrinks meanwhile is
/// [`BodyError::Truncated`], never padded, and one that grows is not followed.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    /// Where to read next.
    offset: u64,
    /// Bytes not read yet.
    left: u64,
    piece: Vec<u8>,
    /// How much of the piece is used up.
    used: usize,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileBody {
    /// The `len` bytes at `offset`, of which `start` has been read already.
    pub(super) fn new(file: File, offset: u64, len: u64, start: Vec<u8>) -> Self {
        let read = start.len() as u64;
        debug_assert!(read <= len);
        Self {
            file: Arc::new(file),
            offset: offset + read,
            left: len - read,
            piece: start,
            used: 0,
            reading: None,
        }
    }
}

/// Reads up to a piece of the `left` bytes at an offset; nothing at the end of the file.
pub(super) fn read_piece(file: &File, offset: u64, left: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    let mut piece = vec![0; wanted];
    loop {
        match file.read_at(&mut piece, offset) {
            Ok(read) => {
                piece.truncate(read);
                return Ok(piece);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl BodyRead for FileBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        if self.used < self.piece.len() {
            return Poll::Ready(Ok(Frame::Data));
        }
        if self.left == 0 {
            return Poll::Ready(Ok(Frame::End));
        }
        let reading = self.reading.get_or_insert_with(|| {
            let (file, offset, left) = (Arc::clone(&self.file), self.offset, self.left);
            tokio::task::spawn_blocking(move || read_piece(&file, offset, left))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        self.piece = read.map_err(io::Error::other)??;
        self.used = 0;
        if self.piece.is_empty() {
            return Poll::Ready(Err(BodyError::Truncated));
        }
        self.offset += self.piece.len() as u64;
        self.left -= self.piece.len() as u64;
        Poll::Ready(Ok(Frame::Data))
    }

    fn data(&self) -> &[u8] {
        &self.piece[self.used..]
    }

    fn consume(&mut self, n: usize) {
        self.used += n;
        debug_assert!(self.used <= self.piece.len());
    }

    fn ends_with_data(&self) -> bool {
        self.left == 0
    }

    fn trailers(&self) -> Option<&Fields> {
        None
    }

    fn is_done(&self) -> bool {
        self.left == 0 && self.used == self.piece.len()
    }
}
