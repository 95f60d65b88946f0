//! Replication connections: each has a server connection of its own, and bytes pass both ways unread.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::time::timeout;

use crate::clients::{ClientInfo, ClientState, DRAIN, Farewell, KILL};
use crate::connect::{self, ConnectError, Raw};
use crate::login::Replica;
use crate::server::{ServerInfo, ServerState};
use crate::shared::Servers;
use crate::worker::Worker;

/// How long a client may take to take in why it is disconnected.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a client until one side ends.
pub(crate) async fn run(worker: Rc<Worker>, mut client: Replica) {
    let raw = match open(&worker, &client).await {
        Ok(raw) => raw,
        Err(error) => return refuse(&mut client, error.code(), &error.to_string()).await,
    };
    let (mut stream, parameters, server) = (raw.stream, raw.parameters, Arc::new(raw.info));
    let info = Arc::clone(&client.info);
    worker.shared.servers.enter(&client.pool.key, &server);
    let _listed = Listed { servers: &worker.shared.servers, client: &info, server: &server };
    server.client.store(client.info.id, Ordering::SeqCst);
    server.set_state(ServerState::Active);
    client.info.set_state(ClientState::Active);
    *client.info.server.lock().expect("no panic while a server is held") = Some(Arc::clone(&server));

    let mut output = std::mem::take(&mut client.output);
    for (name, value) in parameters.iter() {
        write::parameter_status(&mut output, name, value);
    }
    write::backend_key_data(&mut output, client.info.pid, &client.info.key);
    write::ready_for_query(&mut output, Status::Idle);
    let passing = async {
        client.stream.write_all(&output).await?;
        client.stream.flush().await?;
        stream.write_all(&client.input).await?;
        stream.flush().await?;
        copy_bidirectional(&mut client.stream, &mut stream).await
    };
    let farewell = tokio::select! {
        biased;
        farewell = killed(&client.info) => farewell,
        // However it ended, both sides are closed now.
        _ = Box::pin(passing) => return,
    };
    refuse(&mut client, farewell.code, &farewell.message).await;
}

async fn open(worker: &Rc<Worker>, client: &Replica) -> Result<Raw, ConnectError> {
    let pool = &client.pool;
    let database = Arc::clone(&pool.settings.load().database);
    let credentials = connect::credentials_of(&worker.shared, pool, &database);
    let mut parameters = connect::startup_parameters(&database);
    let own = client.startup.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, value) in own.chain([("replication".to_owned(), client.replication.clone())]) {
        parameters.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        parameters.push((name, value));
    }
    connect::open_raw(worker, &database, &pool.key.user, &parameters, &credentials).await
}

/// Resolves when the client is to be disconnected: when the process drains too, since replication has no pauses.
async fn killed(client: &ClientInfo) -> Farewell {
    poll_fn(|cx| {
        client.listen_once(cx.waker());
        let signals = client.signals();
        let farewell = (signals & KILL != 0).then(|| client.farewell()).flatten();
        let drained = || Farewell {
            code: "57P01",
            message: "terminating connection due to administrator command".into(),
        };
        farewell.or_else(|| (signals & DRAIN != 0).then(drained)).map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

async fn refuse(client: &mut Replica, code: &str, message: &str) {
    write::error_response(&mut client.output, &Report::new(Severity::Fatal, code, message));
    let farewell = async {
        // A client that has gone hears nothing.
        let _ = client.stream.write_all(&client.output).await;
        let _ = client.stream.shutdown().await;
    };
    let _ = timeout(FAREWELL, farewell).await;
}

/// The server connection as others see it, while it is there.
struct Listed<'a> {
    servers: &'a Servers,
    client: &'a ClientInfo,
    server: &'a ServerInfo,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.server.client.store(0, Ordering::SeqCst);
        *self.client.server.lock().expect("no panic while a server is held") = None;
        self.servers.leave(self.server.id);
    }
}
