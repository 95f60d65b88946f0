//! The sockets clients connect to.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use deepwater_core::Handover;
use deepwater_core::handover::{self, Lent, deal};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::StartError;
use crate::config::Config;

/// Connections the system may hold for us before they are accepted.
const BACKLOG: i32 = 4_096;
/// The name sockets and connections are handed over by.
pub(crate) const PLANE: &str = "postgres";

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

/// The file of a Unix socket, as it was made: whoever takes over puts another of the same name in its place.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }

    /// Removes it, if it is still ours.
    pub(super) fn remove(&self) {
        if Self::of(&self.path).is_ok_and(|now| (now.device, now.inode) == (self.device, self.inode)) {
            // Gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What is listened on: by thread, by address, the files that are to be removed, and what a successor may have.
pub(super) struct Opened {
    pub(super) sockets: Vec<Vec<Listener>>,
    pub(super) bound: Vec<Bound>,
    pub(super) files: Vec<SocketFile>,
    pub(super) lent: Vec<Lent>,
}

/// Sockets of one address.
type Sockets = (Vec<OwnedFd>, Bound, Lent);

/// Takes over what listens already, and opens everything else that is configured, once per thread.
pub(super) fn open(config: &Config, workers: usize, handover: &Handover) -> Result<Opened, StartError> {
    let sockets = (0..workers).map(|_| Vec::new()).collect();
    let mut all = Opened { sockets, bound: Vec::new(), files: Vec::new(), lent: Vec::new() };
    for address in config.listen.iter().flat_map(crate::config::Addresses::as_slice) {
        let opened = match address.strip_prefix("unix:") {
            Some(path) => unix(path, config, handover, &mut all.files).map(|opened| vec![opened]),
            None => named(address, config.share_addresses, workers, handover),
        };
        for opened in opened.map_err(|error| refused(address, &error))? {
            all.add(opened, workers).map_err(|error| refused(address, &error))?;
        }
    }
    Ok(all)
}

/// Numbers and addresses of sockets.
pub(super) fn descriptors(sockets: &[Vec<Listener>]) -> Vec<(i32, Bound)> {
    let tcp = |listener: &std::net::TcpListener| {
        let address = listener.local_addr().ok()?;
        Some((listener.as_raw_fd(), Bound::Tcp(address)))
    };
    let one = |listener: &Listener| match listener {
        Listener::Tcp(listener) => tcp(listener),
        Listener::Unix(listener, path) => Some((listener.as_raw_fd(), Bound::Unix(path.into()))),
    };
    sockets.iter().flatten().filter_map(one).collect()
}

impl Opened {
    /// Deals the sockets of an address out to the threads.
    fn add(&mut self, (sockets, bound, lent): Sockets, workers: usize) -> io::Result<()> {
        for (dealt, thread) in deal(sockets, workers)?.into_iter().zip(&mut self.sockets) {
            thread.extend(dealt.into_iter().map(|socket| match &bound {
                Bound::Tcp(_) => Listener::Tcp(socket.into()),
                Bound::Unix(path) => Listener::Unix(socket.into(), path.to_string_lossy().into_owned()),
            }));
        }
        self.bound.push(bound);
        self.lent.push(lent);
        Ok(())
    }
}

/// All addresses that a name stands for. One that this machine does not have (`::1` where IPv6 is off) is left out if
/// there are others.
fn named(name: &str, share: bool, workers: usize, handover: &Handover) -> io::Result<Vec<Sockets>> {
    let mut addresses: Vec<SocketAddr> = name.to_socket_addrs()?.collect();
    addresses.sort();
    addresses.dedup();
    let (opened, refused): (Vec<_>, Vec<_>) =
        addresses.into_iter().map(|address| tcp(address, share, workers, handover)).partition(Result::is_ok);
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::AddrNotAvailable;
    match refused.into_iter().filter_map(Result::err).find(|error| opened.is_empty() || !missing(error)) {
        Some(error) => Err(error),
        None => opened.into_iter().collect(),
    }
}

/// One socket per thread, sharing an address (`SO_REUSEPORT`), so that a connection stays on the thread it came to.
fn tcp(address: SocketAddr, share: bool, workers: usize, handover: &Handover) -> io::Result<Sockets> {
    let name = address.to_string();
    let mut sockets = handover.take(PLANE, &name, &handover::Bound::Tcp(address));
    if sockets.is_empty() {
        sockets = open_tcp(address, share, workers)?;
    }
    let bound = match sockets.first().and_then(handover::Bound::of) {
        Some(handover::Bound::Tcp(address)) => address,
        _ => address,
    };
    lend(sockets, &name, Bound::Tcp(bound), handover)
}

/// Offers sockets to a successor.
fn lend(sockets: Vec<OwnedFd>, name: &str, bound: Bound, handover: &Handover) -> io::Result<Sockets> {
    for socket in &sockets {
        socket2::SockRef::from(socket).set_nonblocking(true)?;
    }
    let lent = handover.lend(PLANE, name, &sockets)?;
    Ok((sockets, bound, lent))
}

fn open_tcp(address: SocketAddr, share: bool, workers: usize) -> io::Result<Vec<OwnedFd>> {
    // Sharing would let a second process join unseen: the address must be free first, unless that is wanted.
    let probe = tcp_socket(address)?;
    probe.set_reuse_port(share)?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    let listeners = (0..workers).map(|_| {
        let socket = tcp_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    });
    listeners.collect()
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
fn unix(
    path: &str,
    config: &Config,
    handover: &Handover,
    files: &mut Vec<SocketFile>,
) -> io::Result<Sockets> {
    let mut sockets = handover.take(PLANE, path, &handover::Bound::Unix(path.into()));
    match (sockets.is_empty(), path.strip_prefix('@')) {
        // In Linux' abstract namespace: there is no file.
        (true, Some(name)) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&SockAddr::unix(format!("\0{name}"))?)?;
            socket.listen(BACKLOG)?;
            sockets.push(socket.into());
        }
        (true, None) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            files.push(bind_file(&socket, Path::new(path), config)?);
            socket.listen(BACKLOG)?;
            sockets.push(socket.into());
        }
        (false, Some(_)) => {}
        // Its file is whoever's who listens.
        (false, None) => files.push(SocketFile::of(Path::new(path))?),
    }
    lend(sockets, path, Bound::Unix(path.into()), handover)
}

