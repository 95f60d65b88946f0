use std::net::{TcpListener, TcpStream};

use deepwater_host::Connection;

use super::*;
use crate::signal::Signal;
use crate::store::Store;

/// A connection that has measured and counted this: its round trip in milliseconds, milliseconds in which the client did
/// not read of those with something to send, bytes sent again of those sent.
fn connection(cookie: u64, round_trip: u64, unread: (u64, u64), again: (u64, u64)) -> Connection {
    let info = TcpInfo {
        round_trip: Some(Duration::from_millis(round_trip)).filter(|time| !time.is_zero()),
        receive_window_limited: Some(Duration::from_millis(unread.0)),
        busy: Some(Duration::from_millis(unread.1)),
        bytes_retransmitted: Some(again.0),
        bytes_sent: Some(again.1),
    };
    Connection { cookie, info }
}

fn all(found: Vec<Connection>) -> Connections {
    Connections { found, cut_short: false }
}

/// What is told of connections after what was seen of them before.
fn told(before: Option<&Connections>, now: &Connections) -> impl Fn(&'static Signal) -> Option<f64> + use<> {
    let mut group = Group::default();
    group.add(now, before.map(Look::of).as_ref());
    let (mut samples, mut store) = (Samples::default(), Store::new(1 << 20));
    group.tell(&mut samples, "http");
    store.put_all(&samples);
    store.pass(1);
    // As it is kept, in single precision.
    move |signal| store.latest(signal, "http").map(|value| (value * 1e6).round() / 1e6)
}

#[test]
fn round_trips_are_told_by_the_median_and_of_twenty_by_the_95th() {
    let of = |count: u64| all((1..=count).map(|ms| connection(ms, ms, (0, 0), (0, 0))).collect());
    let some = told(None, &of(19));
    assert_eq!((some(&signal::ROUND_TRIP), some(&signal::ROUND_TRIP_P95)), (Some(0.01), None));
    let many = told(None, &of(100));
    assert_eq!((many(&signal::ROUND_TRIP), many(&signal::ROUND_TRIP_P95)), (Some(0.05), Some(0.095)));
    let unmeasured = told(None, &all(vec![connection(1, 0, (0, 0), (0, 0))]));
    assert_eq!(unmeasured(&signal::ROUND_TRIP), None);
    assert_eq!(told(None, &all(Vec::new()))(&signal::ROUND_TRIP), None);
}

#[test]
fn what_was_sent_is_told_of_the_time_between_two_looks() {
    let before = all(vec![connection(1, 1, (9_000, 10_000), (500_000, 1_000_000))]);
    let now = all(vec![
        connection(1, 1, (9_100, 11_000), (500_000, 1_900_000)),
        // Began since.
        connection(2, 1, (400, 1_000), (10_000, 100_000)),
    ]);
    let first = told(None, &now);
    assert_eq!((first(&signal::RECEIVER_LIMITED), first(&signal::CLIENT_LOSS)), (None, None), "since when?");
    let second = told(Some(&before), &now);
    assert_eq!((second(&signal::RECEIVER_LIMITED), second(&signal::CLIENT_LOSS)), (Some(0.25), Some(0.01)));
}

#[test]
fn of_a_connection_that_may_have_been_there_before_it_is_not_known_what_is_new() {
    let before = Connections { found: vec![connection(1, 1, (0, 1_000), (0, 1_000_000))], cut_short: true };
    let now = all(vec![
        connection(1, 1, (100, 2_000), (0, 2_000_000)),
        connection(2, 1, (9_000, 9_000), (9_000_000, 9_000_000)),
    ]);
    let told = told(Some(&before), &now);
    assert_eq!((told(&signal::RECEIVER_LIMITED), told(&signal::CLIENT_LOSS)), (Some(0.1), Some(0.0)));
}

#[test]
fn of_next_to_nothing_no_share_is_told() {
    let before = all(Vec::new());
    let little = told(Some(&before), &all(vec![connection(1, 1, (99, 99), (131_071, 131_071))]));
    assert_eq!((little(&signal::RECEIVER_LIMITED), little(&signal::CLIENT_LOSS)), (None, None));
    let enough = told(Some(&before), &all(vec![connection(1, 1, (100, 100), (131_072, 131_072))]));
    assert_eq!((enough(&signal::RECEIVER_LIMITED), enough(&signal::CLIENT_LOSS)), (Some(1.0), Some(1.0)));
    // Counters that went back are no share below nought, or above one.
    let back = all(vec![connection(1, 1, (500, 400), (1 << 20, 1 << 30))]);
    let now = told(Some(&back), &all(vec![connection(1, 1, (900, 600), (1, 2 << 30))]));
    assert_eq!((now(&signal::RECEIVER_LIMITED), now(&signal::CLIENT_LOSS)), (Some(1.0), Some(0.0)));
}

#[test]
fn listeners_of_one_port_and_version_have_the_same_connections() {
    let listener = |address: &str| Listener { address: address.parse().unwrap(), protocol: Protocol::Http };
    let listeners = ["127.0.0.1:80", "10.0.0.1:80", "[::]:80", "10.0.0.1:81"].map(listener);
    let ports = told_apart(&listeners).iter().map(|it| it.address.to_string()).collect::<Vec<_>>();
    assert_eq!(ports, ["127.0.0.1:80", "[::]:80", "10.0.0.1:81"]);
}

/// What is told at each tick, or why nothing is.
#[test]
fn those_who_are_connected_are_looked_at_every_ten_ticks() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    let _accepted = socket.accept().unwrap();
    let listeners = vec![Listener { address, protocol: Protocol::Postgres }];
    let facts = Facts { listeners, ..Facts::default() };
    let mut clients = Clients::default();
    let mut told = Vec::new();
    for tick in 0..21 {
        let (mut samples, mut store) = (Samples::default(), Store::new(1 << 20));
        clients.read(&mut samples, &facts);
        store.put_all(&samples);
        store.pass(1);
        if store.latest(&signal::ROUND_TRIP, "postgres").is_some() {
            told.push(tick);
        }
    }
    if clients.unknown().is_empty() {
        assert_eq!(told, [0, 10, 20]);
    } else {
        println!("no sock_diag here: {:?}", clients.unknown());
        assert_eq!(told, [0; 0]);
    }
}

#[test]
fn more_listeners_than_are_looked_at_are_told_of() {
    let listener =
        |port: u16| Listener { address: SocketAddr::from(([127, 0, 0, 1], port)), protocol: Protocol::Http };
    let facts = Facts { listeners: (1..=9).map(listener).collect(), ..Facts::default() };
    let mut clients = Clients::default();
    clients.read(&mut Samples::default(), &facts);
    assert!(clients.unknown()[0].why.contains("8 of 9"), "{:?}", clients.unknown());
    assert!(clients.looks.len() <= MOST_LISTENERS);
    for _ in 0..EVERY {
        clients.read(&mut Samples::default(), &Facts::default());
    }
    assert!(clients.unknown().is_empty() && clients.looks.is_empty());
}
