//! Making a server connection fit for the next client after one has left it in the middle of something.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deepwater_pgwire::message::backend::{self, ErrorFields, ParameterStatus, Status};
use deepwater_pgwire::message::frontend::write as frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cancel;
use crate::server::{Server, ServerState};
use crate::settings::{Parameters, Settings};
use crate::talk::Inbox;
use crate::worker::Worker;

/// How long cleaning may take; after that the connection is closed.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a server may take to notice a cancel request before the next is sent.
const CANCEL_AGAIN_AFTER: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];

/// What makes a session as it began.
const DISCARD_ALL: &str = "DISCARD ALL";
const RESET_ALL: &str = "RESET ALL";

/// The longest message that may be part of an answer.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The state a client left its server in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// A query is running, or its answer is on the way.
    pub in_flight: bool,
    pub in_transaction: bool,
    /// A message is under way, or a COPY: the conversation can't be gone on with.
    pub broken: bool,
    /// Something may be left in the session that nobody knows: it must be gone, whatever the configuration says.
    pub unknown: bool,
    /// The configured query is to run.
    pub reset: bool,
}

impl Left {
    /// Between transactions, to be reset.
    pub(crate) fn to_reset() -> Self {
        Self { in_flight: false, in_transaction: false, broken: false, unknown: false, reset: true }
    }
}

/// Cleans a connection and gives it back, or closes it. In the background.
pub(crate) fn clean(worker: &Rc<Worker>, server: Box<Server>, left: Left) {
    let worker = Rc::clone(worker);
    server.info.set_state(ServerState::Tested);
    server.info.client.store(0, Ordering::SeqCst);
    // Nobody hears its answer any more.
    let with_ours = server.info.is_ours();
    server.info.set_ours(false);
    tokio::task::spawn_local(async move {
        if left.in_flight || left.broken {
            let mut server = server;
            if left.in_flight {
                stop(&worker, &mut server, with_ours).await;
            }
            return worker.discard(server);
        }
        let mut server = server;
        match tokio::time::timeout(DEADLINE, restore(&worker, &mut server, left)).await {
            Ok(true) => worker.release(server),
            Ok(false) | Err(_) => worker.discard(server),
        }
    });
}

/// Stops what nobody waits for: closing alone would not tell the server before it writes. A server that waits for more of
/// a COPY or a pipeline heeds no cancel request: it learns from the end of what is said. A cancel request that comes before
/// the query does nothing, so it is sent again until the server has said something; once more where the first word may
/// be the answer to a question of ours.
async fn stop(worker: &Rc<Worker>, server: &mut Server, with_ours: bool) {
    // Inside of TLS that is a message, for which a server that does not read may leave no room.
    let _ = tokio::time::timeout(CANCEL_AGAIN_AFTER[0], server.stream.shutdown()).await;
    let mut nothing = [0; 4096];
    let mut words = if with_ours { 2 } else { 1 };
    for patience in CANCEL_AGAIN_AFTER {
        cancel::stop(worker, &server.pool.key.database, &server.info).await;
        match tokio::time::timeout(patience, server.stream.read(&mut nothing)).await {
            Ok(Ok(1..)) => words -= 1,
            Ok(Ok(0) | Err(_)) => return,
            Err(_) => {}
        }
        if words == 0 {
            return;
        }
    }
}

/// Ends the transaction and resets the session; whether that worked.
async fn restore(worker: &Worker, server: &mut Server, left: Left) -> bool {
    if left.in_transaction && !run(server, "ROLLBACK").await {
        return false;
    }
    if left.unknown {
        return run(server, DISCARD_ALL).await;
    }
    if !left.reset {
        return true;
    }
    let reset = worker.shared.plan.load().config.reset_query.clone();
    if reset.trim().is_empty() {
        return true;
    }
    // Which settings a query of somebody's own resets is not told.
    let known = [DISCARD_ALL, RESET_ALL].contains(&plain(&reset).as_str())
        || !reset.to_ascii_lowercase().contains("reset")
        || server.applied == Settings::default();
    run(server, &reset).await && known
}

/// A statement without what does not matter in it.
fn plain(text: &str) -> String {
    text.trim_end_matches([';', ' ']).trim().to_ascii_uppercase()
}

/// Runs a simple query of ours; whether it succeeded and left no transaction open.
async fn run(server: &mut Server, text: &str) -> bool {
    let mut bytes = Vec::new();
    frontend::query(&mut bytes, text);
    if server.stream.write_all(&bytes).await.is_err() || server.stream.flush().await.is_err() {
        return false;
    }
    let mut inbox = Inbox::default();
    let mut succeeded = true;
    loop {
        let Ok(message) = inbox.message(&mut server.stream, MESSAGE_BYTES).await else { return false };
        let payload = message.payload.as_slice();
        match message.tag {
            backend::READY_FOR_QUERY => {
                return succeeded
                    && inbox.is_empty()
                    && Status::read(payload).is_ok_and(|status| status == Status::Idle);
            }
            backend::ERROR_RESPONSE => {
                succeeded = false;
                if ErrorFields::new(payload).is_fatal() {
                    return false;
                }
            }
            backend::PARAMETER_STATUS => {
                let Ok(status) = ParameterStatus::read(payload) else { return false };
                Parameters::report(&mut server.parameters, status.name, status.value);
            }
            backend::COMMAND_COMPLETE => match payload {
                b"DISCARD ALL\0" => {
                    server.applied = Settings::default();
                    forget_statements(server);
                }
                b"DEALLOCATE ALL\0" => forget_statements(server),
                // It leaves the role and the user as they are.
                b"RESET\0" if plain(text) == RESET_ALL => server.applied = server.applied.rights(),
                _ => {}
            },
            _ => {}
        }
    }
}

fn forget_statements(server: &mut Server) {
    server.prepared.clear();
    server.sql_prepared.clear();
    server.stale.clear();
}
