//! The system's log: a datagram a line (RFC 3164 §4.1), as `syslog(3)` sends them.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use deepwater_pool::pgbouncer;

/// Facilities and their numbers (RFC 3164, table 1).
const FACILITIES: [(&str, u8); 12] = [
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("authpriv", 10),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// A connection to the system's log.
pub(super) struct Syslog {
    facility: u8,
    ident: String,
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(settings: &pgbouncer::Syslog) -> Self {
        Self::at(Path::new("/dev/log"), settings)
    }

    fn at(path: &Path, settings: &pgbouncer::Syslog) -> Self {
        let known = FACILITIES.iter().find(|(name, _)| *name == settings.facility);
        let facility = known.map_or(3, |(_, number)| *number);
        Self { facility, ident: settings.ident.clone(), path: path.to_owned(), socket: None }
    }

    /// Sends a line; one that cannot be sent is lost, as with `syslog(3)`.
    pub(super) fn send(&mut self, level: &str, pid: u32, message: &str) {
        let severity = match level {
            "error" => 3,
            "warn" => 4,
            "debug" => 7,
            _ => 6,
        };
        let priority = self.facility * 8 + severity;
        let text = format!("<{priority}>{}[{pid}]: {message}", self.ident);
        // The daemon may have been restarted since.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(&self.path);
            }
            match &self.socket {
                Some(socket) if socket.send(text.as_bytes()).is_err() => self.socket = None,
                _ => return,
            }
        }
    }
}

fn connect(path: &Path) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    // A log that is behind must not hold up the others.
    socket.set_nonblocking(true).ok()?;
    socket.connect(path).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_datagram_and_a_new_daemon_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let settings = pgbouncer::Syslog { facility: "local3".into(), ident: "pool".into() };
        let mut syslog = Syslog::at(&path, &settings);
        syslog.send("info", 7, "nobody listens");
        for message in ["first", "after a restart"] {
            let daemon = UnixDatagram::bind(&path).unwrap();
            daemon.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            syslog.send("warn", 7, message);
            let mut bytes = [0; 100];
            let len = daemon.recv(&mut bytes).unwrap();
            assert_eq!(std::str::from_utf8(&bytes[..len]), Ok(format!("<156>pool[7]: {message}").as_str()));
            drop(daemon);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
