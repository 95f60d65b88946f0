//! Connections and their limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::{Context, Handover, Shutdown};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::app::App;

/// Open connections; the next one waits in the kernel's backlog.
const CONNECTIONS: usize = 256;
/// Longest wait for a request's header, the idle time before it included.
const HEADER_DEADLINE: Duration = Duration::from_secs(20);
/// Longest time a client may leave what was sent unread (`TCP_USER_TIMEOUT`, RFC 5482).
const UNREAD_DEADLINE: Duration = Duration::from_secs(30);
/// How long calls under way may take once the console closes.
const GRACE: Duration = Duration::from_secs(1);
/// How long a connection without any call yet may take for its first one then.
const FIRST_CALL: Duration = Duration::from_millis(500);
/// Pause after a failed accept, which means that the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening socket and what it serves.
pub(super) struct Server {
    listener: TcpListener,
    app: Arc<App>,
    shutdown: Shutdown,
    handover: Handover,
}

impl Server {
    pub(super) fn new(listener: TcpListener, app: Arc<App>, context: &Context) -> Self {
        let (shutdown, handover) = (context.shutdown.clone(), context.handover.clone());
        Self { listener, app, shutdown, handover }
    }

    /// Serves until the process has drained or `close` says so (its sender dropped counts too). Connections are accepted
    /// from when it is this process's turn, and not after a successor's has come.
    pub(super) async fn run(self, close: watch::Receiver<bool>) {
        let ending = watch::Sender::new(false);
        let mut connections = JoinSet::new();
        let mut ended = pin!(end(self.shutdown, close));
        let (mut opened, mut left) = (pin!(self.handover.opened()), pin!(self.handover.left()));
        let mut accepts = false;
        loop {
            let turn = accepts && !self.handover.has_left();
            tokio::select! {
                () = &mut ended => break,
                () = &mut opened, if !accepts => accepts = true,
                // Looks again whether to accept.
                () = &mut left, if turn => {}
                Some(_) = connections.join_next() => {}
                (stream, peer) = accept(&self.listener), if turn && connections.len() < CONNECTIONS => {
                    connections.spawn(connection(stream, peer, Arc::clone(&self.app), ending.subscribe()));
                }
            }
        }
        drop(self.listener);
        ending.send_replace(true);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        // Those still open after the grace are cut when the set is dropped.
        let _ = tokio::time::timeout(GRACE, all_ended).await;
    }
}

/// Resolves when the process has drained or the console is to be closed.
async fn end(shutdown: Shutdown, mut close: watch::Receiver<bool>) {
    tokio::select! {
        () = shutdown.drained() => {}
        _ = close.wait_for(|close| *close) => {}
    }
}

/// The next connection; waits out a lack of file descriptors.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, app: Arc<App>, mut ending: watch::Receiver<bool>) {
    let _open = app.measure().connection();
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_DEADLINE));
    let (called, mut first_call) = watch::channel(false);
    let service = service_fn(|request: Request<Incoming>| {
        called.send_replace(true);
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(app.answer(request, peer).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // How a connection ends is the client's business.
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => {}
    }
    // One accepted a moment ago has its call on the way: closed now, the call would get no answer.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = tokio::time::timeout(FIRST_CALL, first_call.wait_for(|called| *called)) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
