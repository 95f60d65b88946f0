//! A relay that does nothing but pass bytes: what system calls alone cost, and so the least a pooler can take.
//!
//! `relay PORT TARGET_PORT`, on loopback: a connection to the target for each client, one thread, for each piece one wake-up,
//! one read and one write. Built by bench/run with plain `rustc -O`; standard library only, Linux only.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

mod epoll;

use epoll::Epoll;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The number of the listener; connections have the others, both ends of each a pair of an even and an odd one.
const LISTENER: usize = usize::MAX;
const PIECE_BYTES: usize = 64 * 1024;
/// Nothing is due at any time.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn connected(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut port = || -> Result<u16> { Ok(arguments.next().ok_or("usage: relay PORT TARGET_PORT")?.parse()?) };
    let (port, target) = (port()?, port()?);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut epoll = Epoll::new()?;
    epoll.watch(&listener, LISTENER)?;
    let mut ends: Vec<Option<TcpStream>> = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let ready: Vec<usize> = epoll.wait(FOR_EVER)?.collect();
        for number in ready {
            if number == LISTENER {
                for end in [listener.accept()?.0, TcpStream::connect(("127.0.0.1", target))?] {
                    let end = connected(end)?;
                    epoll.watch(&end, ends.len())?;
                    ends.push(Some(end));
                }
            } else if !pass(&ends, number, &mut piece) {
                // Their end is that of both. Numbers are not used again: what is ready may speak of them still.
                (ends[number], ends[number ^ 1]) = (None, None);
            }
        }
    }
}

/// Passes on what can be read; whether both ends live.
fn pass(ends: &[Option<TcpStream>], number: usize, piece: &mut [u8]) -> bool {
    let (Some(mut from), Some(mut to)) = (ends[number].as_ref(), ends[number ^ 1].as_ref()) else { return true };
    match from.read(piece) {
        Ok(0) | Err(_) => false,
        Ok(read) => to.write_all(&piece[..read]).is_ok(),
    }
}
