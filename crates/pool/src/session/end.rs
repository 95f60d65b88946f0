//! How a session ends, and what becomes of its server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deepwater_core::handover::Passenger;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Session;
use crate::cleaning;
use crate::clients::Farewell;
use crate::config::PoolMode;
use crate::events::ClientDisconnected;
use crate::plan::Face;

/// How long a client may take to take its farewell.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said goodbye.
    Terminated,
    /// The client is gone.
    ClientLeft,
    /// The client is told why.
    Farewell(Farewell),
    /// The server closed the connection after it told the client why.
    ServerSaidWhy,
    /// The server's connection broke.
    ServerLost(String),
    /// Another process serves the client from here on.
    Moved { passage: mpsc::UnboundedSender<Passenger>, about: Value },
}

impl End {
    /// The client broke the protocol.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::Farewell(Farewell { code: "08P01", message: message.into() })
    }

    fn reason(&self) -> String {
        match self {
            Self::Terminated => "client close request".into(),
            Self::ClientLeft => "client unexpected eof".into(),
            Self::Farewell(farewell) => farewell.message.clone(),
            Self::ServerSaidWhy => "server closed the connection".into(),
            Self::ServerLost(reason) => reason.clone(),
            Self::Moved { .. } => "goes on to the process that takes over".into(),
        }
    }
}

impl From<deepwater_pgwire::message::Malformed> for End {
    fn from(malformed: deepwater_pgwire::message::Malformed) -> Self {
        Self::protocol(malformed.to_string())
    }
}

impl Session {
    /// Tells the client why, gives the server back or has it cleaned, and forgets the client.
    pub(super) async fn finish(mut self: Box<Self>, end: End) {
        let shared = Arc::clone(&self.worker.shared);
        if let Some(ticket) = self.ticket.take() {
            let granted = ticket.leave();
            drop(ticket);
            granted.into_iter().for_each(|server| self.worker.release(server));
        }
        self.forget_channels();
        self.let_go(matches!(end, End::ServerLost(_) | End::ServerSaidWhy));
        shared.clients.leave(&self.info);
        self.pool.clients.fetch_sub(1, Ordering::Relaxed);
        if shared.plan.load().config.log.disconnections {
            shared.context.events.emit(ClientDisconnected {
                client: self.info.peer.to_string(),
                database: self.info.database.to_string(),
                user: self.info.user.to_string(),
                reason: end.reason(),
            });
        }
        match end {
            End::Moved { passage, about } => self.go_on(&passage, about),
            end => self.say_goodbye(&end).await,
        }
    }

    async fn say_goodbye(&mut self, end: &End) {
        let (code, message) = match end {
            End::Farewell(farewell) => (farewell.code, farewell.message.as_str()),
            End::ServerLost(_) if self.face == Face::PgBouncer => ("08P01", "server conn crashed?"),
            End::ServerLost(reason) => ("08006", reason.as_str()),
            End::Terminated | End::ClientLeft | End::ServerSaidWhy | End::Moved { .. } => ("", ""),
        };
        if !code.is_empty() {
            write::error_response(&mut self.to_client, &Report::new(Severity::Fatal, code, message));
        }
        // A client that has said goodbye waits for nothing, unless TLS ends with a word of its own.
        let parted = matches!(end, End::Terminated) && self.to_client.is_empty() && !self.stream.is_tls();
        if !parted && !matches!(end, End::ClientLeft) {
            let words = std::mem::take(&mut self.to_client);
            let goodbye = async {
                // A client that has gone in the meantime hears nothing.
                let _ = self.stream.write_all(&words).await;
                let _ = self.stream.shutdown().await;
            };
            let _ = tokio::time::timeout(FAREWELL, goodbye).await;
        }
    }

    /// Gives the server back if it is as a server should be, else has it cleaned or closed.
    fn let_go(&mut self, server_gone: bool) {
        let Some(link) = self.link.take() else { return };
        let clean = link.is_clean() && self.pins == 0 && self.plan.mode != PoolMode::Session;
        let state = cleaning::Left {
            in_flight: !link.is_answered(),
            in_transaction: link.in_transaction(),
            broken: !link.is_at_boundary(),
            unknown: self.pins != 0 || !link.aftermath.is_empty(),
            reset: self.plan.mode == PoolMode::Session,
        };
        // A server does what was asked before a goodbye, whether anybody hears of it or not.
        let goes_on = link.leaving && state.in_flight && !link.copy_in;
        let server = self.unlink(link);
        if server_gone || goes_on {
            self.worker.discard(server);
        } else if clean && !self.plan.reset_always {
            self.worker.release(server);
        } else {
            cleaning::clean(&self.worker, server, state);
        }
    }
}
