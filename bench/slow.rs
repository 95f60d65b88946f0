//! An application that takes its time, and counts who asks it.
//!
//! `GET /ANY/DELAY_MS/MAX_AGE_S/NAME` answers 1 KiB after that delay, fresh for that time. `GET /counts`
//! answers a line of JSON: the answers given so far, and the most that were under way at once since the
//! last such question.
//!
//! `slow PORT` listens on loopback, a thread for each connection. Built by bench/run with plain
//! `rustc -O`; standard library only.

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BODY_BYTES: usize = 1024;
/// A proxy that shares no fetch opens thousands of connections, and a thread here needs little.
const STACK_BYTES: usize = 64 * 1024;

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    under_way: AtomicU64,
    most_at_once: AtomicU64,
}

impl Counts {
    fn json(&self) -> String {
        let answered = self.answered.load(Ordering::SeqCst);
        let most = self.most_at_once.swap(self.under_way.load(Ordering::SeqCst), Ordering::SeqCst);
        format!(r#"{{"answered": {answered}, "most_at_once": {most}}}"#)
    }
}

/// Answers the requests of one connection in turn, until the other side closes it.
fn serve(stream: TcpStream, counts: &Counts) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(path) = read_request(&mut reader)? {
        if path == "/counts" {
            writer.write_all(answer("no-store", &counts.json()).as_bytes())?;
            continue;
        }
        let (delay, max_age) = parts(&path)?;
        let under_way = counts.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most_at_once.fetch_max(under_way, Ordering::SeqCst);
        thread::sleep(delay);
        counts.under_way.fetch_sub(1, Ordering::SeqCst);
        counts.answered.fetch_add(1, Ordering::SeqCst);
        let body = "x".repeat(BODY_BYTES);
        writer.write_all(answer(&format!("max-age={max_age}"), &body).as_bytes())?;
    }
    Ok(())
}

/// The path of the next request, which has no body; None at the end of the connection.
fn read_request(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
    }
    let path = first.split(' ').nth(1).ok_or("a request line without a path")?;
    Ok(Some(path.to_owned()))
}

/// Delay and freshness of `/ANY/DELAY_MS/MAX_AGE_S/NAME`.
fn parts(path: &str) -> Result<(Duration, u64)> {
    let mut parts = path.split('/').skip(2);
    let mut number =
        || parts.next().ok_or("a path without delay and freshness")?.parse().map_err(Box::<dyn Error>::from);
    Ok((Duration::from_millis(number()?), number()?))
}

fn answer(cache_control: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nCache-Control: {cache_control}\r\n\r\n{body}",
        http_date(SystemTime::now()),
        body.len(),
    )
}

/// An IMF-fixdate (RFC 9110 §5.6.7). An application that sends dates has its answers aged by whole
/// seconds, as in production.
fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let days = seconds / 86_400;
    // From days to a date of the Gregorian calendar, counted in years that begin in March:
    // https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize],
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    )
}

fn run() -> Result<()> {
    let port = env::args().nth(1).ok_or("usage: slow PORT")?.parse::<u16>()?;
    let counts = Arc::new(Counts::default());
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let (stream, counts) = (stream?, Arc::clone(&counts));
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            // A connection that the proxy breaks off is the proxy's business; what was answered is counted.
            let _ = serve(stream, &counts);
        })?;
    }
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("slow: {error}");
        std::process::exit(1);
    }
}
