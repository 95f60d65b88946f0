//! Letting another process take over: the binary is started anew, gets the sockets, and serves once it could.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use deepwater_core::Handover;
use deepwater_core::handover::{Passenger, Sockets};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::channel::{self, Message};
use super::inherit::TAKES_OVER;

deepwater_core::event! {
    /// Another process was started, which is to take over.
    pub struct UpgradeStarted { program: String, pid: u32 }
    upgrade_started: Info, "{program} was started as process {pid}; this one serves until that one can"
}

deepwater_core::event! {
    /// Another process serves in this one's place.
    pub struct Upgraded { pid: u32 }
    upgraded: Info, "process {pid} serves now"
}

deepwater_core::event! {
    /// The process that was to take over cannot: this one goes on.
    pub struct UpgradeFailed { reason: String }
    upgrade_failed: Error, "nothing has changed, this process goes on: {reason}"
}

/// How this process was started, to start another.
pub(super) struct Program {
    /// As it was given: what is there now is started, not what was there then.
    path: OsString,
    arguments: Vec<OsString>,
    /// How long the other may take until it could serve.
    pub timeout: Duration,
}

impl Program {
    /// # Errors
    /// When the system does not say what runs.
    pub(super) fn of_this_process(timeout: Duration) -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let path = match arguments.next() {
            Some(path) if !path.is_empty() => path,
            _ => std::env::current_exe()?.into(),
        };
        Ok(Self { path, arguments: arguments.collect(), timeout })
    }

    /// The name for people.
    pub(super) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Starts another process.
    ///
    /// # Errors
    /// When it cannot be started, in a sentence.
    pub(super) fn start(&self, handover: &Handover) -> Result<Successor, String> {
        let failed = |error: io::Error| error.to_string();
        let (sockets, kept) = (handover.copies().map_err(failed)?, handover.kept());
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| error.to_string())?;
        let channel = channel::waitable(ours).map_err(failed)?;
        let child = Command::new(&self.path)
            .args(&self.arguments)
            .env(TAKES_OVER, "1")
            .stdin(Stdio::from(theirs))
            .spawn()
            .map_err(|error| format!("`{}` cannot be started: {error}", self.name()))?;
        Ok(Successor { child, channel, sockets, kept })
    }
}

/// The process that is to take over.
pub(super) struct Successor {
    child: Child,
    channel: UnixStream,
    sockets: Vec<Sockets>,
    kept: BTreeMap<String, Vec<u8>>,
}

impl Successor {
    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Gives it the sockets and waits until it could serve.
    ///
    /// # Errors
    /// When it cannot, in a sentence.
    pub(super) async fn ready(&mut self, within: Duration) -> Result<(), String> {
        let talk = async {
            for (message, sockets) in channel::bequest(&self.sockets, &self.kept) {
                let sent = self
                    .channel
                    .async_io(Interest::WRITABLE, || channel::send(&self.channel, &message, &sockets));
                sent.await?;
            }
            let received = self.channel.async_io(Interest::READABLE, || channel::receive(&self.channel));
            match received.await? {
                (Message::Ready, _) => Ok(Ok(())),
                (Message::Refused { reason }, _) => Ok(Err(format!("the new process refuses: {reason}"))),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it said what it should not")),
            }
        };
        match tokio::time::timeout(within, talk).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                // One that ends has closed the channel, and its log says why.
                match tokio::time::timeout(ENDING, self.child.wait()).await {
                    Ok(Ok(status)) => Err(format!(
                        "the new process ended ({status}) before it could serve; it has said why"
                    )),
                    _ => Err(format!("the new process cannot be talked to: {error}")),
                }
            }
            Err(_) => Err(format!("the new process could not serve within {} s", within.as_secs_f64())),
        }
    }

    /// Lets it serve; from here on this process must not accept any more.
    ///
    /// # Errors
    /// When it has gone, in a sentence.
    pub(super) fn let_serve(&self) -> Result<(), String> {
        channel::send(&self.channel, &Message::Serve, &[])
            .map_err(|error| format!("the new process has gone: {error}"))
    }

    /// Sends it the connections that go on, until no further one comes. What cannot be sent is closed.
    pub(super) async fn carry(self, mut passengers: mpsc::UnboundedReceiver<Passenger>) {
        let Self { child, channel, sockets, kept } = self;
        // The copies of what the other listens on are not ours to keep open.
        drop((child, sockets, kept));
        while let Some(Passenger { plane, about, socket }) = passengers.recv().await {
            let message = Message::Passenger { plane, about };
            let sends = || channel::send(&channel, &message, &[socket.as_fd()]);
            // One that has gone takes nothing, and everything that follows is closed as well.
            let _ = channel.async_io(Interest::WRITABLE, sends).await;
        }
    }

    /// Ends it.
    pub(super) async fn end(mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill().await;
    }
}

/// How long a process that has closed its channel may take to end.
const ENDING: Duration = Duration::from_secs(2);
