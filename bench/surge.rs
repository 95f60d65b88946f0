//! An HTTP/1.1 load that does not wait for answers: so many requests a second in one phase, so many in the next.
//!
//! As of the people behind a website, the time of a request does not depend on how the last ones fared (an open
//! loop, exponential gaps), each takes a kept-alive connection or opens one, and gives up, closing it, after the
//! patience it has. Latency counts from when a request was due.
//!
//! `surge ADDRESS FILE PATIENCE_MS [seed=N] RATE:SECONDS ...` prints a line for each request: when it was due
//! (microseconds since the start), its number in FILE, the status it got (0: it gave up; 1: the connection broke
//! off), the time to that, and how late it was sent. FILE is as of `pace`. Built by bench/run with plain
//! `rustc -O`; standard library only, Linux only.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

mod epoll;
mod random;
mod requests;

use epoll::Epoll;
use random::Random;
use requests::parse_requests;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const GAVE_UP: u16 = 0;
const BROKE_OFF: u16 = 1;
/// An answer is 1 KiB and a head.
const LONGEST_ANSWER: usize = 64 * 1024;

struct Plan {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    patience: Duration,
    random: Random,
    /// Mean gap between two requests, and for how long.
    phases: Vec<(Duration, Duration)>,
}

impl Plan {
    fn from_args() -> Result<Self> {
        let args: Vec<String> = env::args().skip(1).collect();
        let [address, file, patience_ms, phases @ ..] = args.as_slice() else {
            return Err("usage: surge ADDRESS FILE PATIENCE_MS [seed=N] RATE:SECONDS ...".into());
        };
        let (random, phases) = match phases.split_first() {
            Some((first, rest)) if first.starts_with("seed=") => {
                (Random::seeded(first["seed=".len()..].parse()?), rest)
            }
            _ => (Random::default(), phases),
        };
        Ok(Self {
            address: address.parse()?,
            requests: parse_requests(&fs::read(file)?)?,
            patience: Duration::from_millis(patience_ms.parse()?),
            random,
            phases: phases.iter().map(|phase| parse_phase(phase)).collect::<Result<_>>()?,
        })
    }
}

fn parse_phase(text: &str) -> Result<(Duration, Duration)> {
    let (rate, seconds) = text.split_once(':').ok_or("a phase is RATE:SECONDS")?;
    Ok((
        Duration::try_from_secs_f64(1.0 / rate.parse::<f64>()?)?,
        Duration::try_from_secs_f64(seconds.parse()?)?,
    ))
}

/// When each request is due, after the start.
fn schedule(random: &mut Random, phases: &[(Duration, Duration)]) -> Vec<Duration> {
    let (mut due, mut end) = (Duration::ZERO, Duration::ZERO);
    let mut all = Vec::new();
    for (gap, length) in phases {
        end += *length;
        while due < end {
            all.push(due);
            due += gap.mul_f64(-(1.0 - random.unit()).ln());
        }
        // What the last gap of a slow phase reaches into is the next one's.
        due = due.min(end + *gap);
    }
    all
}

/// A request that was sent.
struct Sent {
    number: usize,
    due: Instant,
    late: Duration,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    sent: Option<Sent>,
}

/// What an answer says of itself.
struct Answer {
    status: u16,
    keeps_open: bool,
}

