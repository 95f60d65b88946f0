use super::*;
use crate::testing::{Machine, second};

const HEAD: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// A line of the table, of a little-endian machine's.
fn line(local: &str, remote: &str, state: &str, queued: u32, inode: u64) -> String {
    format!(
        "   0: {local} {remote} {state} 0000045C:{queued:08X} 01:00000015 00000000     0        0 {inode} 3 0 21\n"
    )
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
#[cfg(target_endian = "little")]
fn lines_of_both_versions_are_read() {
    let read = entry(line("0100007F:1538", "0100007F:BDB2", "01", 7, 8_142_042).as_bytes()).expect("a line");
    assert_eq!((read.local, read.remote), (address("127.0.0.1:5432"), address("127.0.0.1:48562")));
    assert_eq!((read.state, read.queued, read.inode), (ESTABLISHED, 7, 8_142_042));
    let six = "B80D0120000000000000000001000000:0050";
    let read = entry(line(six, six, "0A", 0, 1).as_bytes()).expect("a line");
    assert_eq!(read.local, address("[2001:db8::1]:80"));
    let whole = line("0100007F:1538", "0100007F:BDB2", "01", 7, 8);
    for length in 0..whole.find(" 8 3").expect("the inode") {
        assert_eq!(entry(&whole.as_bytes()[..length]), None, "{length}");
    }
    for wrong in
        [HEAD, "0: 0100007F 0100007F 01", "0: é100007:1 1:1 1 1:1 1 1 1 1 1", "0: 0100007F:FFFFF 0:0 1"]
    {
        assert_eq!(entry(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
#[cfg(target_endian = "little")]
fn listeners_and_the_destination_that_takes_most_ports_are_found() {
    let machine = Machine::empty();
    let origin = "0200000A:1F90";
    let mut table = HEAD.to_owned() + &line("00000000:0050", "00000000:0000", "0A", 12, 70);
    for port in 40_000_u32..40_030 {
        let state = if port % 3 == 0 { "06" } else { "01" };
        table += &line(&format!("0100000A:{port:04X}"), origin, state, 0, u64::from(port));
    }
    table += &line("0100000A:0050", "0900000A:9C40", "01", 0, 71);
    table += "garbage\n   1: half";
    let mapped =
        line("0000000000000000FFFF00000100000A:C350", "0000000000000000FFFF00000200000A:1F90", "01", 0, 5);
    machine
        .write("proc/net/tcp", table)
        .write("proc/net/tcp6", HEAD.to_owned() + &mapped)
        .write("proc/sys/net/ipv4/ip_local_port_range", "32768 60999\n");
    let mut sockets = Sockets::new(&machine.roots());
    let read = sockets.read(second(1)).expect("a table").clone();
    assert_eq!(read.listeners, [Listener { address: address("0.0.0.0:80"), queued: 12, inode: 70 }]);
    assert_eq!((read.established, read.time_wait, read.cut_short), (22, 10, false));
    assert_eq!(
        read.busiest,
        Some(Destination { address: address("10.0.0.2:8080"), ports: 31, time_wait: 10 })
    );

    machine.write("proc/net/tcp", HEAD);
    assert_eq!(sockets.read(second(10)), Some(&read), "not yet");
    assert_eq!(sockets.read(second(11)).map(|read| read.listeners.len()), Some(0));
}

#[test]
fn a_table_too_long_is_cut_short_and_read_less_often() {
    let machine = Machine::empty();
    let lines = line("0100000A:9C40", "0200000A:1F90", "06", 0, 0).repeat(MOST_SOCKETS + 1);
    machine.write("proc/net/tcp", HEAD.to_owned() + &lines);
    let mut sockets = Sockets::new(&machine.roots());
    let read = sockets.read(second(1)).expect("a table");
    assert_eq!((read.time_wait as usize, read.cut_short), (MOST_SOCKETS, true));
    assert_eq!(sockets.read(second(16)).map(|read| read.at), Some(second(1)));
    assert_eq!(sockets.read(second(17)).map(|read| read.at), Some(second(17)));
}

#[test]
fn a_line_without_end_fills_no_memory_and_no_table_is_unknown() {
    let machine = Machine::empty();
    machine.write("proc/net/tcp", vec![b'x'; 1 << 20]);
    let mut sockets = Sockets::new(&machine.roots());
    assert_eq!(sockets.read(second(1)), Some(&SocketsReading { at: second(1), ..SocketsReading::default() }));
    machine.remove("proc/net/tcp");
    assert_eq!(sockets.read(second(11)), None);
    assert_eq!(sockets.unknown().map(|unknown| unknown.why).collect::<Vec<_>>(), [Why::Missing]);
}
