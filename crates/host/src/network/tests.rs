use super::*;
use crate::testing::{Machine, second};

const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
    Tcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs\n\
    Tcp: 1 -1 20 30 4 5 6 100 200 7\n";
const NETSTAT: &str = "TcpExt: PruneCalled ListenOverflows ListenDrops TCPTimeouts TCPBacklogDrop TCPMemoryPressures\n\
    TcpExt: 1 2 3 4 5 6\nIpExt: InNoRoutes\nIpExt: 9\n";
const DEV: &str = "Inter-|   Receive                   |  Transmit\n face |bytes packets errs drop|bytes packets\n\
    \x20   lo: 10 11 12 13 14 15 16 17 20 21 22 23 24 25 26 27\n\
    \x20 eth0:1000 5    0    2 0 0 0 0 3000 6 0 1 0 0 0 0\n";

fn machine() -> Machine {
    let machine = Machine::empty();
    machine
        .write("proc/net/snmp", SNMP)
        .write("proc/net/netstat", NETSTAT)
        .write("proc/net/dev", DEV)
        .write("proc/net/softnet_stat", "09c6bfc8 00000001 0000000e 00\n09d28654 000006e1 00000013 00\n")
        .write(
            "proc/net/sockstat",
            "sockets: used 9\nTCP: inuse 139 orphan 0 tw 228 alloc 139 mem 3\nUDP: inuse 0\n",
        )
        .write("proc/sys/net/ipv4/tcp_mem", "10\t20\t30\n")
        .write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
        .write("proc/sys/net/core/somaxconn", "4096\n")
        .write("proc/sys/net/netfilter/nf_conntrack_count", "70\n")
        .write("proc/sys/net/netfilter/nf_conntrack_max", "100\n")
        .write("sys/class/net/lo/type", "772\n")
        .write("sys/class/net/eth0/type", "1\n")
        .write("sys/class/net/eth0/speed", "10000\n")
        .write(
            "proc/self/limits",
            "Limit  Soft Limit  Hard Limit Units\nMax open files   1024   4096   files\n",
        );
    for descriptor in 0..5 {
        machine.link(&format!("proc/self/fd/{descriptor}"), "/dev/null");
    }
    machine
}

#[test]
fn a_whole_machine_is_read() {
    let machine = machine();
    let mut network = Network::new(&machine.roots());
    let read = network.read(second(1));
    assert_eq!((read.tcp.segments_out, read.tcp.retransmitted), (Some(200), Some(7)));
    assert_eq!((read.tcp.listen_overflows, read.tcp.backlog_drops), (Some(2), Some(5)));
    assert_eq!((read.softnet_dropped, read.softnet_squeezed), (Some(0x6e2), Some(0x21)));
    assert_eq!((read.tcp_in_use, read.time_wait), (Some(139), Some(228)));
    let page = rustix::param::page_size() as u64;
    let memory = TcpMemory { used_bytes: 3 * page, pressure_bytes: 20 * page, limit_bytes: 30 * page };
    assert_eq!(read.tcp_memory, Some(memory));
    assert_eq!(read.conntrack, Some(Conntrack { count: 70, max: 100 }));
    assert_eq!((read.ephemeral_ports, read.most_backlog), (Some((32_768, 60_999)), Some(4_096)));
    assert_eq!((read.descriptors, read.descriptor_limit), (Some(5), Some(1_024)));
    let [lo, eth0] = &read.interfaces[..] else { panic!("{:?}", read.interfaces) };
    assert!(lo.loopback && !eth0.loopback);
    assert_eq!(eth0.speed_bits_per_second, Some(10_000_000_000));
    assert_eq!(
        (eth0.received_bytes, eth0.received_drops, eth0.sent_bytes, eth0.sent_drops),
        (1_000, 2, 3_000, 1)
    );
    assert_eq!(network.unknown().count(), 0, "{:?}", network.unknown().collect::<Vec<_>>());
}

#[test]
fn a_speed_that_is_not_told_is_unknown() {
    for speed in ["-1\n", "4294967295\n", "0\n", "fast\n", ""] {
        let machine = machine();
        machine.write("sys/class/net/eth0/speed", speed);
        let read = Network::new(&machine.roots()).read(second(1));
        assert_eq!(read.interfaces[1].speed_bits_per_second, None, "{speed}");
    }
}

#[test]
fn no_packet_filter_is_nothing_unknown_and_the_rest_is() {
    let machine = Machine::empty();
    let mut network = Network::new(&machine.roots());
    assert_eq!(network.read(second(1)), NetworkReading::default());
    assert!(network.unknown().all(|unknown| unknown.what != "conntrack"));
    assert!(network.unknown().any(|unknown| unknown.what == "tcp segments"));
}

#[test]
fn garbage_is_unknown() {
    let machine = machine();
    machine
        .write("proc/net/snmp", "Tcp: A B\n")
        .write("proc/net/softnet_stat", "00 zz\n")
        .write("proc/net/sockstat", "TCP: inuse\n")
        .write("proc/net/dev", "eth0: 1 2\nlo: 1 2 3 4 5 6 7 8 9 10 11 12")
        .write("proc/sys/net/ipv4/ip_local_port_range", "70000 5\n");
    let read = Network::new(&machine.roots()).read(second(1));
    assert_eq!(read.tcp.segments_out, None);
    assert_eq!((read.softnet_dropped, read.time_wait, read.ephemeral_ports), (None, None, None));
    assert!(read.interfaces.is_empty());
    assert_eq!(read.tcp.listen_overflows, Some(2), "one file's garbage is not another's");
}