impl Connection {
    fn open(address: &SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), sent: None })
    }

    /// Reads what there is; the answer when it is whole.
    fn receive(&mut self) -> Result<Option<Answer>> {
        let mut piece = [0; 8192];
        match self.stream.read(&mut piece) {
            Ok(0) => Err("closed".into()),
            Ok(_) if self.sent.is_none() => Err("an answer to nothing".into()),
            Ok(read) => {
                self.received.extend_from_slice(&piece[..read]);
                parse_answer(&self.received)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// An answer with a Content-Length, once it is whole.
fn parse_answer(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() < LONGEST_ANSWER { Ok(None) } else { Err("an endless head".into()) };
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut length = None;
    let mut keeps_open = true;
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        } else if name.eq_ignore_ascii_case("connection") {
            keeps_open = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    let whole = end + 4 + length.ok_or("an answer without Content-Length")?;
    Ok((bytes.len() >= whole).then_some(Answer { status, keeps_open }))
}

/// The connections and what became of the requests so far.
struct Drive {
    plan: Plan,
    epoll: Epoll,
    /// Gaps are numbers of connections that were closed.
    connections: Vec<Option<Connection>>,
    gaps: Vec<usize>,
    idle: Vec<usize>,
    start: Instant,
    lines: String,
    under_way: usize,
}

impl Drive {
    fn new(plan: Plan) -> Result<Self> {
        Ok(Self {
            plan,
            epoll: Epoll::new()?,
            connections: Vec::new(),
            gaps: Vec::new(),
            idle: Vec::new(),
            start: Instant::now(),
            lines: String::new(),
            under_way: 0,
        })
    }

    /// Sends a request over the connection that was used last, or a new one; its number.
    fn send(&mut self, number: usize, due: Instant) -> Result<Option<usize>> {
        let late = due.elapsed();
        let sent = Sent { number: number % self.plan.requests.len(), due, late };
        let free = match self.idle.pop() {
            Some(free) => free,
            None => match Connection::open(&self.plan.address) {
                Ok(connection) => self.keep(connection)?,
                Err(_) => {
                    self.note(&sent, BROKE_OFF);
                    return Ok(None);
                }
            },
        };
        let Some(connection) = &mut self.connections[free] else { return Ok(None) };
        // One that the other side has closed is seen when it is read.
        let written = connection.stream.write_all(&self.plan.requests[sent.number]);
        connection.sent = Some(sent);
        self.under_way += 1;
        if written.is_err() {
            self.end(free, BROKE_OFF, false);
            return Ok(None);
        }
        Ok(Some(free))
    }

    fn keep(&mut self, connection: Connection) -> Result<usize> {
        let free = self.gaps.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.epoll.watch(&connection.stream, free)?;
        self.connections[free] = Some(connection);
        Ok(free)
    }

    fn receive(&mut self, number: usize) {
        let Some(connection) = &mut self.connections[number] else { return };
        match connection.receive() {
            Ok(None) => {}
            Ok(Some(answer)) => self.end(number, answer.status, answer.keeps_open),
            Err(_) => self.end(number, BROKE_OFF, false),
        }
    }

    /// Ends what is under way on a connection, and the connection if it cannot be used again.
    fn end(&mut self, number: usize, status: u16, keep: bool) {
        let Some(connection) = &mut self.connections[number] else { return };
        let sent = connection.sent.take();
        connection.received.clear();
        if keep {
            self.idle.push(number);
        } else {
            self.connections[number] = None;
            self.gaps.push(number);
            if sent.is_none() {
                self.idle.retain(|idle| *idle != number);
            }
        }
        if let Some(sent) = sent {
            self.under_way -= 1;
            self.note(&sent, status);
        }
    }

    fn note(&mut self, sent: &Sent, status: u16) {
        let due = sent.due.duration_since(self.start).as_micros();
        let (took, late) = (sent.due.elapsed().as_micros(), sent.late.as_micros());
        // Writing to a string does not fail.
        let _ = writeln!(self.lines, "{due} {} {status} {took} {late}", sent.number);
    }

    /// Follows the schedule to the end of the last request.
    fn run(mut self) -> Result<String> {
        let schedule = schedule(&mut self.plan.random, &self.plan.phases);
        let mut waiting: VecDeque<(Instant, usize)> = VecDeque::new();
        let mut ready = Vec::new();
        let mut next = 0;
        self.start = Instant::now();
        while next < schedule.len() || self.under_way > 0 {
            let mut now = Instant::now();
            while let Some(due) = schedule.get(next).map(|due| self.start + *due).filter(|due| *due <= now) {
                if let Some(connection) = self.send(next, due)? {
                    waiting.push_back((due, connection));
                }
                next += 1;
                now = Instant::now();
            }
            // In the order of their patience's end. A connection may have gone on to another request since.
            while let Some(&(due, connection)) = waiting.front() {
                let same = |sent: &Sent| sent.due == due;
                let open =
                    self.connections[connection].as_ref().and_then(|one| one.sent.as_ref()).is_some_and(same);
                if open && due + self.plan.patience > now {
                    break;
                }
                waiting.pop_front();
                if open {
                    self.end(connection, GAVE_UP, false);
                }
            }
            let wake = schedule.get(next).map(|due| self.start + *due);
            let tired = waiting.front().map(|(due, _)| *due + self.plan.patience);
            let Some(until) = wake.into_iter().chain(tired).min() else { continue };
            ready.extend(self.epoll.wait(until.saturating_duration_since(now))?);
            for number in ready.drain(..) {
                self.receive(number);
            }
        }
        Ok(self.lines)
    }
}

fn main() {
    match Plan::from_args().and_then(Drive::new).and_then(Drive::run) {
        Ok(lines) => print!("{lines}"),
        Err(error) => {
            eprintln!("surge: {error}");
            std::process::exit(1);
        }
    }
}
