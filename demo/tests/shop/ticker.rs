use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::{Shop, within};

async fn open(shop: &Shop) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(shop.address).await.unwrap();
    let (socket, response) = client_async(format!("ws://{}/ws/ticker", shop.address), stream).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["x-shop-instance"], "shop-1");
    socket
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Message> {
    within(socket.next()).await.map(Result::unwrap)
}

#[tokio::test]
async fn prices_are_pushed_and_pings_answered() {
    let shop = Shop::open("shop-1").await;
    let mut socket = open(&shop).await;

    let first: Value = serde_json::from_str(next(&mut socket).await.unwrap().to_text().unwrap()).unwrap();
    assert!(first["product"].as_u64().is_some_and(|id| (1..=24).contains(&id)));
    assert!(first["price"].as_f64().unwrap() > 0.0);
    assert!(first["at"].as_str().unwrap().ends_with('Z'));

    socket.send(Message::Ping("are you there".into())).await.unwrap();
    loop {
        match next(&mut socket).await.unwrap() {
            Message::Pong(answer) => break assert_eq!(&answer[..], b"are you there"),
            Message::Text(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    socket.close(None).await.unwrap();
    while next(&mut socket).await.is_some() {}
}

#[tokio::test]
async fn a_shop_that_closes_says_so() {
    let shop = Shop::open("shop-1").await;
    let mut socket = open(&shop).await;
    assert!(next(&mut socket).await.unwrap().is_text());

    let closed = shop.close();
    loop {
        match next(&mut socket).await.unwrap() {
            Message::Close(goodbye) => break assert_eq!(goodbye.unwrap().code, CloseCode::Away),
            Message::Text(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    while next(&mut socket).await.is_some() {}
    closed.await;
}

#[tokio::test]
async fn a_plain_request_is_told_what_the_ticker_speaks() {
    let shop = Shop::open("shop-1").await;
    let refused = shop.get("/ws/ticker").await;
    assert!((400..500).contains(&refused.status()));
}
