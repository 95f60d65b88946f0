//! Cancel requests: passed on to the server that serves the client, and to no other client's query.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deepwater_pgwire::startup::write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::clients::CANCEL;
use crate::config::ServerTlsMode;
use crate::connect::{ConnectError, dial_again};
use crate::events::{CancelFailed, CancelUnmatched};
use crate::login::Peer;
use crate::server::ServerInfo;
use crate::worker::Worker;

/// How long a request may take where the configuration says nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// Passes on a request to cancel what the client with this process and secret does. Whoever asks is never answered: only
/// that the connection ends tells that it is done.
pub(crate) async fn cancel(worker: &Rc<Worker>, pid: u32, key: &[u8], peer: &Peer) {
    let shared = &worker.shared;
    let Some(client) = shared.clients.find(pid, key) else {
        return shared.context.events.emit(CancelUnmatched { remote: peer.to_string() });
    };
    // In the queue, it gives up its place.
    client.signal(CANCEL);
    let server = client.server.lock().expect("no panic while a server is held").clone();
    // While this lives the server serves nobody else.
    let Some(cancelling) = server.and_then(|server| server.cancel_for(client.id)) else { return };
    let limit = shared.plan.load().config.timeouts.cancel_wait.get();
    let limit = if limit.is_zero() { LIMIT } else { limit };
    let reason = match timeout(limit, pass_on(worker, &client.database, &cancelling.server)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took longer than {limit:?}"),
    };
    shared.context.events.emit(CancelFailed { client: client.peer.to_string(), reason });
}

/// Stops what a server does for a client that has gone. As well as can be: the connection is closed in any case.
pub(crate) async fn stop(worker: &Rc<Worker>, database: &str, server: &Arc<ServerInfo>) {
    let limit = worker.shared.plan.load().config.timeouts.cancel_wait.get();
    let limit = if limit.is_zero() { LIMIT } else { limit };
    let _ = timeout(limit, pass_on(worker, database, server)).await;
}

/// Between two looks at whether the client's own query runs.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

async fn pass_on(worker: &Rc<Worker>, database: &str, server: &Arc<ServerInfo>) -> Result<(), ConnectError> {
    let plan = worker.shared.plan.load_full();
    let database = plan.database(database);
    let own = database.and_then(|database| database.config.primary.sslmode);
    let mode: ServerTlsMode = own.unwrap_or(plan.config.server_tls.mode);
    let tls = plan.server_tls.get(&mode);
    let mut stream = dial_again(server, tls.map(|tls| &**tls), &plan.config.tcp_keepalive).await?;
    // What is asked on the client's behalf is over in a moment, and must not fail.
    while server.is_ours() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut request = Vec::new();
    write::cancel_request(&mut request, server.pid, &server.key);
    stream.write_all(&request).await?;
    stream.flush().await?;
    // The server ends the connection once it has told the backend.
    let mut nothing = [0; 64];
    while stream.read(&mut nothing).await.is_ok_and(|n| n > 0) {}
    Ok(())
}
