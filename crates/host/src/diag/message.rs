//! Questions and answers as bytes (`linux/netlink.h`, `linux/inet_diag.h`), in this machine's byte order
//! except for ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::sockets::Entry;

const HEADER_BYTES: usize = 16;
const QUESTION_BYTES: usize = HEADER_BYTES + 56;
/// `struct inet_diag_msg`.
const ANSWER_BYTES: usize = 72;
/// Where it has the cookie.
const COOKIE: usize = 44;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// The attribute that holds `struct tcp_info`; asked for by its bit.
const INET_DIAG_INFO: u16 = 2;
const ESTABLISHED: u32 = 1;

/// Asks for the established connections of an address's port and family, and for what the kernel knows of each.
pub(super) fn connections(local: SocketAddr) -> [u8; QUESTION_BYTES] {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    question(family, 1 << (INET_DIAG_INFO - 1), 1 << ESTABLISHED, local.port())
}

/// Asks for all sockets of a family.
pub(super) fn sockets(family: u8) -> [u8; QUESTION_BYTES] {
    question(family, 0, u32::MAX, 0)
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`: attributes and states by their bits, a port of ours or 0 for any.
fn question(family: u8, attributes: u8, states: u32, port: u16) -> [u8; QUESTION_BYTES] {
    let mut bytes = [0; QUESTION_BYTES];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &(QUESTION_BYTES as u32).to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    put(16, &[family, IPPROTO_TCP, attributes]);
    put(20, &states.to_ne_bytes());
    // The rest is nought: any peer. Of addresses the kernel would take no notice.
    put(24, &port.to_be_bytes());
    bytes
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
    body: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = word(self.rest, 0)? as usize;
        let kind = u16::from_ne_bytes(bytes(self.rest, 4)?);
        let body = self.rest.get(HEADER_BYTES..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, body })
    }
}

/// What the kernel says of one socket.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) cookie: u64,
    /// `struct tcp_info`, as long as this kernel's is.
    pub(crate) info: Option<&'a [u8]>,
    head: &'a [u8],
}

impl Answer<'_> {
    /// What the tables in `/proc` say of it, too. None of a family that was not asked for.
    pub(crate) fn entry(&self) -> Option<Entry> {
        Some(Entry {
            local: self.address(4, 8)?,
            remote: self.address(6, 24)?,
            state: *self.head.get(1)?,
            queued: word(self.head, 56)?,
            inode: u64::from(word(self.head, 68)?),
        })
    }

    fn address(&self, port: usize, ip: usize) -> Option<SocketAddr> {
        let ip = match *self.head.first()? {
            AF_INET => IpAddr::from(Ipv4Addr::from(bytes::<4>(self.head, ip)?)),
            AF_INET6 => IpAddr::from(Ipv6Addr::from(bytes::<16>(self.head, ip)?)),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(bytes(self.head, port)?)))
    }
}

impl<'a> Message<'a> {
    /// `None` at the end of the answers.
    pub(crate) fn answer(&self) -> io::Result<Option<Answer<'a>>> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        match self.kind {
            // A question that fails while it is answered, for want of a module among others, ends with why.
            NLMSG_DONE | NLMSG_ERROR => match word(self.body, 0).map(|word| (word as i32).wrapping_neg()) {
                Some(error) if error > 0 => Err(io::Error::from_raw_os_error(error)),
                _ if self.kind == NLMSG_DONE => Ok(None),
                _ => Err(malformed()),
            },
            SOCK_DIAG_BY_FAMILY => answer(self.body).map(Some).ok_or_else(malformed),
            _ => Err(malformed()),
        }
    }
}

fn answer(body: &[u8]) -> Option<Answer<'_>> {
    let (head, attributes) = body.split_at_checked(ANSWER_BYTES)?;
    let cookie = u64::from_ne_bytes(bytes(head, COOKIE)?);
    Some(Answer { cookie, info: attribute(attributes, INET_DIAG_INFO), head })
}

/// The value of an attribute: each is its length, its kind and its value, padded to four bytes.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes(rest, 0)?));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes(bytes(rest, 2)?) == wanted {
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
