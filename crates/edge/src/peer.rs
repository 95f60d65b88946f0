//! Who is at the other end of a client connection, and what we tell origins about it.

use ipnet::IpNet;
use smallvec::SmallVec;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::head::{Fields, Name, Request, list_members};

/// A client connection's ends.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where the connection comes from (or what the PROXY protocol says).
    pub address: SocketAddr,
    /// Where it was accepted.
    pub local: SocketAddr,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// Whether its word about further addresses is believed.
    pub trusted: bool,
    /// Whether requests are answered with a redirect to HTTPS.
    pub redirect_https: bool,
    /// The address as `X-Forwarded-For` has it.
    ip_text: String,
    /// The start of our element of `Forwarded` (RFC 7239): `for=…;proto=…`, then perhaps the host.
    forwarded: String,
}

impl Peer {
    /// A connection between two addresses.
    pub fn new(address: SocketAddr, local: SocketAddr, secure: bool, trusted_networks: &[IpNet]) -> Self {
        let ip = address.ip().to_canonical();
        let ip_text = ip.to_string();
        let mut forwarded = String::with_capacity(48);
        let _ = match ip {
            IpAddr::V4(ip) => write!(forwarded, "for={ip}"),
            IpAddr::V6(ip) => write!(forwarded, "for=\"[{ip}]\""),
        };
        forwarded.push_str(if secure { ";proto=https" } else { ";proto=http" });
        let trusted = trusted_networks.iter().any(|network| network.contains(&ip));
        Self { address, local, secure, trusted, redirect_https: false, ip_text, forwarded }
    }

    /// The address of the client itself: the peer's, or behind trusted proxies the last one in `X-Forwarded-For`
    /// that is not trusted.
    pub fn client_ip(&self, fields: &Fields, trusted_networks: &[IpNet]) -> IpAddr {
        let own = self.address.ip().to_canonical();
        if !self.trusted {
            return own;
        }
        let mut client = own;
        let hops: Vec<&[u8]> = fields.all_known(Name::XForwardedFor).flat_map(list_members).collect();
        for hop in hops.iter().rev() {
            let Some(ip) = std::str::from_utf8(hop).ok().and_then(parse_hop) else { break };
            client = ip;
            if !trusted_networks.iter().any(|network| network.contains(&ip)) {
                break;
            }
        }
        client
    }

    /// Replaces (from an untrusted peer) or extends (from a trusted one) what the request says of its way here.
    pub fn forward(&self, request: &mut Request) {
        let authority = SmallVec::<[u8; 64]>::from_slice(request.authority());
        self.forward_as(&mut request.fields, &authority);
    }

    fn forward_as(&self, fields: &mut Fields, authority: &[u8]) {
        let scheme: &[u8] = if self.secure { b"https" } else { b"http" };
        // Whatever is written otherwise comes from nobody who is to be believed.
        fields.remove_where(|id, name, _| {
            let disguised = || name.contains(&b'_') && says_whence(Name::as_cgi_reads(name));
            if id == Name::Other { disguised() } else { !self.trusted && says_whence(id) }
        });
        if !self.trusted {
            fields.add_known(Name::XForwardedFor, self.ip_text.as_bytes());
            fields.add_known(Name::XForwardedProto, scheme);
            if !authority.is_empty() {
                fields.add_known(Name::XForwardedHost, authority);
            }
            self.add_forwarded(fields, authority);
            return;
        }
        extend(fields, Name::XForwardedFor, self.ip_text.as_bytes());
        if fields.get_known(Name::XForwardedProto).is_none() {
            fields.add_known(Name::XForwardedProto, scheme);
        }
        if fields.get_known(Name::XForwardedHost).is_none() && !authority.is_empty() {
            fields.add_known(Name::XForwardedHost, authority);
        }
        // Several `Forwarded` fields are one list, in order.
        self.add_forwarded(fields, authority);
    }