/// Makes the file of a socket.
fn bind_file(socket: &Socket, path: &Path, config: &Config) -> io::Result<SocketFile> {
    // To take over an address, the file is made beside the old one and put in its place at once.
    let mut made = path.to_owned();
    if config.share_addresses && is_socket(path)? {
        made.as_mut_os_string().push(".new");
    }
    remove_stale(&made)?;
    socket.bind(&SockAddr::unix(&made)?)?;
    let mode = u32::from_str_radix(&config.unix_socket_mode, 8)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "unix_socket_mode is not octal"))?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(mode))?;
    if let Some(group) = &config.unix_socket_group {
        std::os::unix::fs::chown(&made, None, Some(group_id(group)?))?;
    }
    if made != path {
        std::fs::rename(&made, path)?;
    }
    SocketFile::of(path)
}

/// Removes the socket of a process that has ended; that of one that runs is not ours to take.
fn remove_stale(file: &Path) -> io::Result<()> {
    if !is_socket(file)? {
        return Ok(());
    }
    if std::os::unix::net::UnixStream::connect(file).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    std::fs::remove_file(file)
}

/// Whether there is a socket rather than nothing; anything else is in the way.
fn is_socket(file: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(metadata) if metadata.file_type().is_socket() => Ok(true),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name that is no socket",
        )),
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
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own, or 0.0.0.0 for all"
        }
        io::ErrorKind::NotFound => "create the directory, or name an existing group",
        _ => "write it like \"127.0.0.1:6432\" or \"unix:/run/deepwater/.s.PGSQL.6432\"",
    };
    StartError::Listen { address: address.to_owned(), reason: error.to_string(), fix: fix.into() }
}
