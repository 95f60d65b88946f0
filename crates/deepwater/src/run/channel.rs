//! What two processes say to each other at an upgrade: messages of a socket pair, some of which carry sockets
//! (`SCM_RIGHTS`).

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use deepwater_core::handover::Sockets;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixStream;

/// Sockets in one message; the system takes 253.
const MOST_SOCKETS: usize = 200;
/// Bytes of a message: the system takes 200 KiB.
const MOST_BYTES: usize = 128 * 1024;

/// One message.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// Sockets of an address come with it; more of the same address follow if it `continues`.
    Sockets { plane: String, configured: String, continues: bool },
    /// Something to remember.
    Kept { name: String, value: Vec<u8> },
    /// The predecessor has said all.
    All,
    /// The successor could serve.
    Ready,
    /// The successor could not serve as well as its predecessor does.
    Refused { reason: String },
    /// The successor is to serve, and the predecessor will not any more.
    Serve,
    /// A connection between two requests comes with it.
    Passenger { plane: String, about: Value },
}

/// A channel that can be waited for. Messages keep their bounds: the pair is made so.
///
/// # Errors
/// When the system does not wait for it.
pub(super) fn waitable(channel: OwnedFd) -> io::Result<UnixStream> {
    let channel = std::os::unix::net::UnixStream::from(channel);
    channel.set_nonblocking(true)?;
    UnixStream::from_std(channel)
}

/// Sends a message.
///
/// # Errors
/// When the other process has gone, or (`WouldBlock`) is not ready for it.
pub(super) fn send(channel: impl AsFd, message: &Message, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message is too long"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets for one message"));
    }
    sendmsg(channel, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the next message, and the sockets that come with it.
///
/// # Errors
/// When the other process has gone, what it said makes no sense, or (`WouldBlock`) it has said nothing.
pub(super) fn receive(channel: impl AsFd) -> io::Result<(Message, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MOST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(channel, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let sockets: Vec<OwnedFd> = rights.flatten().collect();
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut"));
    }
    Ok((serde_json::from_slice(&bytes[..received.bytes])?, sockets))
}

/// Everything a predecessor sends, in order.
pub(super) fn bequest<'a>(
    sockets: &'a [Sockets],
    kept: &'a BTreeMap<String, Vec<u8>>,
) -> Vec<(Message, Vec<BorrowedFd<'a>>)> {
    let mut messages = Vec::new();
    for group in sockets {
        let mut rest = group.sockets.as_slice();
        while let Some((part, more)) =
            rest.split_at_checked(rest.len().min(MOST_SOCKETS)).filter(|_| !rest.is_empty())
        {
            rest = more;
            let (plane, configured) = (group.plane.clone(), group.configured.clone());
            let message = Message::Sockets { plane, configured, continues: !more.is_empty() };
            messages.push((message, part.iter().map(AsFd::as_fd).collect()));
        }
    }
    let remembered =
        kept.iter().map(|(name, value)| Message::Kept { name: name.clone(), value: value.clone() });
    messages.extend(remembered.chain([Message::All]).map(|message| (message, Vec::new())));
    messages
}

/// What a predecessor has sent.
#[derive(Debug, Default)]
pub(super) struct Bequest {
    pub sockets: Vec<Sockets>,
    pub kept: BTreeMap<String, Vec<u8>>,
    continues: bool,
}

impl Bequest {
    /// Takes all of it.
    ///
    /// # Errors
    /// When the predecessor has gone, or says what it should not.
    pub(super) fn receive(channel: impl AsFd) -> io::Result<Self> {
        let mut bequest = Self::default();
        loop {
            match receive(&channel)? {
                (Message::Sockets { plane, configured, continues }, sockets) => {
                    match bequest.sockets.last_mut().filter(|_| bequest.continues) {
                        Some(group) => group.sockets.extend(sockets),
                        None => bequest.sockets.push(Sockets { plane, configured, sockets }),
                    }
                    bequest.continues = continues;
                }
                (Message::Kept { name, value }, _) => {
                    bequest.kept.insert(name, value);
                }
                (Message::All, _) => return Ok(bequest),
                (
                    Message::Ready | Message::Refused { .. } | Message::Serve | Message::Passenger { .. },
                    _,
                ) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a message out of turn"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::net::TcpListener;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn sockets_arrive_as_they_were_however_many() {
        let (ours, theirs) = pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let copies =
            |n: usize| (0..n).map(|_| listener.try_clone().unwrap().into()).collect::<Vec<OwnedFd>>();
        let group =
            |plane: &str, n| Sockets { plane: plane.into(), configured: "a".into(), sockets: copies(n) };
        let sockets = [group("edge", 1), group("edge", 2 * MOST_SOCKETS + 1), group("console", 1)];
        let kept = BTreeMap::from([("secret".to_owned(), vec![0, 255])]);
        let sender = std::thread::spawn(move || {
            for (message, sockets) in bequest(&sockets, &kept) {
                send(&ours, &message, &sockets).unwrap();
            }
        });
        let received = Bequest::receive(&theirs).unwrap();
        sender.join().unwrap();
        let counts: Vec<_> =
            received.sockets.iter().map(|group| (group.plane.as_str(), group.sockets.len())).collect();
        assert_eq!(counts, [("edge", 1), ("edge", 2 * MOST_SOCKETS + 1), ("console", 1)]);
        assert_eq!(received.kept["secret"], [0, 255]);
        let address = listener.local_addr().unwrap();
        for socket in received.sockets.into_iter().flat_map(|group| group.sockets) {
            assert_eq!(TcpListener::from(socket).local_addr().unwrap(), address);
        }
    }

    #[test]
    fn a_process_that_has_gone_is_noticed() {
        let (ours, theirs) = pair();
        drop(ours);
        assert_eq!(Bequest::receive(&theirs).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(send(&theirs, &Message::Ready, &[]).is_err());
        let (ours, theirs) = pair();
        send(&ours, &Message::Ready, &[]).unwrap();
        assert_eq!(Bequest::receive(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