    fn add_forwarded(&self, fields: &mut Fields, authority: &[u8]) {
        // A port makes the host a quoted string (RFC 7239 §4); an authority has no quotes to escape.
        let mut element = SmallVec::<[u8; 128]>::new();
        element.extend_from_slice(self.forwarded.as_bytes());
        if !authority.is_empty() {
            element.extend_from_slice(b";host=\"");
            element.extend_from_slice(authority);
            element.push(b'"');
        }
        fields.add_known(Name::Forwarded, &element);
    }
}

/// Whether a field says where a request comes from.
fn says_whence(id: Name) -> bool {
    matches!(
        id,
        Name::Forwarded
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedPort
            | Name::XForwardedProto
            | Name::XRealIp
    )
}

/// Appends a member to a list field.
fn extend(fields: &mut Fields, id: Name, member: &[u8]) {
    let mut value: Vec<u8> = fields.all_known(id).collect::<Vec<_>>().join(&b", "[..]);
    if !value.is_empty() {
        value.extend_from_slice(b", ");
    }
    value.extend_from_slice(member);
    fields.remove_known(id);
    fields.add_known(id, &value);
}

/// An address, with or without port or brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let ip = hop
        .parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| hop.trim_matches(['[', ']']).parse())
        .ok()?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str, networks: &[IpNet]) -> Peer {
        let address = SocketAddr::new(ip.parse().unwrap(), 1234);
        Peer::new(address, "127.0.0.1:80".parse().unwrap(), true, networks)
    }

    fn text(fields: &Fields, name: &str) -> String {
        let values: Vec<_> =
            fields.iter().filter(|(_, n, _)| *n == name.as_bytes()).map(|(_, _, v)| v).collect();
        String::from_utf8(values.join(&b" | "[..])).unwrap()
    }

    #[test]
    fn an_untrusted_peer_is_not_believed() {
        let mut fields = Fields::default();
        fields.add(b"X-Forwarded-For", b"6.6.6.6");
        fields.add(b"Forwarded", b"for=6.6.6.6");
        fields.add(b"X-Real-IP", b"6.6.6.6");
        fields.add(b"X_Real_IP", b"6.6.6.6");
        fields.add(b"X_Forwarded-For", b"6.6.6.6");
        let peer = peer("2001:db8::1", &[]);
        assert_eq!(peer.client_ip(&fields, &[]).to_string(), "2001:db8::1");
        peer.forward_as(&mut fields, b"shop:8080");
        assert_eq!(text(&fields, "x-forwarded-for"), "2001:db8::1");
        assert_eq!(text(&fields, "x-forwarded-proto"), "https");
        assert_eq!(text(&fields, "x-forwarded-host"), "shop:8080");
        assert_eq!(text(&fields, "forwarded"), "for=\"[2001:db8::1]\";proto=https;host=\"shop:8080\"");
        assert!(fields.iter().all(|(_, _, value)| !value.windows(7).any(|w| w == b"6.6.6.6")));
    }

    #[test]
    fn a_trusted_peer_is_extended_and_the_client_found_behind_it() {
        let networks: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let mut fields = Fields::default();
        fields.add(b"x-forwarded-for", b"1.1.1.1, 9.9.9.9");
        fields.add(b"x-forwarded-for", b"10.1.1.1");
        fields.add(b"x-forwarded-proto", b"http");
        fields.add(b"x_forwarded_for", b"6.6.6.6");
        fields.add(b"x_other", b"kept");
        let peer = peer("10.0.0.2", &networks);
        assert_eq!(peer.client_ip(&fields, &networks).to_string(), "9.9.9.9");
        peer.forward_as(&mut fields, b"");
        assert_eq!(text(&fields, "x-forwarded-for"), "1.1.1.1, 9.9.9.9, 10.1.1.1, 10.0.0.2");
        assert_eq!(text(&fields, "x-forwarded-proto"), "http");
        assert_eq!(
            (text(&fields, "x_forwarded_for"), text(&fields, "x_other")),
            (String::new(), "kept".into())
        );
    }

    #[test]
    fn hops_may_carry_ports() {
        for hop in ["1.2.3.4", "1.2.3.4:80", "[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4"] {
            assert_eq!(parse_hop(hop).unwrap().to_string(), "1.2.3.4", "{hop}");
        }
        assert_eq!(parse_hop("unknown"), None);
    }
}
