//! A paced HTTP/1.1 load generator: the same number of requests per second for every proxy.
//!
//! wrk has no rate, and h2load sends each tick's requests as one burst. Here every connection has its
//! own thread and its own schedule: the gap to the next request is drawn evenly from 0.5 to 1.5 times
//! the mean, so connections never march in step. When an answer comes after the next request was due,
//! that request's latency counts from when it was due (no coordinated omission).
//!
//! `pace ADDRESS PATH CONNECTIONS RATE WARMUP_SECONDS SECONDS` prints one line of JSON, times in
//! microseconds. Built by bench/run with plain `rustc -O`; standard library only.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Plan {
    address: String,
    request: Vec<u8>,
    connections: u32,
    /// Mean gap between two requests of one connection.
    gap: Duration,
    warmup: Duration,
    measured: Duration,
}

impl Plan {
    fn from_args() -> Result<Self> {
        let args: Vec<String> = env::args().skip(1).collect();
        let [address, path, connections, rate, warmup, measured] = args.as_slice() else {
            return Err("usage: pace ADDRESS PATH CONNECTIONS RATE WARMUP_SECONDS SECONDS".into());
        };
        let connections: u32 = connections.parse()?;
        let rate: f64 = rate.parse()?;
        Ok(Self {
            request: format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes(),
            address: address.clone(),
            connections,
            gap: Duration::try_from_secs_f64(f64::from(connections) / rate)?,
            warmup: Duration::try_from_secs_f64(warmup.parse()?)?,
            measured: Duration::try_from_secs_f64(measured.parse()?)?,
        })
    }
}

/// xorshift64*: even gaps need no better generator. Seeded by the connection's number, so that every
/// proxy sees the same schedule.
struct Random(u64);

impl Random {
    fn new(number: u32) -> Self {
        Self(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(number) + 1))
    }

    /// Even in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f64 / (1_u64 << 24) as f64
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self { stream, buffer: vec![0; 128 * 1024] })
    }

    /// Sends one request and reads the whole answer, which must be a 200 with a Content-Length.
    fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|length| filled < length) {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            filled += read;
            if whole.is_none() {
                whole = answer_length(&self.buffer[..filled])?;
            }
        }
        Ok(())
    }
}

/// Length of head and body once the head is complete.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("unexpected answer: {}", head.lines().next().unwrap_or_default()).into());
    }
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                return Ok(Some(end + 4 + value.trim().parse::<usize>()?));
            }
        }
    }
    Err("an answer without Content-Length".into())
}

/// Drives one connection through the plan; returns the latencies of the measured window.
fn drive(plan: &Plan, number: u32, mut connection: Connection, start: Instant) -> Result<Vec<Duration>> {
    let mut random = Random::new(number);
    let (begin, end) = (start + plan.warmup, start + plan.warmup + plan.measured);
    let mut due = start + plan.gap.mul_f64(random.unit());
    let mut latencies = Vec::new();
    while due < end {
        let now = Instant::now();
        let from = if now < due {
            thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        connection.exchange(&plan.request)?;
        if due >= begin {
            latencies.push(from.elapsed());
        }
        due += plan.gap.mul_f64(0.5 + random.unit());
    }
    Ok(latencies)
}

fn run() -> Result<()> {
    let plan = Arc::new(Plan::from_args()?);
    let connected = Arc::new(Barrier::new(plan.connections as usize));
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(Connection::open(&plan.address)?);
    }
    let start = Instant::now();
    let threads: Vec<_> = connections
        .into_iter()
        .zip(0..)
        .map(|(connection, number)| {
            let (plan, connected) = (Arc::clone(&plan), Arc::clone(&connected));
            thread::spawn(move || {
                connected.wait();
                drive(&plan, number, connection, start)
            })
        })
        .collect();

    let mut latencies = Vec::new();
    let mut failures = Vec::new();
    for thread in threads {
        match thread.join().map_err(|_| "a connection's thread panicked")? {
            Ok(measured) => latencies.extend(measured),
            Err(error) => failures.push(error),
        }
    }
    if let Some(first) = failures.first() {
        eprintln!("pace: {} of {} connections failed; the first: {first}", failures.len(), plan.connections);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"requests": {}, "errors": {}, "rps": {:.1}, "p50_us": {:.1}, "p99_us": {:.1}, "p999_us": {:.1}}}"#,
        latencies.len(),
        failures.len(),
        latencies.len() as f64 / plan.measured.as_secs_f64(),
        at(0.50),
        at(0.99),
        at(0.999),
    );
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("pace: {error}");
        std::process::exit(1);
    }
}
