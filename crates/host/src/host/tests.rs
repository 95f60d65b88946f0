use std::net::TcpListener;

use super::*;
use crate::process::{Family, Process};
use crate::testing::{Machine, second};

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
fn this_process_is_found_by_a_child_that_listens() {
    // Its own descriptors are not looked at, so it is found by nobody; what listens is found all the same.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let mut host = Host::new(Roots::default());
    host.finder.look(second(1));
    let sockets = host.finder.sockets().expect("a table");
    assert!(sockets.cut_short || sockets.listeners.iter().any(|it| it.address == address), "{sockets:?}");
}

#[test]
fn this_process_is_measured_alone_and_as_a_family() {
    let roots = Roots::default();
    let own = std::process::id();
    let mut process = Process::open(&roots, own).expect("it lives");
    process.read(second(1)).expect("it lives");
    let read = process.read(second(2)).expect("it lives");
    assert!(read.threads > 0 && read.resident_bytes > 100_000, "{read:?}");
    assert!(read.hottest.is_some() && read.descriptor_limit.is_some(), "{read:?}");
    let mut family = Family::new();
    family.set(&roots, &[process.pid()]);
    assert_eq!(family.read(second(3)).processes, 1);
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
