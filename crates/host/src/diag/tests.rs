use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

/// A connection over loopback. Sandboxes may have no `sock_diag`: there is nothing to test then.
fn diag() -> Option<Diag> {
    match Diag::open() {
        Ok(diag) => Some(diag),
        Err(error) => {
            println!("no sock_diag here: {error}");
            None
        }
    }
}

#[test]
fn a_connection_tells_of_itself() {
    let Some(mut diag) = diag() else { return };
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(any) else { continue };
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut server, _) = listener.accept().expect("accepted");
        client.write_all(&[7; 10_000]).expect("sent");
        server.read_exact(&mut [0; 10_000]).expect("received");
        let info = diag.tcp_info(server.as_fd()).expect("asked").expect("connected");
        assert_eq!(info.bytes_received, Some(10_000));
        assert!(info.congestion_window > 0 && info.total_retransmits == 0, "{info:?}");
        let other = diag.tcp_info(client.as_fd()).expect("asked").expect("connected");
        assert!(other.busy.is_some() && other.round_trip > std::time::Duration::ZERO, "{other:?}");
        let info = diag.tcp_info(listener.as_fd()).expect("asked");
        assert_eq!(info, None, "a listener has no connection");
    }
}

#[test]
fn there_is_no_connection_where_there_is_none_though_someone_listens() {
    let Some(mut diag) = diag() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let local = listener.local_addr().expect("bound");
    let nobody = "127.0.0.1:1".parse().expect("an address");
    assert_eq!(diag.connection(local, nobody).expect("asked"), None);
    drop(listener);
    assert_eq!(diag.connection(local, nobody).expect("asked"), None);
}

#[test]
fn listeners_tell_how_many_may_wait() {
    let Some(mut diag) = diag() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    rustix::net::listen(&listener, 5).expect("listens");
    let address = listener.local_addr().expect("bound");
    let _waiting =
        [TcpStream::connect(address), TcpStream::connect(address)].map(|it| it.expect("connected"));
    let found = diag.backlogs().expect("asked").into_iter().find(|backlog| backlog.address == address);
    assert_eq!(found, Some(Backlog { address, queued: 2, most: 5 }));
}

#[test]
fn an_old_kernels_info_is_shorter() {
    let info = TcpInfo::parse(&[1; 104]).expect("the least there ever was");
    assert_eq!((info.delivery_rate, info.busy, info.bytes_acknowledged), (None, None, None));
    assert_eq!(info.total_retransmits, 0x0101_0101);
    assert!(TcpInfo::parse(&[1; 103]).is_none());
    assert!(TcpInfo::parse(&[1; 1_000]).expect("a later one").bytes_retransmitted.is_some());
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
            bytes[16] = [2, 10, 3][random.below(3)];
            bytes[88..90].copy_from_slice(&(random.below(220) as u16).to_ne_bytes());
        }
        let messages = Messages::new(&bytes).take(1_000).count();
        assert!(
            messages <= bytes.len() / 16,
            "seed {seed}, round {round}: every message is a header at least"
        );
        for message in Messages::new(&bytes) {
            let _ =
                message.answer().map(|answer| answer.and_then(|answer| answer.info.and_then(TcpInfo::parse)));
        }
    }
}
