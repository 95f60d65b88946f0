//! `/proc/net/tcp` and `/proc/net/tcp6`.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

pub(crate) const ESTABLISHED: u8 = 0x01;
pub(crate) const TIME_WAIT: u8 = 0x06;
pub(crate) const LISTEN: u8 = 0x0a;

const CHUNK: usize = 64 * 1_024;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// As the kernel numbers TCP's states.
    pub(crate) state: u8,
    /// Bytes received and not read; of a listener, connections not accepted.
    pub(crate) queued: u32,
    /// Zero for a socket no process holds any more.
    pub(crate) inode: u64,
}

/// Reads a line: number, local and remote address, state, queues, timer, retransmissions, user, timeout, inode.
pub(crate) fn entry(line: &[u8]) -> Option<Entry> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next()?.strip_suffix(':')?.parse::<u64>().ok()?;
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let (_, queued) = words.next()?.split_once(':')?;
    let queued = u32::from_str_radix(queued, 16).ok()?;
    let inode = words.nth(4)?.parse().ok()?;
    Some(Entry { local, remote, state, queued, inode })
}

/// Four bytes, or four times four, each four a number of this machine's byte order; then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?.to_ne_bytes());
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// Hands over each line after the head, until `take` wants no more. A line is never longer than the buffer.
pub(crate) fn each_line(
    path: &Path,
    buffer: &mut Vec<u8>,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    buffer.resize(CHUNK, 0);
    let (mut filled, mut head) = (0, true);
    loop {
        let read = match file.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let whole = buffer[..filled].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in buffer[..whole].split_inclusive(|byte| *byte == b'\n') {
            if !std::mem::take(&mut head) && !take(line) {
                return Ok(());
            }
        }
        // The kernel writes no such line; whatever this is, no more of it is read.
        let stuck = whole == 0 && filled == buffer.len();
        if read == 0 || stuck {
            return Ok(());
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}
