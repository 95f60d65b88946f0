//! Copying through a buffer: where there is no `splice(2)`, or no pipe to be had.

use std::io;

use tokio::net::TcpStream;

use super::{Pause, TURN_BYTES};
use crate::io::{Buffer, Slabs};

/// Moves what the source has, until it has no more at present, has finished or its turn is over. The buffer is
/// emptied before it is filled again: a slow receiver slows its sender.
///
/// # Errors
/// Those of the sockets.
pub(super) async fn carry(
    from: &TcpStream,
    to: &TcpStream,
    slabs: &Slabs,
    moved: &impl Fn(usize),
) -> io::Result<Pause> {
    let mut buffer = Buffer::new(slabs);
    let mut turn = 0;
    while turn < TURN_BYTES {
        match from.try_read(buffer.room()) {
            Ok(0) => return Ok(Pause::Finished),
            Ok(n) => {
                buffer.advance(n);
                turn += n;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Pause::Drained),
            Err(error) => return Err(error),
        }
        while !buffer.is_empty() {
            match to.try_write(buffer.filled()) {
                Ok(n) => {
                    buffer.consume(n);
                    moved(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Pause::Yielded)
}
