use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::*;
use crate::process::{Family, Process};
use crate::testing::{Machine, second};
use crate::unknown::Why;

#[test]
fn this_machine_is_read_whatever_it_tells() {
    let mut host = Host::new(Roots::default());
    let first = host.read(second(1));
    let then = host.read(second(2));
    assert!(first.cpu.all.is_some() && first.memory.total_bytes.is_some(), "{first:?}");
    assert!(then.cpu.effective_cores.is_some_and(|cores| cores > 0.0), "{:?}", then.cpu);
    assert!(then.memory.headroom_bytes <= then.memory.limit_bytes, "{:?}", then.memory);
    assert!(then.network.interfaces.iter().any(|interface| interface.loopback), "{:?}", then.network);
    assert!(then.network.descriptors.is_some_and(|open| open > 0), "{:?}", then.network);
    println!("{then:#?}");
    for unknown in host.unknown() {
        println!("unknown: {unknown}");
    }
}

#[test]
fn a_machine_has_a_name_or_none() {
    let machine = Machine::empty();
    assert_eq!(host_name(&machine.roots()), None);
    machine.write("proc/sys/kernel/hostname", "web-1\n");
    assert_eq!(host_name(&machine.roots()).as_deref(), Some("web-1"));
    machine.write("proc/sys/kernel/hostname", "\n");
    assert_eq!(host_name(&machine.roots()), None);
}

/// Not a test: what [`a_server_is_found_by_its_port`] starts as a process of its
/// own. Listens, says where, and ends when its input does.
#[test]
#[ignore = "started by another test"]
fn server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    println!("\nlistens {}", listener.local_addr().expect("bound").port());
    io::stdin().read_to_end(&mut Vec::new()).expect("ends");
}

#[test]
fn a_server_is_found_by_its_port() {
    let mut server = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "host::tests::server", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut output = BufReader::new(server.stdout.take().expect("an output"));
    let said = output
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("listens "))
        .expect("it listens");
    let port: u16 = said.split(' ').nth(1).expect("a port").parse().expect("a port");

    let mut host = Host::new(Roots::default());
    host.finder.look(second(1));
    let sockets = host.finder.sockets().expect("a table");
    let cut_short = sockets.cut_short || host.unknown().any(|unknown| unknown.why == Why::TooMany);
    let found = host.finder.listeners(port).map(|pids| pids.iter().map(|pid| pid.number).collect::<Vec<_>>());
    assert!(cut_short || found == Ok(vec![server.id()]), "{found:?}");

    drop(server.stdin.take());
    server.wait().expect("it ends");
}

#[test]
fn this_process_is_measured_alone_and_as_a_family() {
    let roots = Roots::default();
    let own = std::process::id();
    let mut process = Process::open(&roots, own).expect("it lives");
    // Another test's threads may be so many that they are looked at in turns.
    let mut readings = (1..=8).map(|now| process.read(second(now)).expect("it lives"));
    let read = readings.find(|read| read.hottest.is_some()).expect("a thread was looked at twice");
    assert!(read.threads > 0 && read.resident_bytes > 100_000, "{read:?}");
    assert!(read.descriptor_limit.is_some(), "{read:?}");
    let mut family = Family::new();
    family.set(&roots, &[process.pid()]);
    assert_eq!(family.read(second(9)).processes, 1);
    println!("{read:#?}");
}

#[test]
fn a_machine_that_tells_nothing_harms_nobody() {
    let machine = Machine::empty();
    let mut host = Host::new(machine.roots());
    for now in 1..=3 {
        let read = host.read(second(now));
        assert_eq!(read, HostReading { at: second(now), ..HostReading::default() });
        host.finder.look(second(now));
    }
    let before = host.unknown().count();
    host.read(second(4));
    assert_eq!(host.unknown().count(), before, "each reason once");
    assert!(before > 5);
}
