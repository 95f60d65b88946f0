//! The signals a running process is told by.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
pub(super) enum Wanted {
    /// To read the configuration again.
    Reload,
    /// To let another process of a newer binary take over.
    Upgrade,
    /// To end; by this signal.
    End(&'static str),
}

/// Listens for all of them.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    second: Signal,
}

impl Signals {
    /// From now on, no signal ends the process before it is heard.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            second: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Wanted {
        tokio::select! {
            name = Self::end_of(&mut self.terminate, &mut self.interrupt) => Wanted::End(name),
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.second.recv() => Wanted::Upgrade,
        }
    }

    /// The next one that asks to end; the others are kept for later.
    pub(super) async fn end(&mut self) -> &'static str {
        Self::end_of(&mut self.terminate, &mut self.interrupt).await
    }

    async fn end_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }
}
