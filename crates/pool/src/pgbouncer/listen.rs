//! Where clients connect, and other settings of the network.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use deepwater_core::config::{Duration, Size};

use super::draft::Draft;
use crate::config::{Addresses, Config};
use crate::lines::Fault;

/// Where a server's socket may be when nothing says it: where PostgreSQL puts it, where Debian does.
const SOCKET_DIRECTORIES: [&str; 3] = ["/tmp", "/var/run/postgresql", "/run/postgresql"];

pub(super) fn set_conffile(draft: &mut Draft<'_>, path: &str) -> Result<(), Fault> {
    draft.process.conffile = PathBuf::from(path);
    Ok(())
}

pub(super) fn set_socket_directory(draft: &mut Draft<'_>, text: &str) -> Result<(), Fault> {
    draft.process.unix_socket_dir = match text {
        "" => None,
        // In Linux' abstract namespace.
        name if name.starts_with('@') => Some(name.to_owned()),
        path => draft.file(path)?.map(|path| path.display().to_string()),
    };
    Ok(())
}

/// Longer messages pass here, where they need not be understood: only a smaller limit than ours is one.
pub(super) fn set_max_message(draft: &mut Draft<'_>, bytes: usize) {
    let size = Size::from_bytes(bytes as u64);
    if size < Config::default().max_message_size {
        draft.config.max_message_size = size;
        draft.note("limits messages that must be understood whole; rows and COPY data pass at any length");
    }
}

pub(super) fn set_user_timeout(draft: &mut Draft<'_>, milliseconds: usize) {
    draft.config.tcp_keepalive.user_timeout = Duration::from_millis(milliseconds as u64);
}

/// `listen_addr`, `listen_port` and `unix_socket_dir` as addresses.
pub(super) fn addresses(draft: &mut Draft<'_>) {
    let port = draft.process.listen_port;
    let mut addresses = Vec::new();
    for name in std::mem::take(&mut draft.listen_addr) {
        match name.as_str() {
            "*" => addresses.push(any(draft, port)),
            name if name.parse::<Ipv6Addr>().is_ok() => addresses.push(format!("[{name}]:{port}")),
            name if !name.contains([':', '/', ' ']) => addresses.push(format!("{name}:{port}")),
            name => {
                draft.at_setting("listen_addr");
                draft.report(
                    Fault::new(format!("`{name}` is not an address")).fix(
                        "write addresses without port, or *, separated by commas; the port is listen_port",
                    ),
                );
            }
        }
    }
    if let Some(directory) = &draft.process.unix_socket_dir {
        addresses.push(format!("unix:{}", socket(directory, port)));
    }
    draft.config.listen = match addresses.len() {
        0 => {
            draft.at_setting("listen_addr");
            draft.report(
                Fault::new("there is nothing to listen on")
                    .fix("set listen_addr = 127.0.0.1, or unix_socket_dir"),
            );
            None
        }
        1 => addresses.pop().map(Addresses::One),
        _ => Some(Addresses::Many(addresses)),
    };
}

/// Every address of the machine. A socket on `::` takes IPv4 too; without IPv6 there is no such file, and no such socket.
fn any(draft: &Draft<'_>, port: u16) -> String {
    let both = draft.files.exists(Path::new("/proc/net/if_inet6"));
    format!("{}:{port}", if both { "[::]" } else { "0.0.0.0" })
}

/// Where the socket of a server without `host` is: in `unix_socket_dir`; if that is not set, in the first of the usual
/// directories that holds it, else the first.
pub(super) fn server_directory(draft: &Draft<'_>, port: u16) -> Option<String> {
    if draft.is_given("unix_socket_dir") {
        return draft.process.unix_socket_dir.clone();
    }
    let holds = |directory: &&&str| draft.files.exists(Path::new(&socket(directory, port)));
    let found = SOCKET_DIRECTORIES.iter().find(holds).or(SOCKET_DIRECTORIES.first());
    found.map(|directory| (*directory).to_owned())
}

fn socket(directory: &str, port: u16) -> String {
    format!("{}/.s.PGSQL.{port}", directory.trim_end_matches('/'))
}
