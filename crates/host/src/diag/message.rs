//! Questions and answers as bytes (`linux/netlink.h`, `linux/inet_diag.h`), in this machine's byte order
//! except for ports and addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const HEADER_BYTES: usize = 16;
const QUESTION_BYTES: usize = HEADER_BYTES + 56;
/// `struct inet_diag_msg`.
const ANSWER_BYTES: usize = 72;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const ENOENT: i32 = 2;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// The attribute that holds `struct tcp_info`; asked for by its bit.
const INET_DIAG_INFO: u16 = 2;
pub(super) const LISTEN: u8 = 10;

/// What is asked.
pub(super) enum Question {
    /// One connection.
    Connection { local: SocketAddr, remote: SocketAddr },
    /// All sockets that listen, of the address's family.
    Listeners { family_of: SocketAddr },
}

impl Question {
    pub(super) fn has_many_answers(&self) -> bool {
        matches!(self, Self::Listeners { .. })
    }

    /// `struct nlmsghdr` and `struct inet_diag_req_v2`.
    pub(super) fn bytes(&self, sequence: u32) -> [u8; QUESTION_BYTES] {
        let (local, remote, dump, extensions, states) = match self {
            Self::Connection { local, remote } => (*local, *remote, 0, 1 << (INET_DIAG_INFO - 1), u32::MAX),
            Self::Listeners { family_of: any } => (*any, *any, NLM_F_DUMP, 0, 1 << LISTEN),
        };
        let mut bytes = [0; QUESTION_BYTES];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &(QUESTION_BYTES as u32).to_ne_bytes());
        put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        put(6, &(NLM_F_REQUEST | dump).to_ne_bytes());
        put(8, &sequence.to_ne_bytes());
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        put(16, &[family, IPPROTO_TCP, extensions]);
        put(20, &states.to_ne_bytes());
        put(24, &local.port().to_be_bytes());
        put(26, &remote.port().to_be_bytes());
        for (at, address) in [(28, local), (44, remote)] {
            match address.ip() {
                IpAddr::V4(ip) => put(at, &ip.octets()),
                IpAddr::V6(ip) => put(at, &ip.octets()),
            }
        }
        // The interface is any; so is the cookie, by having all bits set.
        put(64, &[0xff; 8]);
        bytes
    }
}

/// Messages one after another, each preceded by its length.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

/// A message.
pub(crate) struct Message<'a> {
    kind: u16,
    pub(crate) sequence: u32,
    body: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = word(self.rest, 0)? as usize;
        let kind = half(self.rest, 4)?;
        let sequence = word(self.rest, 8)?;
        let body = self.rest.get(HEADER_BYTES..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, sequence, body })
    }
}

/// What the kernel says of one socket.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) state: u8,
    pub(crate) local: SocketAddr,
    /// Of a listener, connections not accepted; of others, bytes not read.
    pub(crate) queued: u32,
    /// Of a listener, how many may wait; of others, bytes not acknowledged.
    pub(crate) most: u32,
    /// `struct tcp_info`, as long as this kernel's is.
    pub(crate) info: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// `None` at the end of the answers, which is also that there is no such socket.
    pub(crate) fn answer(&self) -> io::Result<Option<Answer<'a>>> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        match self.kind {
            NLMSG_DONE => Ok(None),
            NLMSG_ERROR => match word(self.body, 0).map(|word| (word as i32).wrapping_neg()) {
                Some(0 | ENOENT) => Ok(None),
                Some(error) if error > 0 => Err(io::Error::from_raw_os_error(error)),
                _ => Err(malformed()),
            },
            SOCK_DIAG_BY_FAMILY => answer(self.body).map(Some).ok_or_else(malformed),
            _ => Err(malformed()),
        }
    }
}

fn answer(body: &[u8]) -> Option<Answer<'_>> {
    let (head, attributes) = body.split_at_checked(ANSWER_BYTES)?;
    let port = u16::from_be_bytes(bytes(head, 4)?);
    let ip = match head[0] {
        AF_INET => IpAddr::from(Ipv4Addr::from(bytes::<4>(head, 8)?)),
        AF_INET6 => IpAddr::from(Ipv6Addr::from(bytes::<16>(head, 8)?)),
        _ => return None,
    };
    Some(Answer {
        state: head[1],
        local: SocketAddr::new(ip, port),
        queued: word(head, 56)?,
        most: word(head, 60)?,
        info: attribute(attributes, INET_DIAG_INFO),
    })
}

/// The value of an attribute: each is its length, its kind and its value, padded to four bytes.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(half(rest, 0)?);
        let value = rest.get(4..length)?;
        if half(rest, 2)? == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn bytes<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn word(from: &[u8], at: usize) -> Option<u32> {
    bytes(from, at).map(u32::from_ne_bytes)
}

fn half(from: &[u8], at: usize) -> Option<u16> {
    bytes(from, at).map(u16::from_ne_bytes)
}
