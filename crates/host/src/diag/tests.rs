use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;

/// The connections of a listener. Sandboxes may have no `sock_diag`: there is nothing to test then.
fn connections(served: &Served, most: usize) -> Option<Connections> {
    match Diag::default().connections(served.listener.local_addr().expect("bound"), most) {
        Ok(connections) => Some(connections),
        Err(error) => {
            println!("no sock_diag here: {error}");
            None
        }
    }
}

/// Somebody who listens, and clients of theirs: both ends of each.
struct Served {
    listener: TcpListener,
    ends: Vec<(TcpStream, TcpStream)>,
}

impl Served {
    fn on(address: &str, clients: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let local = listener.local_addr()?;
        let connect = |_| Ok((TcpStream::connect(local)?, listener.accept()?.0));
        let ends = (0..clients).map(connect).collect::<io::Result<_>>()?;
        Ok(Self { listener, ends })
    }
}

fn cookies(connections: &Connections) -> BTreeSet<u64> {
    connections.found.iter().map(|connection| connection.cookie).collect()
}

#[test]
fn the_connections_of_a_port_are_found_and_no_others() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(mut served) = Served::on(any, 5) else { continue };
        let others = Served::on(any, 3).expect("it listens");
        let Some(found) = connections(&served, 100) else { return };
        let of_others = connections(&others, 100).expect("asked");
        assert_eq!((found.found.len(), found.cut_short), (5, false), "{any}");
        assert_eq!(of_others.found.len(), 3, "{any}");
        let known = cookies(&found);
        assert_eq!(known.len(), 5, "{any}: each has a cookie of its own");
        assert!(known.is_disjoint(&cookies(&of_others)), "{any}");

        // The listener is none, nor is what has ended.
        served.ends.truncate(2);
        let left = connections(&served, 100).expect("asked");
        assert_eq!(left.found.len(), 2, "{any}");
        assert!(cookies(&left).is_subset(&known), "{any}: they are known again");
    }
}

#[test]
fn clients_of_both_versions_are_those_of_a_listener_for_both() {
    let Ok(served) = Served::on("[::]:0", 0) else { return };
    let port = served.listener.local_addr().expect("bound").port();
    let connect = |address: &str| TcpStream::connect(format!("{address}:{port}"));
    let (Ok(_v6), Ok(_v4)) = (connect("[::1]"), connect("127.0.0.1")) else { return };
    let _accepted = [(); 2].map(|()| served.listener.accept().expect("accepted"));
    let Some(found) = connections(&served, 10) else { return };
    assert_eq!(found.found.len(), 2);
}

#[test]
fn no_more_are_taken_than_wanted_and_more_are_told_of() {
    // So many come in several pieces.
    let served = Served::on("127.0.0.1:0", 120).expect("it listens");
    for (most, cut_short) in [(0, true), (1, true), (100, true), (119, true), (120, false), (121, false)] {
        let Some(found) = connections(&served, most) else { return };
        assert_eq!((found.found.len(), found.cut_short), (most.min(120), cut_short), "of {most}");
    }
}

#[test]
fn a_connection_tells_of_itself() {
    let mut served = Served::on("127.0.0.1:0", 1).expect("it listens");
    let (client, server) = &mut served.ends[0];
    server.write_all(&[7; 10_000]).expect("sent");
    client.read_exact(&mut [0; 10_000]).expect("received");
    let Some(found) = connections(&served, 10) else { return };
    let info = found.found[0].info;
    assert!(info.round_trip.is_some_and(|time| time < Duration::from_secs(5)), "{info:?}");
    assert!(info.bytes_sent.is_some_and(|bytes| bytes >= 10_000), "{info:?}");
    assert_eq!(info.bytes_sent.zip(info.bytes_retransmitted).map(|(sent, again)| sent - again), Some(10_000));
    assert!(
        info.busy.zip(info.receive_window_limited).is_some_and(|(busy, of_it)| of_it <= busy),
        "{info:?}"
    );
}

