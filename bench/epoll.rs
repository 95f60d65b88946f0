//! The few system calls that the standard library does not offer.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

const CTL_ADD: i32 = 1;
const IN: u32 = 1;
const MOST: usize = 256;

#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
struct Event {
    events: u32,
    data: u64,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn epoll_create1(flags: i32) -> RawFd;
    fn epoll_ctl(epoll: RawFd, operation: i32, fd: RawFd, event: *mut Event) -> i32;
    fn epoll_pwait2(
        epoll: RawFd,
        events: *mut Event,
        most: i32,
        timeout: *const Timespec,
        mask: *const u8,
    ) -> i32;
    #[link_name = "listen"]
    fn listen_again(socket: RawFd, backlog: i32) -> i32;
}

pub struct Epoll {
    fd: OwnedFd,
    events: [Event; MOST],
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; a result that is no error is a descriptor nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(checked(epoll_create1(0))?) };
        Ok(Self { fd, events: [Event { events: 0, data: 0 }; MOST] })
    }

    /// Reports `number` whenever `source` can be read.
    pub fn watch(&self, source: &impl AsRawFd, number: usize) -> io::Result<()> {
        let mut event = Event { events: IN, data: number as u64 };
        // SAFETY: both descriptors are open and the event outlives the call.
        checked(unsafe { epoll_ctl(self.fd.as_raw_fd(), CTL_ADD, source.as_raw_fd(), &mut event) })?;
        Ok(())
    }

    /// The numbers of what can be read, waiting at most `timeout` for the first.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<impl Iterator<Item = usize> + '_> {
        let timeout =
            Timespec { seconds: timeout.as_secs() as i64, nanoseconds: i64::from(timeout.subsec_nanos()) };
        // SAFETY: the array holds MOST events, timeout outlives the call, no signal mask is given.
        let ready = checked(unsafe {
            epoll_pwait2(self.fd.as_raw_fd(), self.events.as_mut_ptr(), MOST as i32, &timeout, ptr::null())
        })?;
        Ok(self.events[..ready as usize].iter().map(|event| event.data as usize))
    }
}

/// Lets so many connections wait to be accepted, as far as the system allows.
#[allow(dead_code)] // Of the programs that share this file, one listens.
pub fn listen(socket: &impl AsRawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open; on a socket that listens already this changes the length of its queue.
    checked(unsafe { listen_again(socket.as_raw_fd(), backlog) })?;
    Ok(())
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
