//! Telling the service manager how far we are (`sd_notify(3)`).

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// The service manager, if one started us and wants to know.
pub(crate) struct Manager(Option<OsString>);

impl Manager {
    pub(crate) fn of_this_process() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// No manager.
    pub(crate) fn nobody() -> Self {
        Self(None)
    }

    /// Clients are served.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read anew; `ready` follows. The time makes it usable with `Type=notify-reload`.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Another process serves from now on: it is the one to watch.
    pub(crate) fn succeeded_by(&self, process: u32) {
        self.tell(&format!("MAINPID={process}"));
    }

    /// No new clients are served.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        let Some(name) = &self.0 else { return };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(name),
        };
        // A manager that does not listen needs no telling.
        let _ = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_step() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let manager = Manager(Some(path.into()));
        let heard = || {
            let mut bytes = [0; 200];
            let len = socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..len].to_vec()).unwrap()
        };
        manager.ready();
        assert_eq!(heard(), "READY=1");
        manager.reloading();
        assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        manager.succeeded_by(42);
        assert_eq!(heard(), "MAINPID=42");
        manager.stopping();
        assert_eq!(heard(), "STOPPING=1");
        Manager::nobody().ready();
    }
}
