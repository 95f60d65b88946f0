//! Live prices over a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::app::Shop;
use crate::catalogue::PRODUCTS;
use crate::clock::rfc3339;
use crate::prices::PriceList;
use crate::problem::Problem;

/// How many sockets one instance keeps open.
const SEATS: u32 = 1024;
const PERIOD: Duration = Duration::from_secs(1);
/// A client that does not read for this long is let go.
const SEND_DEADLINE: Duration = Duration::from_secs(5);
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// Clients have nothing to say that is longer than a ping.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Room for a bounded number of sockets. A socket holds its seat until it is closed.
pub(crate) struct Seats(Arc<Semaphore>);

impl Default for Seats {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SEATS as usize)))
    }
}

impl Seats {
    /// Resolves once no socket is open, and keeps new ones out from then on.
    pub(crate) async fn all_free(&self) {
        if let Ok(seats) = self.0.acquire_many(SEATS).await {
            seats.forget();
        }
    }

    fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_owned().ok()
    }
}

/// `GET /ws/ticker`
pub(crate) async fn connect(State(shop): State<Arc<Shop>>, upgrade: WebSocketUpgrade) -> Response {
    let Some(seat) = shop.ticker_seats.take() else {
        return Problem::overloaded("All seats at the ticker are taken.").into_response();
    };
    upgrade.max_message_size(MAX_MESSAGE_BYTES).on_upgrade(move |socket| async move {
        let _seat = seat;
        run(&shop, socket).await;
    })
}

/// Pushes one price a second until either side has had enough. Pings are answered by the protocol layer
/// while the socket is read.
async fn run(shop: &Shop, mut socket: WebSocket) {
    let mut closing = shop.closing.clone();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                // A database that has no time for a price will have it a second later.
                let Ok(prices) = shop.database.prices().await else { continue };
                if !send(&mut socket, Message::text(price_message(shop, &prices))).await {
                    return;
                }
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
            () = async { let _ = closing.wait_for(|closing| *closing).await; } => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "the shop is closing".into() };
                if !send(&mut socket, Message::Close(Some(goodbye))).await {
                    return;
                }
                break;
            }
        }
    }
    // Reading to the end completes the closing handshake, whoever began it (RFC 6455 §7.1.2).
    let _ = timeout(CLOSE_DEADLINE, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_DEADLINE, socket.send(message)).await, Ok(Ok(())))
}

/// Every second belongs to a product, on all instances the same.
fn price_message(shop: &Shop, prices: &PriceList) -> String {
    let product = &PRODUCTS[(prices.now % PRODUCTS.len() as u64) as usize];
    json!({
        "product": product.id,
        "name": product.name,
        "price": prices.of(product).price,
        "at": rfc3339(prices.now),
        "instance": shop.instance,
    })
    .to_string()
}
