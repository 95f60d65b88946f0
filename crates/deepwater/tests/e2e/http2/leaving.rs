//! HTTP/2 origins that take no more requests on a connection, or not this one: what they have not done is sent again,
//! whatever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::{fronting, h2_client};
use crate::support::{Deepwater, H2Origin, LISTEN, ROUTE, pool, read_all, request, soon};

const POST: &str = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello";

/// Answers all requests of a connection; one for `/long` only when told, and having said that it takes no more.
async fn serve(tcp: TcpStream, told: Arc<Notify>) {
    let mut connection = h2::server::handshake(tcp).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if request.uri().path() == "/long" {
            let told = Arc::clone(&told);
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move {
                told.notified().await;
                body.send_data(Bytes::from_static(b"end"), true).unwrap();
            });
            connection.graceful_shutdown();
        } else {
            tokio::spawn(async move {
                let (body, _) = read_all(request.into_body()).await.unwrap();
                let mut answer = respond.send_response(Response::new(()), false).unwrap();
                answer.send_data(body.into(), true).unwrap();
            });
        }
    }
}

/// A listener, and an edge in front of it.
async fn listen() -> (TcpListener, Deepwater) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = format!("{}protocol = \"http2\"\n", pool("app", &[address]));
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{target}")).await;
    (listener, edge)
}

#[tokio::test]
async fn a_connection_that_is_given_up_is_not_asked_again() {
    let (listener, edge) = listen().await;
    let connections = Arc::<AtomicUsize>::default();
    let told = Arc::<Notify>::default();
    let accepting = tokio::spawn({
        let (told, connections) = (Arc::clone(&told), Arc::clone(&connections));
        async move {
            while let Ok((tcp, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(tcp, Arc::clone(&told)));
            }
        }
    });
    let client = h2_client(&edge).await;
    let (response, _) = client.begin(request("GET", "/long"), true).await;
    let long = soon("a head", response).await.unwrap();
    // Its stream goes on while the connection takes no more.
    let mut other = edge.client().await;
    for _ in 0..10 {
        let answer = other.ask(POST).await;
        assert_eq!((answer.status(), answer.text()), (200, "hello"));
        assert_eq!(other.get("/").await.status(), 200);
    }
    assert!(connections.load(Ordering::SeqCst) <= 3, "one for each core, and the one that was given up");
    told.notify_waiters();
    assert_eq!(read_all(long.into_body()).await.unwrap().0, b"end");
    accepting.abort();
}

#[tokio::test]
async fn what_was_refused_is_sent_again() {
    let asked = Arc::<AtomicUsize>::default();
    let origin = {
        let asked = Arc::clone(&asked);
        H2Origin::start(None, move |request, mut respond| {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return respond.send_reset(h2::Reason::REFUSED_STREAM);
                }
                let (body, _) = read_all(request.into_body()).await.unwrap();
                let mut answer = respond.send_response(Response::new(()), false).unwrap();
                answer.send_data(body.into(), true).unwrap();
            }
        })
        .await
    };
    let edge = fronting(&origin).await;
    let answer = edge.ask(POST).await;
    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    assert_eq!((asked.load(Ordering::SeqCst), origin.connections()), (2, 1));
}

#[tokio::test]
async fn what_may_have_been_done_is_not() {
    let asked = Arc::<AtomicUsize>::default();
    let origin = {
        let asked = Arc::clone(&asked);
        H2Origin::start(None, move |_, mut respond| {
            asked.fetch_add(1, Ordering::SeqCst);
            async move { respond.send_reset(h2::Reason::INTERNAL_ERROR) }
        })
        .await
    };
    let edge = fronting(&origin).await;
    assert_eq!(edge.ask(POST).await.status(), 502);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Takes a request and says that nothing was done with it: GOAWAY with 0 as the last stream.
async fn go_away(mut tcp: TcpStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    tcp.write_all(&SETTINGS).await.unwrap();
    tcp.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await.unwrap();
    loop {
        let mut head = [0; 9];
        tcp.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        tcp.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    tcp.write_all(&GOAWAY).await.unwrap();
    let _ = tcp.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn what_is_behind_the_last_stream_of_a_goaway_is_sent_again() {
    let (listener, edge) = listen().await;
    let serving = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let leaving = tokio::spawn(go_away(first));
        let (second, _) = listener.accept().await.unwrap();
        serve(second, Arc::default()).await;
        leaving.abort();
    });
    let answer = edge.ask(POST).await;
    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    serving.abort();
}
