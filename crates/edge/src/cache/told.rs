//! The URL of a request as its application is told of it, and what else it is told of that URL.
//!
//! Trusted proxies tell which URL their client asked for, in several fields at once, and often pass on what that client
//! wrote there itself. Applications differ in which of these they believe: what speaks for another URL than the one in
//! the key has to be in the key, too, or one client could choose what all others get.

use deepwater_cache::rules::Target;

use crate::head::{Name, Request};
use crate::peer::Peer;

/// Fields that some frameworks take for the scheme of a request.
const SCHEMES: [&[u8]; 4] =
    [b"front-end-https", b"x-forwarded-protocol", b"x-forwarded-ssl", b"x-url-scheme"];

/// Whether some frameworks take a field for the scheme of a request.
pub(crate) fn says_scheme(name: &[u8]) -> bool {
    SCHEMES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The URL of a request as the application is told of it.
pub(crate) fn target_of<'a>(request: &'a Request, peer: &Peer) -> Target<'a> {
    let mut scheme = request.scheme().as_bytes();
    let mut authority = request.authority();
    if peer.trusted {
        scheme = request.fields.get_known(Name::XForwardedProto).unwrap_or(scheme);
        authority = request.fields.get_known(Name::XForwardedHost).unwrap_or(authority);
    }
    let query = (request.target().len() > request.path().len()).then(|| request.query());
    Target { scheme, authority, path: request.path(), query }
}

/// Appends to a key what a trusted proxy tells beside the URL in it. Each part is ended by a byte 0, which no field
/// holds.
pub(super) fn write_contradictions(out: &mut Vec<u8>, request: &Request, peer: &Peer) {
    contradictions(request, peer, |of, told| {
        out.push(of);
        out.extend_from_slice(told);
        out.push(0);
    });
}

fn contradictions(request: &Request, peer: &Peer, mut tell: impl FnMut(u8, &[u8])) {
    if !peer.trusted {
        return;
    }
    let Target { scheme, authority, .. } = target_of(request, peer);
    // By our own name, or by the one that it was asked by.
    if request.authority() != authority {
        tell(b'a', request.authority());
    }
    for (id, name, value) in request.fields.iter() {
        match id {
            Name::XForwardedHost if value != authority => tell(b'h', value),
            Name::XForwardedProto if value != scheme => tell(b's', value),
            Name::XForwardedPort if !is_port_of(value, scheme, authority) => tell(b'p', value),
            Name::Forwarded => {
                let pairs = value.split(|b| matches!(b, b',' | b';')).map(<[u8]>::trim_ascii);
                pairs.filter(|pair| !agrees(pair, scheme, authority)).for_each(|pair| tell(b'f', pair));
            }
            Name::Other if says_scheme(name) => {
                tell(b'n', &name.to_ascii_lowercase());
                tell(b'v', value);
            }
            _ => {}
        }
    }
}

/// Whether that is the port which goes without saying, or which the authority says.
fn is_port_of(port: &[u8], scheme: &[u8], authority: &[u8]) -> bool {
    let default: &[u8] = if scheme.eq_ignore_ascii_case(b"https") { b"443" } else { b"80" };
    let said = authority.rsplit(|b| *b == b':').next().unwrap_or_default();
    port == if said.len() < authority.len() && !said.ends_with(b"]") { said } else { default }
}

/// Whether a pair of `Forwarded` (RFC 7239) tells nothing of another URL. What is not surely so does: some read it with
/// less care than it is written.
fn agrees(pair: &[u8], scheme: &[u8], authority: &[u8]) -> bool {
    let sign = pair.iter().position(|b| *b == b'=');
    let (name, value) = sign.map_or((pair, &pair[pair.len()..]), |at| (&pair[..at], &pair[at + 1..]));
    let plain = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let is_node = |b: &u8| b.is_ascii_alphanumeric() || b".:-_[]".contains(b);
    match name.to_ascii_lowercase().as_slice() {
        b"" => value.is_empty(),
        b"for" | b"by" => plain.iter().all(is_node),
        b"host" => plain == authority,
        b"proto" => plain.eq_ignore_ascii_case(scheme),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a trusted proxy tells beside the URL, each part preceded by a letter.
    fn told(fields: &[(&str, &str)]) -> Vec<String> {
        let networks = ["10.0.0.0/8".parse().unwrap()];
        let of = |ip: &str| {
            let address = std::net::SocketAddr::new(ip.parse().unwrap(), 1234);
            Peer::new(address, "127.0.0.1:80".parse().unwrap(), false, &networks)
        };
        let mut request = Request::default();
        request.set_authority(b"shop");
        request.set_target(b"/");
        request.fields.add_all(fields);
        let mut key = Vec::new();
        write_contradictions(&mut key, &request, &of("192.0.2.1"));
        assert!(key.is_empty(), "nobody believes it");
        write_contradictions(&mut key, &request, &of("10.0.0.1"));
        let parts = key.split(|b| *b == 0).filter(|part| !part.is_empty());
        parts.map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
    }

    #[test]
    fn what_tells_of_one_url_adds_nothing() {
        for fields in [
            &[][..],
            &[("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Port", "80"), ("X-Forwarded-Proto", "http")],
            &[("X-Forwarded-Host", "shop"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")],
            &[("Forwarded", "for=1.2.3.4;host=\"shop\", for=\"[2001:db8::1]:5\";Proto=HTTP;by=_hidden")],
            &[("Forwarded", "")],
        ] {
            assert_eq!(told(fields), [""; 0], "{fields:?}");
        }
    }

    #[test]
    fn what_tells_of_another_url_is_all_there() {
        for (fields, expected) in [
            (&[("X-Forwarded-Host", "other")][..], &["ashop"][..]),
            (&[("X-Forwarded-Host", "shop"), ("X-Forwarded-Host", "evil")], &["hevil"]),
            (&[("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "https")], &["shttps"]),
            (&[("X-Forwarded-Port", "443")], &["p443"]),
            (&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "80")], &["p80"]),
            (&[("X-Forwarded-Host", "shop:81"), ("X-Forwarded-Port", "81")], &["ashop"]),
            (&[("X-Forwarded-Host", "[::1]"), ("X-Forwarded-Port", "1]")], &["ashop", "p1]"]),
            (&[("X-Forwarded-SSL", "on")], &["nx-forwarded-ssl", "von"]),
            (&[("Forwarded", "for=1.2.3.4;host=evil")], &["fhost=evil"]),
            (&[("Forwarded", "for=host=evil")], &["ffor=host=evil"]),
            (&[("Forwarded", "host=shop, proto=https;x")], &["fproto=https", "fx"]),
            (&[("Forwarded", "for=\"a;host=evil\"")], &["fhost=evil\""]),
        ] {
            let mut all = told(fields);
            all.retain(|part| part != "ffor=\"a");
            assert_eq!(all, expected, "{fields:?}");
        }
    }
}