#[test]
fn a_client_that_does_not_read_is_seen() {
    let served = Served::on("127.0.0.1:0", 1).expect("it listens");
    let (_client, server) = &served.ends[0];
    server.set_nonblocking(true).expect("set");
    let mut server = server;
    while server.write(&[7; 65_536]).is_ok() {}
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let Some(found) = connections(&served, 10) else { return };
        let info = found.found[0].info;
        if info.receive_window_limited.is_some_and(|time| time > Duration::from_millis(1)) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{info:?}");
        std::thread::yield_now();
    }
}

#[test]
fn sockets_are_told_of_as_in_the_tables() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(mut served) = Served::on(any, 3) else { continue };
        // One of them has left.
        served.ends.truncate(2);
        let ours = served.listener.local_addr().expect("bound");
        let _waits = TcpStream::connect(ours).expect("connected");
        let is_ours = |entry: &Entry| entry.local == ours || entry.remote == ours;
        let known = |entry: &Entry| (entry.local, entry.remote, entry.state, entry.queued, entry.inode);

        let mut told = BTreeSet::new();
        let asked = Diag::default().sockets(|entry| {
            told.extend(Some(entry).filter(|entry| is_ours(entry)).map(known));
            true
        });
        if let Err(error) = asked {
            return println!("no sock_diag here: {error}");
        }
        let table = if ours.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
        let table = std::fs::read_to_string(table).expect("a table");
        let lines = table.lines().filter_map(|line| crate::sockets::entry(line.as_bytes()));
        let listed: BTreeSet<_> = lines.filter(is_ours).map(|entry| known(&entry)).collect();
        assert_eq!(told, listed, "{any}");
        let waiting =
            told.iter().filter(|(local, _, state, queued, _)| (*local, *state, *queued) == (ours, 10, 1));
        assert_eq!(waiting.count(), 1, "{any}: {told:?}");
    }
}

#[test]
fn an_old_kernels_info_is_shorter() {
    let info = TcpInfo::parse(&[1; 104]).expect("the least there ever was");
    assert_eq!((info.busy, info.receive_window_limited, info.bytes_sent), (None, None, None));
    assert_eq!(info.round_trip, Some(Duration::from_micros(0x0101_0101)));
    assert!(TcpInfo::parse(&[1; 103]).is_none());
    assert!(TcpInfo::parse(&[1; 1_000]).expect("a later one").bytes_retransmitted.is_some());
    assert_eq!(TcpInfo::parse(&[0; 104]).expect("nothing measured").round_trip, None);
}

/// A message as the kernel sends it.
fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (16 + body.len()) as u32;
    let head: [&[u8]; 3] = [&length.to_ne_bytes(), &kind.to_ne_bytes(), &[0; 10]];
    [&head.concat(), body].concat()
}

#[test]
fn an_answer_that_breaks_off_is_an_error_and_not_the_end() {
    let answered = |kind, code: i32| {
        let bytes = message(kind, &code.to_ne_bytes());
        let answer = Messages::new(&bytes).next().expect("a message").answer();
        answer.map(|answer| answer.is_none()).map_err(|error| error.raw_os_error())
    };
    assert_eq!(answered(3, 0), Ok(true));
    assert_eq!(answered(3, -2), Err(Some(2)), "no module for TCP");
    assert_eq!(answered(2, -95), Err(Some(95)));
    assert_eq!(answered(2, 0), Err(None), "nobody asked for a receipt");
}

#[test]
fn whatever_comes_back_is_an_answer_or_an_error() {
    let seed = 0xd1a6;
    let mut random = deepwater_core::random::Random::from_seed(seed);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next_u64() as u8).collect();
        // Lengths and kinds that are nearly right.
        if bytes.len() > 90 {
            bytes[..4].copy_from_slice(&(random.below(320) as u32).to_ne_bytes());
            bytes[4..6].copy_from_slice(&20_u16.to_ne_bytes());
            bytes[88..90].copy_from_slice(&(random.below(220) as u16).to_ne_bytes());
        }
        let messages = Messages::new(&bytes).take(1_000).count();
        assert!(
            messages <= bytes.len() / 16,
            "seed {seed}, round {round}: every message is a header at least"
        );
        for message in Messages::new(&bytes) {
            let _ = message
                .answer()
                .map(|answer| answer.map(|it| (it.entry(), it.info.and_then(TcpInfo::parse))));
        }
    }
}
