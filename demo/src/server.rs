//! Serving: from a bound listener to the last answered request.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{self, Shop};
use crate::prices::PriceError;

/// How long requests under way may take to finish once shutdown has begun. Longer than the slowest
/// report, so that nothing well-behaved is cut off.
const DRAIN_DEADLINE: Duration = Duration::from_secs(12);

/// How long WebSocket clients get to answer the closing handshake.
const WEBSOCKET_DEADLINE: Duration = Duration::from_secs(2);

/// What one instance of the shop needs to know.
#[derive(Clone)]
pub struct Options {
    /// Where the instance listens. [`serve`] is handed a bound listener; this is the address to bind it to.
    pub listen: SocketAddr,
    /// The instance's name, sent as `X-Shop-Instance` with every response.
    pub instance: String,
    /// The secret that signs sign-in tokens (HS256). All instances of one shop share it.
    pub jwt_secret: String,
    /// When set, the operator controls under `/_demo/` ask for it in `X-Demo-Token`.
    pub demo_token: Option<String>,
    /// Prices, in cents by product number, that stand from the start until they are set anew.
    pub prices: BTreeMap<u32, u64>,
    /// Where prices, carts and orders live: the URL of a PostgreSQL database, which instances may share. Without it they
    /// live in the memory of this instance.
    pub database: Option<String>,
}

/// What an instance cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The name has characters that a header cannot carry.
    #[error("the instance name {0:?} has characters a header cannot carry")]
    Name(String),
    /// The URL of the database.
    #[error("the database's URL cannot be read: {0}")]
    Database(tokio_postgres::Error),
    /// A price.
    #[error(transparent)]
    Price(#[from] PriceError),
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// Serves the shop on `listener` until `shutdown` resolves, then stops accepting, lets requests under way
/// finish (at most 12 s) and closes WebSockets with status 1001.
///
/// # Errors
/// `InvalidInput` when the options cannot be meant: see [`OptionsError`].
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (closing, mut closed) = watch::channel(false);
    let invalid = |error: OptionsError| std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
    let shop = Arc::new(Shop::new(options, closing.subscribe()).map_err(invalid)?);
    let service = app::router(shop.clone()).into_make_service_with_connect_info::<SocketAddr>();

    // Small answers on keep-alive connections must not wait for Nagle's algorithm. A socket that refuses
    // the option still works.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        shutdown.await;
        closing.send_replace(true);
    });
    let overdue = async {
        if closed.wait_for(|closing| *closing).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN_DEADLINE).await;
    };
    tokio::select! {
        served = server => served?,
        () = overdue => {}
    }
    // Upgraded connections are no longer the HTTP server's: they are waited for here.
    let _ = tokio::time::timeout(WEBSOCKET_DEADLINE, shop.ticker_seats.all_free()).await;
    Ok(())
}
