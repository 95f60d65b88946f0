//! The PROXY protocol, versions 1 (text) and 2 (binary): the addresses of a client, told before its first byte by
//! the proxy it came through.
//!
//! A pure codec of <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>: no sockets, no allocation while
//! parsing. Whoever may send such a header may claim any address, so only a listener that nothing but a known
//! balancer can reach should read one.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What every version 1 header begins with.
const V1_START: &[u8] = b"PROXY ";
/// What every version 2 header begins with: bytes no other protocol's client would send first.
const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest version 1 header, its line end included (§2.1).
const V1_MAX_BYTES: usize = 107;
/// What precedes the addresses in version 2: start, version and command, family, length.
const V2_FIXED_BYTES: usize = 16;

/// Longest header read, whichever its version. Version 2 could announce 64 KiB of extensions; the largest in use (a
/// client certificate's name) fit many times over.
pub const MAX_BYTES: usize = 4_096;

const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;
const V2_TCP4: u8 = 0x11;
const V2_TCP6: u8 = 0x21;

/// How far a header has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// All so far is the beginning of a header; more must be read, up to [`MAX_BYTES`] in all.
    Incomplete,
    /// The whole header is there.
    Complete {
        /// Its length in bytes; the client's own bytes follow.
        len: usize,
        /// Source and destination as the sender saw them; IPv4 addresses mapped into IPv6 come as IPv4. None when
        /// the sender speaks for itself (`LOCAL`, such as a health check), does not know, or the connection is not
        /// TCP over IP: then the addresses of the socket hold.
        addresses: Option<(SocketAddr, SocketAddr)>,
    },
}

/// Why bytes are no header. The connection must be closed: what follows cannot be told from an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Neither version's first bytes.
    #[error("the connection does not begin with the PROXY protocol")]
    Missing,
    /// No end of line within 107 bytes.
    #[error("the PROXY protocol header (version 1) has no end within {V1_MAX_BYTES} bytes")]
    Endless,
    /// Not the words, addresses and ports of §2.1.
    #[error("the PROXY protocol header (version 1) is malformed")]
    Malformed,
    /// A version that does not exist.
    #[error("the PROXY protocol header is of unknown version {0}")]
    UnknownVersion(u8),
    /// A command that does not exist.
    #[error("the PROXY protocol header has the unknown command {0}")]
    UnknownCommand(u8),
    /// An address family or transport that does not exist.
    #[error("the PROXY protocol header has the unknown address family {0:#04x}")]
    UnknownFamily(u8),
    /// Longer than [`MAX_BYTES`].
    #[error("the PROXY protocol header announces {0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
    /// Shorter than the addresses it says it holds.
    #[error("the PROXY protocol header is too short for its addresses")]
    TooShort,
}

/// Reads a header at the start of a connection.
///
/// # Errors
/// As soon as the bytes cannot be the beginning of a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    if begins_like(bytes, V2_START) {
        parse_v2(bytes)
    } else if begins_like(bytes, V1_START) {
        parse_v1(bytes)
    } else {
        Err(BadHeader::Missing)
    }
}

/// Whether the bytes are the start, or as much of it as has arrived.
fn begins_like(bytes: &[u8], start: &[u8]) -> bool {
    let known = bytes.len().min(start.len());
    bytes[..known] == start[..known]
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    let window = &bytes[..bytes.len().min(V1_MAX_BYTES)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() == V1_MAX_BYTES { Err(BadHeader::Endless) } else { Ok(Parsed::Incomplete) };
    };
    let line = std::str::from_utf8(&window[V1_START.len()..end]).map_err(|_| BadHeader::Malformed)?;
    let complete = |addresses| Ok(Parsed::Complete { len: end + 2, addresses });

    let (family, rest) = line.split_once(' ').unwrap_or((line, ""));
    match family {
        "UNKNOWN" => complete(None),
        "TCP4" => complete(Some(v1_addresses::<Ipv4Addr>(rest)?)),
        "TCP6" => complete(Some(v1_addresses::<Ipv6Addr>(rest)?)),
        _ => Err(BadHeader::Malformed),
    }
}

