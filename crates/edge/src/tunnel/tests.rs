use std::time::Instant as WallInstant;

use aws_lc_rs::digest::{Context, SHA256};
use deepwater_core::random::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

const IDLE: Limits = Limits { idle: Duration::from_secs(30) };

/// A connected pair of sockets.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    (dialled, accepted)
}

/// What stands at a tunnel's two ends, and the tunnel's own two sockets.
struct Ends {
    client: TcpStream,
    origin: TcpStream,
    towards_client: TcpStream,
    towards_origin: TcpStream,
}

async fn ends() -> Ends {
    let (client, towards_client) = pair().await;
    let (towards_origin, origin) = pair().await;
    Ends { client, origin, towards_client, towards_origin }
}

fn carriers() -> Carriers {
    Carriers::new(&Slabs::default())
}

/// Sends bytes that follow from the seed, then the end of the stream. Returns their checksum.
async fn send(socket: &mut (impl AsyncWriteExt + Unpin), seed: u64, bytes: usize) -> Checksum {
    let mut random = Random::from_seed(seed);
    let noise: Vec<u8> = (0..65_536).flat_map(|_| random.next_u64().to_le_bytes()).collect();
    let mut sum = Context::new(&SHA256);
    let mut left = bytes;
    while left > 0 {
        // Odd sizes, so that the ends of writes, packets and pipe slots do not coincide.
        let size = (1 + random.below(150_000)).min(left);
        let chunk = &noise[random.below(noise.len() - size)..][..size];
        sum.update(chunk);
        socket.write_all(chunk).await.unwrap();
        left -= size;
    }
    socket.shutdown().await.unwrap();
    Checksum(bytes, sum.finish().as_ref().to_vec())
}

/// Reads to the end.
async fn receive(socket: &mut (impl AsyncReadExt + Unpin)) -> Checksum {
    let (mut sum, mut total, mut buffer) = (Context::new(&SHA256), 0, vec![0; 64 * 1024]);
    loop {
        match socket.read(&mut buffer).await.unwrap() {
            0 => return Checksum(total, sum.finish().as_ref().to_vec()),
            n => {
                sum.update(&buffer[..n]);
                total += n;
            }
        }
    }
}

/// How many bytes, and their hash.
#[derive(Debug, PartialEq)]
struct Checksum(usize, Vec<u8>);

#[tokio::test]
async fn much_passes_both_ways_at_once_unchanged() {
    const BYTES: usize = 64 << 20;
    let Ends { client, origin, towards_client, towards_origin } = ends().await;
    let (mut client_reads, mut client_writes) = client.into_split();
    let (mut origin_reads, mut origin_writes) = origin.into_split();
    let counters = TunnelCounters::default();
    let carriers = carriers();

    let started = WallInstant::now();
    let (ended, sent_up, sent_down, got_up, got_down) = tokio::join!(
        splice(&towards_client, &towards_origin, &carriers, IDLE, &counters),
        send(&mut client_writes, 1, BYTES),
        send(&mut origin_writes, 2, BYTES),
        receive(&mut origin_reads),
        receive(&mut client_reads),
    );
    println!("64 MiB each way in {:?}", started.elapsed());

    assert_eq!(ended.unwrap(), Ended::Closed);
    assert_eq!((got_up, got_down), (sent_up, sent_down));
    assert_eq!((counters.received.get(), counters.sent.get()), (BYTES as u64, BYTES as u64));
}

#[tokio::test]
async fn copying_serves_where_there_is_no_pipe() {
    const BYTES: usize = 4 << 20;
    let Ends { mut client, mut origin, towards_client, towards_origin } = ends().await;
    let slabs = Slabs::default();
    let moved = Cell::new(0);
    let pass = async {
        loop {
            towards_client.readable().await.unwrap();
            let add = |bytes| moved.set(moved.get() + bytes);
            match copy::carry(&towards_client, &towards_origin, &slabs, &add).await.unwrap() {
                Pause::Finished => return half_close(&towards_origin).unwrap(),
                Pause::Drained => {}
                Pause::Yielded => tokio::task::yield_now().await,
            }
        }
    };
    let (sent, got, ()) = tokio::join!(send(&mut client, 3, BYTES), receive(&mut origin), pass);
    assert_eq!(got, sent);
    assert_eq!(moved.get(), BYTES);
}

