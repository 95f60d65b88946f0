//! The sockets clients connect to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::StartError;
use crate::config::Config;

/// Connections the system may hold for us before they are accepted.
const BACKLOG: i32 = 4_096;

/// A socket that is listened on.
pub(super) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, String),
}

/// Where the pool listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Bound {
    /// Removes the file of a Unix socket.
    pub(super) fn remove(&self) {
        if let Self::Unix(path) = self {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

type Opened = (Vec<Vec<Listener>>, Vec<Bound>);

/// Opens everything that is configured, once per thread.
pub(super) fn open(config: &Config, workers: usize) -> Result<Opened, StartError> {
    let mut sockets: Vec<Vec<Listener>> = (0..workers).map(|_| Vec::new()).collect();
    let mut bound = Vec::new();
    for address in config.listen.iter().flat_map(|listen| listen.as_slice()) {
        let (listeners, at) = match address.strip_prefix("unix:") {
            Some(path) => unix(path, config, workers),
            None => tcp(address, workers),
        }
        .map_err(|error| refused(address, &error))?;
        listeners.into_iter().zip(&mut sockets).for_each(|(listener, sockets)| sockets.push(listener));
        bound.push(at);
    }
    Ok((sockets, bound))
}

/// One socket per thread, sharing an address (`SO_REUSEPORT`), so that a connection stays on the thread it came to.
fn tcp(address: &str, workers: usize) -> io::Result<(Vec<Listener>, Bound)> {
    let address: SocketAddr =
        address.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "it is no address and port"))?;
    // Sharing would let a second process join unseen: the address must be free first.
    let probe = tcp_socket(address)?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    let listeners = (0..workers).map(|_| {
        let socket = tcp_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Listener::Tcp(socket.into()))
    });
    Ok((listeners.collect::<io::Result<_>>()?, Bound::Tcp(address)))
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier process in TIME_WAIT must not keep a restart from listening.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// One socket that all threads accept from.
fn unix(path: &str, config: &Config, workers: usize) -> io::Result<(Vec<Listener>, Bound)> {
    let file = Path::new(path);
    remove_stale(file)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(file)?)?;
    let mode = u32::from_str_radix(&config.unix_socket_mode, 8)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "unix_socket_mode is not octal"))?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode))?;
    if let Some(group) = &config.unix_socket_group {
        std::os::unix::fs::chown(file, None, Some(group_id(group)?))?;
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listeners = (0..workers).map(|_| Ok(Listener::Unix(socket.try_clone()?.into(), path.to_owned())));
    Ok((listeners.collect::<io::Result<_>>()?, Bound::Unix(file.to_owned())))
}

/// Removes the socket of a process that has ended; that of one that runs is not ours to take.
fn remove_stale(file: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name that is no socket"))
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(file).is_ok() => Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => std::fs::remove_file(file),
    }
}

fn group_id(name: &str) -> io::Result<u32> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group")?;
    let id = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    id.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no group `{name}`")))
}

fn refused(address: &str, error: &io::Error) -> StartError {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and some directories need a privilege: choose another, or grant it"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: use one of its own, or 0.0.0.0 for all",
        io::ErrorKind::NotFound => "create the directory, or name an existing group",
        _ => "write it like \"127.0.0.1:6432\" or \"unix:/run/deepwater/.s.PGSQL.6432\"",
    };
    StartError::Listen { address: address.to_owned(), reason: error.to_string(), fix: fix.into() }
}
