//! What reading costs; run it optimised to see: `cargo test --release -p deepwater-host what_reading_costs --
//! --nocapture`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::process::schedstat;
use crate::{Diag, Host, Process, Roots};

/// CPU time of this thread; what others make it wait does not count.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat(&text).map(|ran| ran.cpu).unwrap_or_default()
}

/// The mean CPU time of some runs. The clock handed down moves by `step` seconds, so that what is rare is or
/// is not due.
fn mean(step: u64, runs: u32, mut run: impl FnMut(Duration)) -> Duration {
    let start = cpu();
    for number in 0..runs {
        run(Duration::from_secs(u64::from(number) * step));
    }
    cpu().saturating_sub(start) / runs
}

/// Somebody who listens, and both ends of connections.
fn clients(count: usize) -> (TcpListener, Vec<[TcpStream; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let connect = |_| {
        let client = TcpStream::connect(address).expect("connected");
        [client, listener.accept().expect("accepted").0]
    };
    let ends = (0..count).map(connect).collect();
    (listener, ends)
}

#[test]
fn what_reading_costs() {
    const THREADS: usize = 300;
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let stopped = stopped.clone();
            // Ends when the sender is gone.
            thread::spawn(move || drop(stopped.lock().map(|stopped| stopped.recv())))
        })
        .collect();

    let mut host = Host::new(Roots::default());
    let machine = mean(1, 100, |now| drop(host.read(now)));
    let finder = mean(100, 10, |now| host.finder.look(now));
    let mut process = Process::open(&Roots::default(), std::process::id()).expect("it lives");
    let many_threads = mean(1, 100, |now| drop(process.read(now)));
    let sockets = host.finder.sockets().map_or(0, |sockets| sockets.established + sockets.time_wait);
    println!("machine, each second                    {machine:?}");
    println!("process of {THREADS} threads, each second       {many_threads:?}");
    println!("finder ({sockets} sockets), each ten seconds     {finder:?}");
    let clients = clients(100);
    let (listener, mut diag) = (clients.0.local_addr().expect("bound"), Diag::default());
    let connections = mean(1, 100, |_| drop(diag.connections(listener, 512)));
    println!("connections of a port of 100 clients    {connections:?}");
    let second = machine + many_threads + finder / 10;
    println!("together: {:.2} % of a core at one reading a second", second.as_secs_f64() * 100.0);

    drop(stop);
    for thread in threads {
        thread.join().expect("it ends");
    }
}