/// `<source> <destination> <source port> <destination port>`, exactly one blank apart.
fn v1_addresses<A>(text: &str) -> Result<(SocketAddr, SocketAddr), BadHeader>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or(BadHeader::Malformed);
    let source = v1_address::<A>(word()?)?;
    let destination = v1_address::<A>(word()?)?;
    let source = socket(source, v1_port(word()?)?);
    let destination = socket(destination, v1_port(word()?)?);
    if words.next().is_some() {
        return Err(BadHeader::Malformed);
    }
    Ok((source, destination))
}

fn v1_address<A: std::str::FromStr + Into<IpAddr>>(word: &str) -> Result<IpAddr, BadHeader> {
    word.parse::<A>().map(Into::into).map_err(|_| BadHeader::Malformed)
}

/// A decimal port without sign or leading zeros (§2.1), which the standard library's parser would let pass.
fn v1_port(word: &str) -> Result<u16, BadHeader> {
    let plain = word == "0" || word.starts_with(|first: char| matches!(first, '1'..='9'));
    word.parse().ok().filter(|_| plain).ok_or(BadHeader::Malformed)
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    let Some(&version_and_command) = bytes.get(12) else { return Ok(Parsed::Incomplete) };
    if !matches!(version_and_command, V2_LOCAL | V2_PROXY) {
        return Err(match version_and_command >> 4 {
            2 => BadHeader::UnknownCommand(version_and_command & 0x0f),
            version => BadHeader::UnknownVersion(version),
        });
    }
    let Some(fixed) = bytes.first_chunk::<V2_FIXED_BYTES>() else { return Ok(Parsed::Incomplete) };
    let len = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if len > MAX_BYTES {
        return Err(BadHeader::TooLong(len));
    }
    let Some(header) = bytes.get(..len) else { return Ok(Parsed::Incomplete) };
    // Whatever follows the addresses are extensions (TLVs), none of which we need.
    let addresses = match version_and_command {
        V2_PROXY => v2_addresses(fixed[13], &header[V2_FIXED_BYTES..])?,
        // The receiver must accept a LOCAL header whatever its family says (§2.2).
        _ => None,
    };
    Ok(Parsed::Complete { len, addresses })
}

fn v2_addresses(family: u8, mut bytes: &[u8]) -> Result<Option<(SocketAddr, SocketAddr)>, BadHeader> {
    let (source, destination) = match family {
        V2_TCP4 => (take::<4>(&mut bytes)?.into(), take::<4>(&mut bytes)?.into()),
        V2_TCP6 => (take::<16>(&mut bytes)?.into(), take::<16>(&mut bytes)?.into()),
        // Unspecified, datagrams over IP, Unix sockets: they exist, and have no TCP addresses to tell.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Ok(None),
        _ => return Err(BadHeader::UnknownFamily(family)),
    };
    let source = socket(source, u16::from_be_bytes(take(&mut bytes)?));
    let destination = socket(destination, u16::from_be_bytes(take(&mut bytes)?));
    Ok(Some((source, destination)))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadHeader> {
    let (first, rest) = bytes.split_first_chunk().ok_or(BadHeader::TooShort)?;
    *bytes = rest;
    Ok(*first)
}

fn socket(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

/// Both addresses in one family, as a header needs them: IPv4 when both are, else IPv6 with IPv4 mapped into it.
enum Pair {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Pair {
    fn of(source: SocketAddr, destination: SocketAddr) -> Self {
        match (source.ip().to_canonical(), destination.ip().to_canonical()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Self::V4(source, destination),
            (source, destination) => Self::V6(mapped(source), mapped(destination)),
        }
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Appends a version 1 header. A source and a destination of different families are both told as IPv6.
pub fn write_v1(out: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    let (from, to) = (source.port(), destination.port());
    // Writing into memory cannot fail.
    let _ = match Pair::of(source, destination) {
        Pair::V4(source, destination) => write!(out, "PROXY TCP4 {source} {destination} {from} {to}\r\n"),
        Pair::V6(source, destination) => write!(out, "PROXY TCP6 {source} {destination} {from} {to}\r\n"),
    };
}

/// Appends a version 2 header. A source and a destination of different families are both told as IPv6.
pub fn write_v2(out: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    out.extend_from_slice(V2_START);
    match Pair::of(source, destination) {
        Pair::V4(source, destination) => {
            out.extend_from_slice(&[V2_PROXY, V2_TCP4, 0, 12]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        Pair::V6(source, destination) => {
            out.extend_from_slice(&[V2_PROXY, V2_TCP6, 0, 36]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

#[cfg(test)]
mod tests;