#[tokio::test]
async fn a_side_that_is_done_sending_still_gets_its_answer() {
    let Ends { mut client, mut origin, towards_client, towards_origin } = ends().await;
    let (carriers, counters) = (carriers(), TunnelCounters::default());
    let talk = async {
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        origin.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question", "the end of the stream was passed on");

        origin.write_all(b"a long answer").await.unwrap();
        drop(origin);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "a long answer");
    };
    let (ended, ()) =
        tokio::join!(splice(&towards_client, &towards_origin, &carriers, IDLE, &counters), talk);
    assert_eq!(ended.unwrap(), Ended::Closed);
}

#[tokio::test]
async fn a_reset_reaches_the_other_side() {
    let Ends { mut client, origin, towards_client, towards_origin } = ends().await;
    let (carriers, counters) = (carriers(), TunnelCounters::default());
    reset_on_close(&origin);
    drop(origin);
    let error = splice(&towards_client, &towards_origin, &carriers, IDLE, &counters).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    drop((towards_client, towards_origin));
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn silence_ends_a_tunnel_and_any_byte_prolongs_it() {
    let Ends { mut client, mut origin, towards_client, towards_origin } = ends().await;
    let (carriers, counters) = (carriers(), TunnelCounters::default());
    tokio::time::pause();
    let start = Instant::now();
    let ticks = async {
        // Only one direction moves, and the other must not call that silence.
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            origin.write_all(b"tick").await.unwrap();
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
    };
    let (ended, ()) =
        tokio::join!(splice(&towards_client, &towards_origin, &carriers, IDLE, &counters), ticks);
    assert_eq!(ended.unwrap(), Ended::Idle);
    assert_eq!(start.elapsed().as_secs(), 5 * 20 + 30);
    assert_eq!(counters.sent.get(), 20);
}

#[tokio::test]
async fn a_slow_reader_slows_its_sender() {
    let Ends { mut client, mut origin, towards_client, towards_origin } = ends().await;
    for socket in [&client, &origin, &towards_client, &towards_origin] {
        SockRef::from(socket).set_send_buffer_size(64 * 1024).unwrap();
        SockRef::from(socket).set_recv_buffer_size(64 * 1024).unwrap();
    }
    let (carriers, counters) = (carriers(), TunnelCounters::default());
    tokio::time::pause();
    let limits = Limits { idle: Duration::from_secs(5) };
    let accepted = Cell::new(0);
    let flood = async {
        // Nobody reads at the client: this stops when every buffer on the way is full.
        while let Ok(n) = origin.write(&[7; 16 * 1024]).await {
            accepted.set(accepted.get() + n);
        }
    };
    let ended = tokio::select! {
        ended = splice(&towards_client, &towards_origin, &carriers, limits, &counters) => ended,
        () = flood => unreachable!("the origin's connection stays open"),
    };
    assert_eq!(ended.unwrap(), Ended::Idle, "a tunnel that is stuck is idle");
    assert!(accepted.get() > 0 && accepted.get() < 2 << 20, "{} bytes were accepted", accepted.get());
    let mut first = [0; 1024];
    assert_eq!(client.read(&mut first).await.unwrap(), 1024, "what had been passed is still there");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_tunnels_hold_no_pipes() {
    let (carriers, counters) = (carriers(), TunnelCounters::default());
    let Ends { mut client, mut origin, towards_client, towards_origin } = ends().await;
    let talk = async {
        for _ in 0..3 {
            client.write_all(b"ping").await.unwrap();
            origin.read_exact(&mut [0; 4]).await.unwrap();
            origin.write_all(b"pong").await.unwrap();
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
        tokio::task::yield_now().await;
        assert_eq!(carriers.pipes.spare(), 1, "one pipe served all, and was given back");
    };
    tokio::select! {
        ended = splice(&towards_client, &towards_origin, &carriers, IDLE, &counters) => panic!("{ended:?}"),
        () = talk => {}
    }
}
