//! Names in `listen_addr`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use deepwater_pool::Config;
use deepwater_pool::config::Addresses;

use crate::cli::Failure;

/// Replaces names (`localhost:6432`) by every address they have, as PgBouncer listens on them, and leaves out what is
/// listened on anyway.
///
/// # Errors
/// When a name has none.
pub(super) fn resolve(config: &mut Config) -> Result<(), Failure> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut sockets = Vec::new();
    for address in config.listen.iter().flat_map(Addresses::as_slice) {
        if address.starts_with("unix:") {
            sockets.push(address.clone());
            continue;
        }
        let found = address.to_socket_addrs().map_err(|error| {
            Failure::Usage(format!(
                "listen_addr: there is no address for {address}: {error}\n  fix: write an address of this machine"
            ))
        })?;
        addresses.extend(found);
    }
    let mut wanted: Vec<String> = Vec::new();
    for (position, address) in addresses.iter().enumerate() {
        let before = addresses[..position].contains(address);
        if !before && !addresses.iter().any(|other| other != address && covers(other, address)) {
            wanted.push(address.to_string());
        }
    }
    wanted.extend(sockets);
    config.listen = (!wanted.is_empty()).then_some(Addresses::Many(wanted));
    Ok(())
}

/// Whether a socket that listens on one address takes the other's connections: `::` takes IPv4 too.
fn covers(socket: &SocketAddr, address: &SocketAddr) -> bool {
    socket.port() == address.port()
        && match socket.ip() {
            IpAddr::V6(ip) => ip.is_unspecified(),
            IpAddr::V4(ip) => ip.is_unspecified() && address.is_ipv4(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved<const N: usize>(listen: [&str; N]) -> Vec<String> {
        let listen = Some(Addresses::Many(listen.map(str::to_owned).to_vec()));
        let mut config = Config { listen, ..Config::default() };
        assert!(resolve(&mut config).is_ok());
        config.listen.map(|listen| listen.as_slice().to_vec()).unwrap_or_default()
    }

    #[test]
    fn what_is_listened_on_anyway_is_left_out() {
        assert_eq!(
            resolved(["0.0.0.0:1", "[::]:1", "127.0.0.1:1", "127.0.0.1:2"]),
            ["[::]:1", "127.0.0.1:2"]
        );
        assert_eq!(resolved(["0.0.0.0:1", "127.0.0.1:1", "[::1]:1"]), ["0.0.0.0:1", "[::1]:1"]);
        assert_eq!(resolved(["127.0.0.1:1", "127.0.0.1:1", "unix:/a"]), ["127.0.0.1:1", "unix:/a"]);
        assert!(resolved([]).is_empty());
    }

    #[test]
    fn names_become_addresses() {
        let listen = ["localhost:6432", "127.0.0.1:6432", "[::1]:7000", "unix:/tmp/.s.PGSQL.6432"];
        let resolved = resolved(listen);
        assert!(resolved.contains(&"127.0.0.1:6432".to_owned()), "{resolved:?}");
        assert_eq!(resolved.iter().filter(|address| *address == "127.0.0.1:6432").count(), 1);
        assert_eq!(resolved.last().unwrap(), "unix:/tmp/.s.PGSQL.6432");
        let mut config =
            Config { listen: Some(Addresses::One("no.such.name.invalid:1".into())), ..Config::default() };
        assert!(resolve(&mut config).is_err());
    }
}
