//! Fields that belong to one connection stay on it (RFC 9110 §7.6.1), and those that let a request be followed.

use deepwater_core::random::Random;
use http::Method;

use crate::head::{Fields, Name, Request, Response, list_members};

/// The protocol a client asks to switch to, if the request may switch (RFC 9110 §7.8): HTTP/1.1 GET, `Connection:
/// upgrade`.
pub(crate) fn wanted_upgrade(request: &Request) -> Option<&[u8]> {
    let protocol = request.fields.get_known(Name::Upgrade)?;
    let named = request
        .fields
        .all_known(Name::Connection)
        .flat_map(list_members)
        .any(|option| option.eq_ignore_ascii_case(b"upgrade"));
    // A switch to HTTP/2 in cleartext is not a tunnel; such a request is simply answered (RFC 9113 §3.1).
    let tunnelled = !protocol.eq_ignore_ascii_case(b"h2c");
    (named && tunnelled && request.method == Method::GET && request.version == crate::head::Version::Http11)
        .then_some(protocol)
}

/// Whether a `Connection` field says so.
pub(crate) fn connection_has(fields: &Fields, option: &[u8]) -> bool {
    fields
        .all_known(Name::Connection)
        .flat_map(list_members)
        .any(|member| member.eq_ignore_ascii_case(option))
}

/// Whether a client waits to be asked for its body (RFC 9110 §10.1.1).
pub(crate) fn waits_to_be_asked(request: &Request) -> bool {
    let expects = || request.fields.all_known(Name::Expect).flat_map(list_members);
    request.version != crate::head::Version::Http10
        && expects().any(|member| member.eq_ignore_ascii_case(b"100-continue"))
}

