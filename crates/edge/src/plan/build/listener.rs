//! A listener: its address, its certificates, and the pool of one that speaks TCP alone.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Certificates, Listen, ListenProtocol};
use crate::tls::{self, ServerTls};

use super::Builder;

/// A listener, ready to open.
pub(crate) struct ListenerPlan {
    pub address: SocketAddr,
    pub config: Listen,
    pub tls: Option<Arc<ServerTls>>,
    /// The pool of a TCP listener: its name, since its place may be another's after a reload.
    pub pool: Option<String>,
}

impl Builder<'_> {
    pub(super) fn listener(
        &self,
        at: usize,
        listen: &Listen,
        all: &[Listen],
        names: &[&str],
    ) -> Option<Arc<ListenerPlan>> {
        let place = self.edge.at("listen").index(at);
        let address = parse_listen(&listen.address);
        if address.is_none() {
            place.at("address").problem_with_fix(
                format!("`{}` is not an address to listen on", listen.address),
                "write an IP address and a port, such as \"0.0.0.0:8080\"",
            );
        }
        // Port 0 is any free one: never the same twice.
        let fixed = address.is_none_or(|address| address.port() != 0);
        if fixed && all[..at].iter().any(|earlier| earlier.address == listen.address) {
            place.at("address").problem_with_fix(
                format!("`{}` is listened on twice", listen.address),
                "remove one, or choose another port",
            );
            return None;
        }
        let tcp = listen.protocol == ListenProtocol::Tcp;
        let pool = match (&listen.pool, tcp) {
            (Some(name), true) => {
                self.pool_index(&place.at("pool"), name, names)?;
                Some(name.clone())
            }
            (None, true) => {
                place.problem_with_fix(
                    "a listener with `protocol = \"tcp\"` needs a pool",
                    "add pool = \"<name>\"",
                );
                return None;
            }
            (Some(_), false) => {
                place.at("pool").problem_with_fix(
                    "only a listener with `protocol = \"tcp\"` has a pool of its own",
                    "for HTTP, name the pool in a route",
                );
                return None;
            }
            (None, false) => None,
        };
        if listen.redirect_https && (listen.tls.is_some() || tcp) {
            place.at("redirect_https").problem_with_fix(
                "only a cleartext HTTP listener can redirect to HTTPS",
                "remove the key, or the listener's `tls`",
            );
            return None;
        }
        let tls = match tls::server(listen, self.directory) {
            None => None,
            Some(loaded) => {
                let many = matches!(listen.tls, Some(Certificates::Many(_)));
                let place = place.at("tls");
                Some(Arc::new(
                    self.tls_problems(loaded, |index| if many { place.index(index) } else { place.clone() })?,
                ))
            }
        };
        Some(Arc::new(ListenerPlan { address: address?, config: listen.clone(), tls, pool }))
    }
}

fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return format!("127.0.0.1:{port}").parse().ok();
    }
    text.parse().ok()
}
