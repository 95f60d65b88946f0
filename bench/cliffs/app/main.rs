//! An application that has one scarce thing: database connections, processor time, a row, memory or bytes.
//!
//! `app PORT THREADS WORK ...` listens on loopback and does the same work for every request, on as many threads;
//! what finds none free waits, first come, first served, and nobody bounds the queue. WORK is one of
//!
//! - `sql PORT USER DATABASE QUERY ...`: these queries, one after the other, each thread over a connection of its own;
//! - `spin MICROSECONDS`: so much processor time;
//! - `hold BYTES MICROSECONDS LIMIT`: so much memory for so long, refused (503) beyond LIMIT bytes of the whole process;
//! - `send BYTES`: an answer of that size.
//!
//! Times vary evenly from half to one and a half of what is said. Built by bench/cliffs/run with plain `rustc -O`;
//! standard library only, Linux only.

use std::collections::{HashMap, VecDeque};
use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;

#[path = "../../epoll.rs"]
mod epoll;
#[path = "../../random.rs"]
mod random;
mod sql;
mod system;
mod work;

use epoll::Epoll;
use random::Random;
use work::{Kind, Work};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A proxy's request for nothing but a page is far shorter.
const LONGEST_HEAD: usize = 8 * 1024;
const STACK_BYTES: usize = 64 * 1024;
const BACKLOG: i32 = 4096;
/// Nothing has to be done but what sockets report.
const FOREVER: Duration = Duration::from_secs(3600);
const LISTENER: usize = 0;

/// Requests that no thread has taken yet.
#[derive(Default)]
struct Queue {
    /// A connection that is gone by its turn was closed by the other side.
    waiting: Mutex<VecDeque<Weak<TcpStream>>>,
    added: Condvar,
}

impl Queue {
    fn push(&self, stream: Weak<TcpStream>) {
        self.waiting.lock().expect("no thread panics").push_back(stream);
        self.added.notify_one();
    }

    fn pop(&self) -> Weak<TcpStream> {
        let mut waiting = self.waiting.lock().expect("no thread panics");
        loop {
            if let Some(stream) = waiting.pop_front() {
                return stream;
            }
            waiting = self.added.wait(waiting).expect("no thread panics");
        }
    }

    /// One thread. Who has left costs it all the same: an application does not see that before it writes.
    fn serve(&self, mut work: Box<dyn Work>, mut random: Random) {
        loop {
            let stream = self.pop();
            let answer = match work.done(0.5 + random.unit()) {
                Ok(bytes) => answer("200 OK", bytes),
                Err(error) => {
                    eprintln!("app: {error}");
                    answer("503 Service Unavailable", 0)
                }
            };
            if let Some(stream) = stream.upgrade() {
                // Nobody may be there any more to read it.
                let _ = (&*stream).write_all(&answer);
            }
        }
    }
}

fn answer(status: &str, bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {bytes}\r\nCache-Control: no-store\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.resize(answer.len() + bytes, b'x');
    answer
}

struct Connection {
    stream: Arc<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// Reads what there is, once: the socket blocks, so that answers are written whole. False at its end.
    fn receive(&mut self) -> bool {
        let mut piece = [0; 2048];
        match (&*self.stream).read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.received.extend_from_slice(&piece[..read]);
                self.received.len() <= LONGEST_HEAD
            }
        }
    }

    /// Whether a request has come whole; it is taken off.
    fn request(&mut self) -> bool {
        let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
        self.received.drain(..end + 4);
        true
    }
}

fn accept(queue: &Queue, listener: &TcpListener) -> Result<()> {
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
                    epoll.watch(&stream, next)?;
                    connections.insert(next, Connection { stream: Arc::new(stream), received: Vec::new() });
                    next += 1;
                }
                continue;
            }
            let Some(connection) = connections.get_mut(&number) else { continue };
            let open = connection.receive();
            while connection.request() {
                queue.push(Arc::downgrade(&connection.stream));
            }
            if !open {
                connections.remove(&number);
            }
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [port, threads, work @ ..] = args.as_slice() else {
        return Err("usage: app PORT THREADS WORK ...".into());
    };
    let kind = Kind::parse(work)?;
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    epoll::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let queue = Arc::new(Queue::default());
    for number in 0..threads.parse()? {
        let (queue, work, random) = (Arc::clone(&queue), kind.begin(), Random::seeded(number));
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || queue.serve(work, random))?;
    }
    accept(&queue, &listener)
}

fn main() {
    if let Err(error) = run() {
        eprintln!("app: {error}");
        std::process::exit(1);
    }
}