/// Whether a request is a gRPC call, whose body may be one side of a conversation.
pub(crate) fn is_grpc(fields: &Fields) -> bool {
    let rest = fields.get_known(Name::ContentType).and_then(|kind| kind.strip_prefix(b"application/grpc"));
    // gRPC-Web is another thing: its clients cannot stream.
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// Removes what is meant for one hop only.
pub(crate) fn remove_hop_by_hop(fields: &mut Fields) {
    if fields.get_known(Name::Connection).is_some() {
        remove_connection_named(fields);
    }
    fields.remove_where(|id, _, _| {
        matches!(
            id,
            Name::Connection
                | Name::Http2Settings
                | Name::KeepAlive
                | Name::ProxyAuthorization
                | Name::ProxyConnection
                | Name::Te
                | Name::TransferEncoding
                | Name::Upgrade
        )
    });
}

#[cold]
fn remove_connection_named(fields: &mut Fields) {
    let named: Vec<Vec<u8>> =
        fields.all_known(Name::Connection).flat_map(list_members).map(<[u8]>::to_vec).collect();
    for name in named {
        // `Connection: content-length` would take the frame off a body that has one.
        if !matches!(Name::of(&name), Name::ContentLength | Name::Host | Name::Forwarded) {
            fields.remove(&name);
        }
    }
}

/// Gives a request an identity of its own where the client gave none, and starts or keeps its trace.
pub(crate) fn identify(fields: &mut Fields, random: &mut Random) {
    let valid_id = |value: &[u8]| {
        (1..=128).contains(&value.len())
            && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:+/=@".contains(b))
    };
    if !fields.get_known(Name::XRequestId).is_some_and(valid_id) {
        fields.remove_known(Name::XRequestId);
        fields.add_known(Name::XRequestId, &hex::<32>(random));
    }
    if !fields.get_known(Name::Traceparent).is_some_and(valid_traceparent) {
        fields.remove_known(Name::Traceparent);
        fields.remove_known(Name::Tracestate);
        fields.add_known(Name::Traceparent, &new_traceparent(random));
    }
}

/// `00-<trace id>-<parent id>-01` (W3C Trace Context §3.2).
fn new_traceparent(random: &mut Random) -> [u8; 55] {
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    value[3..35].copy_from_slice(&hex::<32>(random));
    value[36..52].copy_from_slice(&hex::<16>(random));
    value
}

/// Version 00 must have this very form; later ones may be longer; all-zero ids and version ff are invalid.
fn valid_traceparent(value: &[u8]) -> bool {
    let lower_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
    if value.len() < 55 || value[2] != b'-' || value[35] != b'-' || value[52] != b'-' {
        return false;
    }
    let (version, trace, parent, flags) = (&value[..2], &value[3..35], &value[36..52], &value[53..55]);
    lower_hex(version)
        && version != b"ff"
        && (value.len() == 55 || (version != b"00" && value[55] == b'-'))
        && lower_hex(trace)
        && !zero(trace)
        && lower_hex(parent)
        && !zero(parent)
        && lower_hex(flags)
}

/// Random lower-case hexadecimal digits; `N` is a multiple of 16.
fn hex<const N: usize>(random: &mut Random) -> [u8; N] {
    let mut digits = [b'0'; N];
    for word in digits.chunks_exact_mut(16) {
        let bits = random.next_u64();
        word[..8].copy_from_slice(&eight_digits((bits >> 32) as u32));
        word[8..].copy_from_slice(&eight_digits(bits as u32));
    }
    digits
}

/// A number's hexadecimal digits, all eight at once.
fn eight_digits(number: u32) -> [u8; 8] {
    let mut nibbles = u64::from(number);
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte whose nibble is 10 or more.
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

/// Names us on the way of a request (RFC 9110 §7.6.3).
pub(crate) fn add_via(fields: &mut Fields, version: crate::head::Version) {
    let value: &[u8] = match version {
        crate::head::Version::Http10 => b"1.0 deepwater",
        crate::head::Version::Http11 => b"1.1 deepwater",
        crate::head::Version::Http2 => b"2.0 deepwater",
    };
    fields.add_known(Name::Via, value);
}

/// Cleans a response of what was meant for us alone.
pub(crate) fn clean_response(response: &mut Response) {
    remove_hop_by_hop(&mut response.fields);
    // RFC 9110 §8.6: no length in a 1xx or 204.
    if response.status.is_informational() || response.status == http::StatusCode::NO_CONTENT {
        response.fields.remove_known(Name::ContentLength);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_by_hop_fields_and_those_named_by_connection_go() {
        let mut all = Fields::of(&[
            ("Connection", "close, X-Secret"),
            ("Connection", "content-length"),
            ("X-Secret", "1"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("Proxy-Connection", "x"),
            ("Content-Length", "5"),
            ("Accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut all);
        let names: Vec<_> =
            all.iter().map(|(_, name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["Content-Length", "Accept"]);
    }

    #[test]
    fn an_identity_is_kept_when_valid_and_made_when_not() {
        let mut random = Random::from_seed(3);
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut kept =
            Fields::of(&[("X-Request-Id", "abc-1"), ("traceparent", parent), ("tracestate", "a=b")]);
        identify(&mut kept, &mut random);
        assert_eq!(kept.get(b"x-request-id"), Some(&b"abc-1"[..]));
        assert_eq!(kept.get(b"traceparent"), Some(parent.as_bytes()));
        assert_eq!(kept.get(b"tracestate"), Some(&b"a=b"[..]));

        for bad in ["", "00-0-0-01", &parent.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32))] {
            let mut made =
                Fields::of(&[("X-Request-Id", "a b"), ("traceparent", bad), ("tracestate", "a=b")]);
            identify(&mut made, &mut random);
            assert!(valid_traceparent(made.get(b"traceparent").unwrap()));
            assert_eq!(made.get(b"tracestate"), None);
            assert_eq!(made.get(b"x-request-id").map(<[u8]>::len), Some(32));
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 9, 10, 0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, u32::MAX] {
            assert_eq!(eight_digits(number), format!("{number:08x}").as_bytes());
        }
    }

    #[test]
    fn only_a_get_over_http_1_1_upgrades() {
        let mut request = Request::default();
        request.fields.add(b"Connection", b"keep-alive, Upgrade");
        request.fields.add(b"Upgrade", b"websocket");
        assert_eq!(wanted_upgrade(&request), Some(&b"websocket"[..]));
        request.method = Method::POST;
        assert_eq!(wanted_upgrade(&request), None);
    }
}
