//! An application with so many workers, and a queue in front of them that nobody bounds.
//!
//! Every request takes a worker for 10 to 30 ms, 20 on average, and is answered with 1 KiB: 16 workers answer
//! 800 requests a second, and no more, however many are asked. Who is not served yet waits, first come, first
//! served, and costs a worker all the same when its client has left: an application does not see that before it
//! writes. `GET /control/WORKERS/PERCENT` sets how many work, and what part of that time a request takes.
//!
//! `workers PORT` listens on loopback. Built by bench/run with plain `rustc -O`; standard library only, Linux only.

use std::collections::{HashMap, VecDeque};
use std::env;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;

mod epoll;
mod random;

use epoll::Epoll;
use random::Random;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WORKERS: usize = 16;
const MEAN: Duration = Duration::from_millis(20);
const BODY_BYTES: usize = 1024;
/// A proxy's request for nothing but a page is far shorter.
const LONGEST_HEAD: usize = 8 * 1024;
const STACK_BYTES: usize = 64 * 1024;
/// Nothing has to be done but what sockets report.
const FOREVER: Duration = Duration::from_secs(3600);
const LISTENER: usize = 0;

/// What the workers share.
struct Shop {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// A connection that is gone by its turn was closed by the other side.
    queue: VecDeque<Weak<TcpStream>>,
    working: usize,
    percent: u32,
    random: Random,
}

impl Shop {
    fn new() -> Arc<Self> {
        let state =
            State { queue: VecDeque::new(), working: WORKERS, percent: 100, random: Random::default() };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    fn push(&self, stream: Weak<TcpStream>) {
        self.state.lock().expect("no worker panics").queue.push_back(stream);
        self.changed.notify_all();
    }

    fn control(&self, working: usize, percent: u32) {
        let mut state = self.state.lock().expect("no worker panics");
        (state.working, state.percent) = (working, percent);
        self.changed.notify_all();
    }

    /// One worker, which works while its number is below that of those who do.
    fn work(&self, number: usize) {
        let answer = answer(&"x".repeat(BODY_BYTES));
        loop {
            let mut state = self.state.lock().expect("no worker panics");
            while number >= state.working || state.queue.is_empty() {
                state = self.changed.wait(state).expect("no worker panics");
            }
            let stream = state.queue.pop_front();
            let share = f64::from(state.percent) / 100.0 * (0.5 + state.random.unit());
            drop(state);
            thread::sleep(MEAN.mul_f64(share));
            if let Some(stream) = stream.and_then(|stream| stream.upgrade()) {
                // Nobody may be there any more to read it.
                let _ = (&*stream).write_all(answer.as_bytes());
            }
        }
    }
}

fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\r\n{body}",
        body.len()
    )
}

struct Connection {
    stream: Arc<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// Reads what there is; false at the end of the connection.
    fn receive(&mut self) -> bool {
        let mut piece = [0; 2048];
        match (&*self.stream).read(&mut piece) {
            Ok(0) => false,
            Ok(read) => {
                self.received.extend_from_slice(&piece[..read]);
                self.received.len() <= LONGEST_HEAD
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// The path of a request that has come whole, if there is one.
    fn request(&mut self) -> Option<String> {
        let end = self.received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head: Vec<u8> = self.received.drain(..end).collect();
        let path = head.split(|&byte| byte == b' ').nth(1)?;
        Some(String::from_utf8_lossy(path).into_owned())
    }
}

/// `/control/WORKERS/PERCENT`.
fn parse_control(path: &str) -> Option<(usize, u32)> {
    let (working, percent) = path.strip_prefix("/control/")?.split_once('/')?;
    Some((working.parse().ok()?, percent.parse().ok()?))
}

fn serve(shop: &Shop, listener: &TcpListener) -> Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.watch(listener, LISTENER)?;
    let mut connections: HashMap<usize, Connection> = HashMap::new();
    let mut ready = Vec::new();
    let mut next = LISTENER + 1;
    loop {
        ready.extend(epoll.wait(FOREVER)?);
        for number in ready.drain(..) {
            if number == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    stream.set_nonblocking(true)?;
                    epoll.watch(&stream, next)?;
                    connections.insert(next, Connection { stream: Arc::new(stream), received: Vec::new() });
                    next += 1;
                }
                continue;
            }
            let Some(connection) = connections.get_mut(&number) else { continue };
            let open = connection.receive();
            while let Some(path) = connection.request() {
                match parse_control(&path) {
                    Some((working, percent)) => {
                        shop.control(working, percent);
                        (&*connection.stream).write_all(answer("").as_bytes())?;
                    }
                    None => shop.push(Arc::downgrade(&connection.stream)),
                }
            }
            if !open {
                connections.remove(&number);
            }
        }
    }
}

fn run() -> Result<()> {
    let port = env::args().nth(1).ok_or("usage: workers PORT")?.parse::<u16>()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    // A proxy without a limit opens thousands at once.
    epoll::listen(&listener, 16_384)?;
    listener.set_nonblocking(true)?;
    let shop = Shop::new();
    for number in 0..WORKERS {
        let shop = Arc::clone(&shop);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || shop.work(number))?;
    }
    serve(&shop, &listener)
}

fn main() {
    if let Err(error) = run() {
        eprintln!("workers: {error}");
        std::process::exit(1);
    }
}
