//! A paced HTTP/1.1 load generator: the same number of requests per second for every proxy.
//!
//! wrk has no rate, and h2load sends each tick's requests as one burst. Here one thread follows one
//! schedule: the gap to the next request is drawn evenly from 0.5 to 1.5 times the mean, and each
//! request goes to the connection that has been idle longest. A request that finds no idle connection
//! waits, and its latency counts from when it was due (no coordinated omission).
//!
//! `pace ADDRESS FILE CONNECTIONS RATE WARMUP_SECONDS SECONDS` prints one line of JSON, times in
//! microseconds. FILE holds requests, each after a line with its length; they are sent in turn, over and
//! over. At RATE 0 each is sent once, as fast as the connections allow. Built by bench/run with plain
//! `rustc -O`; standard library only, Linux only.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

mod epoll;
mod random;
mod requests;

use random::Random;
use requests::parse_requests;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A request without an answer for so long means that the proxy is stuck.
const PATIENCE: Duration = Duration::from_secs(5);
/// No load takes longer.
const LONGEST: Duration = Duration::from_secs(3600);

struct Plan {
    address: String,
    requests: Vec<Vec<u8>>,
    connections: usize,
    /// How many requests there will be at most.
    most: usize,
    /// Mean gap between two requests.
    gap: Duration,
    warmup: Duration,
    measured: Duration,
}

impl Plan {
    fn from_args() -> Result<Self> {
        let args: Vec<String> = env::args().skip(1).collect();
        let [address, file, connections, rate, warmup, measured] = args.as_slice() else {
            return Err("usage: pace ADDRESS FILE CONNECTIONS RATE WARMUP_SECONDS SECONDS".into());
        };
        let (address, connections) = (address.clone(), connections.parse()?);
        let requests = parse_requests(&fs::read(file)?)?;
        let rate: f64 = rate.parse()?;
        if rate == 0.0 {
            let (most, gap, warmup) = (requests.len(), Duration::ZERO, Duration::ZERO);
            return Ok(Self { address, requests, connections, most, gap, warmup, measured: LONGEST });
        }
        Ok(Self {
            address,
            requests,
            connections,
            most: usize::MAX,
            gap: Duration::try_from_secs_f64(1.0 / rate)?,
            warmup: Duration::try_from_secs_f64(warmup.parse()?)?,
            measured: Duration::try_from_secs_f64(measured.parse()?)?,
        })
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// When the request in flight started to count.
    since: Instant,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, buffer: vec![0; 128 * 1024], filled: 0, since: Instant::now() })
    }

    /// Sends a request that is smaller than any socket buffer.
    fn send(&mut self, request: &[u8], since: Instant) -> Result<()> {
        self.filled = 0;
        self.since = since;
        Ok(self.stream.write_all(request)?)
    }

    /// Reads what there is; true when the answer is whole. It must be a 200 with a Content-Length.
    fn receive(&mut self) -> Result<bool> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err("the proxy closed a connection".into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(answer_length(&self.buffer[..self.filled])?.is_some_and(|length| self.filled >= length))
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
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer without Content-Length")?
        .1;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}

/// Follows the schedule; returns the latencies of the requests due in the measured window.
fn drive(plan: &Plan) -> Result<Vec<Duration>> {
    let mut epoll = epoll::Epoll::new()?;
    let mut connections = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let connection = Connection::open(&plan.address)?;
        epoll.watch(&connection.stream, number)?;
        connections.push(connection);
    }
    let mut idle: VecDeque<usize> = (0..plan.connections).collect();
    let mut random = Random::default();
    let start = Instant::now();
    let (begin, end) = (start + plan.warmup, start + plan.warmup + plan.measured);
    let mut latencies = Vec::new();
    let mut due = start;
    let mut sent = 0;
    // Set while the next request is due and every connection is busy.
    let mut waited = false;

    while (due < end && sent < plan.most) || idle.len() < connections.len() {
        let mut now = Instant::now();
        while due <= now && due < end && sent < plan.most {
            let Some(number) = idle.pop_front() else {
                waited = true;
                break;
            };
            // A late start of this program is not the proxy's fault; a lack of idle connections is.
            let since = if waited { due } else { Instant::now() };
            connections[number].send(&plan.requests[sent % plan.requests.len()], since)?;
            sent += 1;
            due += plan.gap.mul_f64(0.5 + random.unit());
            waited = waited && due <= now;
            now = Instant::now();
        }
        let more = due < end && sent < plan.most;
        let next = if more && !idle.is_empty() { due.saturating_duration_since(now) } else { PATIENCE };
        let mut any = false;
        for number in epoll.wait(next)? {
            any = true;
            let connection = &mut connections[number];
            if connection.receive()? {
                if connection.since >= begin {
                    latencies.push(connection.since.elapsed());
                }
                idle.push_back(number);
            }
        }
        if !any && next == PATIENCE {
            return Err(format!("no answer for {} s", PATIENCE.as_secs()).into());
        }
    }
    Ok(latencies)
}

fn run() -> Result<()> {
    let plan = Plan::from_args()?;
    let began = Instant::now();
    let mut latencies = drive(&plan)?;
    let measured = plan.measured.min(began.elapsed());
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"requests": {}, "rps": {:.1}, "p50_us": {:.1}, "p99_us": {:.1}, "p999_us": {:.1}, "max_us": {:.1}}}"#,
        latencies.len(),
        latencies.len() as f64 / measured.as_secs_f64(),
        at(0.50),
        at(0.99),
        at(0.999),
        at(1.0),
    );
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("pace: {error}");
        std::process::exit(1);
    }
}
