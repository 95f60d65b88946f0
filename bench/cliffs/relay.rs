//! A narrow network: passes connections on, and at most so many bits a second of what comes back, all together.
//!
//! `relay PORT TARGET_PORT BITS_PER_SECOND`, on loopback. Built by bench/cliffs/run with plain `rustc -O`; standard
//! library only.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Connections take turns after so many bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// What an idle line saves up, so that a machine which wakes the relay late does not make the line narrower.
const MOST_SAVED: Duration = Duration::from_millis(5);
const STACK_BYTES: usize = 64 * 1024;

/// A token bucket, kept as the moment at which all that was passed is paid for.
struct Line {
    bits_per_second: f64,
    paid: Mutex<Instant>,
}

impl Line {
    /// Takes the next place on the line for `bytes`, and returns once they are through.
    fn pass(&self, bytes: usize) {
        let now = Instant::now();
        let time = Duration::from_secs_f64(8.0 * bytes as f64 / self.bits_per_second);
        let through = {
            let mut paid = self.paid.lock().expect("no thread panics");
            let saved = now.checked_sub(MOST_SAVED).unwrap_or(now);
            *paid = (*paid).max(saved) + time;
            *paid
        };
        thread::sleep(through.saturating_duration_since(now));
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, line: Option<&Line>) -> io::Result<()> {
    let mut piece = [0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        if let Some(line) = line {
            line.pass(read);
        }
        to.write_all(&piece[..read])?;
    }
}

/// One direction, in a thread of its own; its end is that of both.
fn spawn(from: &Arc<TcpStream>, to: &Arc<TcpStream>, line: Option<Arc<Line>>) -> io::Result<()> {
    let (from, to) = (Arc::clone(from), Arc::clone(to));
    thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // A connection that breaks off is over, too.
        let _ = copy(&from, &to, line.as_deref());
        for stream in [from, to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    })?;
    Ok(())
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [port, target, bits_per_second] = args.as_slice() else {
        return Err("usage: relay PORT TARGET_PORT BITS_PER_SECOND".into());
    };
    let (port, target) = (port.parse::<u16>()?, target.parse::<u16>()?);
    let line = Arc::new(Line { bits_per_second: bits_per_second.parse()?, paid: Mutex::new(Instant::now()) });
    for client in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let client = client?;
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (client, server) = (Arc::new(client), Arc::new(server));
        spawn(&client, &server, None)?;
        spawn(&server, &client, Some(Arc::clone(&line)))?;
    }
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("relay: {error}");
        std::process::exit(1);
    }
}
