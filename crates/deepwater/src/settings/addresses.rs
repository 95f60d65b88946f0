//! No two planes may listen on the same address: the second would fail when it starts. Each plane sees to its own.

use std::net::SocketAddr;

use deepwater_core::config::Place;
use deepwater_lens::console;

use super::Settings;

/// Reports addresses that two planes would listen on.
pub(super) fn validate(settings: &Settings, root: &Place<'_>) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    let mut take = |address: Option<SocketAddr>, of: &'static str, place: Place<'_>| {
        // Port 0 is any free one.
        let Some(address) = address.filter(|address| address.port() != 0) else { return };
        match taken.iter().find(|(other, plane)| *plane != of && overlap(*other, address)) {
            Some((other, plane)) => place.problem_with_fix(
                format!("{address} is taken: {plane} listens on {other}"),
                "choose another port for one of them",
            ),
            None => taken.push((address, of)),
        }
    };
    for (at, listen) in settings.edge.listen.iter().enumerate() {
        take(parsed(&listen.address), "the edge", root.at("edge").at("listen").index(at).at("address"));
    }
    if let Some(addresses) = &settings.postgres.listen {
        let place = root.at("postgres").at("listen");
        for address in addresses.as_slice() {
            take(parsed(address), "the pooler", place.clone());
        }
    }
    if let console::Listen::At(address) = settings.console.listen {
        take(Some(address), "the console", root.at("console").at("listen"));
    }
}

/// None for what is no address of TCP: a Unix socket, or a mistake that the plane tells.
fn parsed(text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    port.as_deref().unwrap_or(text).parse().ok()
}

/// All addresses of the machine are any one of them. (Those of IPv6 are left to themselves: a system may or may not count
/// IPv4's among them.)
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && (a.ip() == b.ip() || (all && a.is_ipv4() == b.is_ipv4()))
}

#[cfg(test)]
mod tests {
    use deepwater_core::config::Document;

    use super::*;

    fn problems(console: &str, edge: &str, postgres: &str) -> String {
        let text = format!(
            "[console]\nlisten = \"{console}\"\n[[edge.listen]]\naddress = \"{edge}\"\n[[edge.route]]\npool = \"app\"\n\
             [postgres]\nlisten = {postgres}\n"
        );
        let document = Document::parse(&text, "deepwater.toml").unwrap();
        let settings: Settings = document.decode().unwrap();
        let checker = document.checker();
        validate(&settings, &checker.root());
        checker.finish().map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn what_two_planes_would_listen_on_is_told_with_its_line() {
        let told = problems("127.0.0.1:9000", "127.0.0.1:9000", "\"127.0.0.1:6432\"");
        assert!(
            told.starts_with("deepwater.toml:2: console.listen: 127.0.0.1:9000 is taken: the edge"),
            "{told}"
        );
        let told = problems("off", "localhost:8080", "[\"unix:/tmp/s\", \"127.0.0.1:8080\"]");
        assert!(told.contains("postgres.listen") && told.contains("fix: choose another port"), "{told}");
        let told = problems("127.0.0.1:9000", "0.0.0.0:9000", "\"127.0.0.1:6432\"");
        assert!(told.contains("the edge listens on 0.0.0.0:9000"), "{told}");
    }

    #[test]
    fn addresses_that_differ_are_fine() {
        for (console, edge, postgres) in [
            ("127.0.0.1:9000", "0.0.0.0:8080", "\"127.0.0.1:6432\""),
            ("127.0.0.1:0", "127.0.0.1:0", "\"127.0.0.1:0\""),
            ("127.0.0.1:9000", "127.0.0.2:9000", "\"[::]:9000\""),
            ("off", "127.0.0.1:9000", "\"unix:/tmp/s\""),
        ] {
            assert_eq!(problems(console, edge, postgres), "");
        }
    }
}
