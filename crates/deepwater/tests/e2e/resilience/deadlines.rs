//! The time a route gives a whole request, connecting included.

use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;

use crate::support::{Deepwater, LISTEN, pool};

/// A server that takes no more connections: whoever connects waits for an answer that does not come.
struct Full {
    listener: Socket,
    /// What its queue is full of.
    _queue: Vec<TcpStream>,
}

impl Full {
    async fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let mut full = Self { listener, _queue: Vec::new() };
        // A connection that is taken is taken at once.
        while let Ok(taken) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(full.address())).await
        {
            full._queue.push(taken.unwrap());
        }
        full
    }

    fn address(&self) -> std::net::SocketAddr {
        SockRef::from(&self.listener).local_addr().unwrap().as_socket().unwrap()
    }
}

#[tokio::test]
async fn connecting_takes_no_longer_than_the_whole_request_may() {
    let (one, other) = (Full::new().await, Full::new().await);
    let keys = "connect_attempts = 2\ntimeouts = { connect = \"1h\" }\n";
    let edge = Deepwater::start(&format!(
        "{LISTEN}[[edge.route]]\npool = \"app\"\ntimeout = \"500ms\"\n{}{keys}",
        pool("app", &[one.address(), other.address()])
    ))
    .await;
    let began = Instant::now();
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 504);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=http_response_timeout"));
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    edge.counts("deepwater_edge_upstream_retries_total", &[("pool", "app")], 0.0).await;
}
