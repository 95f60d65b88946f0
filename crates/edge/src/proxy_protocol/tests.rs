use proptest::prelude::*;

use super::*;

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn complete(bytes: &[u8]) -> (usize, Option<(SocketAddr, SocketAddr)>) {
    match parse(bytes) {
        Ok(Parsed::Complete { len, addresses }) => (len, addresses),
        other => panic!("{other:?} of {:?}", bytes.escape_ascii().to_string()),
    }
}

fn v2(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = V2_START.to_vec();
    header.extend_from_slice(&[version_and_command, family]);
    header.extend_from_slice(&(rest.len() as u16).to_be_bytes());
    header.extend_from_slice(rest);
    header
}

#[test]
fn version_1_of_the_specification() {
    let header = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\nGET / HTTP/1.1\r\n";
    let all = at("255.255.255.255:65535");
    assert_eq!(complete(header), (56, Some((all, all))));

    let header = b"PROXY TCP6 2001:db8::7 ::1 51234 443\r\n";
    assert_eq!(complete(header), (header.len(), Some((at("[2001:db8::7]:51234"), at("[::1]:443")))));

    assert_eq!(complete(b"PROXY UNKNOWN\r\n\r\n"), (15, None));
    let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
    assert_eq!(complete(longest), (longest.len(), None));
}

#[test]
fn version_1_is_read_strictly() {
    for line in [
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY TCP4\r\n",
        "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nX\r\n",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(BadHeader::Malformed), "{line:?}");
    }
    assert_eq!(parse(b"PROXY TCP4 \xff\xfe\r\n"), Err(BadHeader::Malformed));
}

#[test]
fn version_1_ends_within_107_bytes() {
    let fits = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_MAX_BYTES - 16));
    assert_eq!(complete(fits.as_bytes()), (V1_MAX_BYTES, None));
    let longer = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_MAX_BYTES - 15));
    assert_eq!(parse(longer.as_bytes()), Err(BadHeader::Endless));
    assert_eq!(parse(&longer.as_bytes()[..V1_MAX_BYTES - 1]), Ok(Parsed::Incomplete));
}

#[test]
fn version_2_addresses_are_followed_by_extensions_and_the_client() {
    let mut rest = vec![192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];
    rest.extend_from_slice(b"\x02\x00\x04shop");
    let mut header = v2(0x21, 0x11, &rest);
    let len = header.len();
    header.extend_from_slice(b"GET /");
    assert_eq!(complete(&header), (len, Some((at("192.0.2.1:12345"), at("10.0.0.1:443")))));
}

#[test]
fn version_2_without_tcp_addresses_leaves_those_of_the_socket() {
    assert_eq!(complete(&v2(0x20, 0x00, &[])), (16, None), "LOCAL");
    assert_eq!(complete(&v2(0x20, 0x11, b"??")), (18, None), "LOCAL, whatever else it says");
    assert_eq!(complete(&v2(0x21, 0x00, b"tlvs")), (20, None), "unspecified");
    assert_eq!(complete(&v2(0x21, 0x31, &[0; 216])), (232, None), "Unix socket");
    assert_eq!(complete(&v2(0x21, 0x12, &[0; 12])), (28, None), "datagrams");
}

#[test]
fn version_2_is_read_strictly() {
    assert_eq!(parse(&v2(0x11, 0x11, &[0; 12])), Err(BadHeader::UnknownVersion(1)));
    assert_eq!(parse(&v2(0x22, 0x11, &[0; 12])), Err(BadHeader::UnknownCommand(2)));
    assert_eq!(parse(&v2(0x21, 0x41, &[0; 12])), Err(BadHeader::UnknownFamily(0x41)));
    assert_eq!(parse(&v2(0x21, 0x13, &[0; 12])), Err(BadHeader::UnknownFamily(0x13)));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Err(BadHeader::TooShort));
    assert_eq!(parse(&v2(0x21, 0x21, &[0; 35])), Err(BadHeader::TooShort));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; MAX_BYTES])), Err(BadHeader::TooLong(MAX_BYTES + 16)));
    assert_eq!(complete(&v2(0x21, 0x11, &[0; MAX_BYTES - 16])).0, MAX_BYTES);
}

#[test]
fn anything_else_is_refused_at_its_first_odd_byte() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"PROXY\t", b"proxy ", b"\x16\x03\x01", b"\r\n\r\nG"] {
        assert_eq!(parse(bytes), Err(BadHeader::Missing), "{bytes:?}");
    }
    assert_eq!(parse(b""), Ok(Parsed::Incomplete));
}

#[test]
fn mixed_families_are_told_as_ipv6() {
    let (source, destination) = (at("192.0.2.1:5"), at("[2001:db8::1]:6"));
    let mut text = Vec::new();
    write_v1(&mut text, source, destination);
    assert_eq!(text, b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 5 6\r\n");

    let mut text = Vec::new();
    write_v1(&mut text, at("[::ffff:192.0.2.1]:5"), at("10.0.0.1:6"));
    assert_eq!(text, b"PROXY TCP4 192.0.2.1 10.0.0.1 5 6\r\n");
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::V4),
        any::<Ipv6Addr>().prop_map(IpAddr::V6),
        any::<Ipv4Addr>().prop_map(|ip| IpAddr::V6(ip.to_ipv6_mapped())),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

/// Bytes that get past the first checks more often than chance would.
fn nearly_headers() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(b"PROXY ".to_vec()),
        Just(b"PROXY TCP6 ".to_vec()),
        Just([&V2_START[..], &[0x21, 0x21, 0]].concat()),
        Just([&V2_START[..], &[0x21, 0x11, 0]].concat()),
    ];
    (start, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(source in address(), destination in address(), more: [u8; 3]) {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        for write in [write_v1, write_v2] {
            let mut bytes = Vec::new();
            write(&mut bytes, source, destination);
            let len = bytes.len();
            for end in 0..len {
                prop_assert_eq!(parse(&bytes[..end]), Ok(Parsed::Incomplete));
            }
            bytes.extend_from_slice(&more);
            let addresses = Some((canonical(source), canonical(destination)));
            prop_assert_eq!(parse(&bytes), Ok(Parsed::Complete { len, addresses }));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in nearly_headers()) {
        match parse(&bytes) {
            Ok(Parsed::Complete { len, .. }) => {
                prop_assert!(len <= bytes.len() && len <= MAX_BYTES);
                prop_assert_eq!(parse(&bytes[..len]), parse(&bytes), "what follows changes nothing");
                prop_assert_eq!(parse(&bytes[..len - 1]), Ok(Parsed::Incomplete));
            }
            Ok(Parsed::Incomplete) => prop_assert!(bytes.len() < MAX_BYTES),
            Err(_) => {}
        }
    }
}
