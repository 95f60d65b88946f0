//! Names in `listen_addr`.

use std::net::ToSocketAddrs;

use deepwater_pool::Config;
use deepwater_pool::config::Addresses;

use crate::cli::Failure;

/// Replaces names (`localhost:6432`) by every address they have, as PgBouncer listens on them.
///
/// # Errors
/// When a name has none.
pub(super) fn resolve(config: &mut Config) -> Result<(), Failure> {
    let mut addresses: Vec<String> = Vec::new();
    for address in config.listen.iter().flat_map(Addresses::as_slice) {
        if address.starts_with("unix:") {
            addresses.push(address.clone());
            continue;
        }
        let found = address.to_socket_addrs().map_err(|error| {
            Failure::Usage(format!(
                "listen_addr: there is no address for {address}: {error}\n  fix: write an address of this machine"
            ))
        })?;
        for address in found.map(|address| address.to_string()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    config.listen = (!addresses.is_empty()).then_some(Addresses::Many(addresses));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses() {
        let listen = ["localhost:6432", "127.0.0.1:6432", "[::1]:7000", "unix:/tmp/.s.PGSQL.6432"];
        let mut config =
            Config { listen: Some(Addresses::Many(listen.map(str::to_owned).to_vec())), ..Config::default() };
        assert!(resolve(&mut config).is_ok());
        let resolved = config.listen.unwrap();
        let resolved = resolved.as_slice();
        assert!(resolved.contains(&"127.0.0.1:6432".to_owned()), "{resolved:?}");
        assert_eq!(resolved.iter().filter(|address| *address == "127.0.0.1:6432").count(), 1);
        assert_eq!(resolved.last().unwrap(), "unix:/tmp/.s.PGSQL.6432");
        let mut config =
            Config { listen: Some(Addresses::One("no.such.name.invalid:1".into())), ..Config::default() };
        assert!(resolve(&mut config).is_err());
    }
}
