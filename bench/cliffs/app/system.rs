//! The system calls that the standard library does not offer: a thread's processor time, and memory that is given back.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::ptr::{self, NonNull};
use std::time::Duration;

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
const PROT_READ_WRITE: i32 = 1 | 2;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x02 | 0x20;
const MADV_HUGEPAGE: i32 = 14;
/// The smallest page of any Linux: each is touched.
const PAGE_BYTES: usize = 4096;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    fn mmap(at: *mut c_void, length: usize, protection: i32, flags: i32, fd: i32, offset: i64)
    -> *mut c_void;
    fn munmap(at: *mut c_void, length: usize) -> i32;
    fn madvise(at: *mut c_void, length: usize, advice: i32) -> i32;
}

/// Processor time of the calling thread so far.
pub fn thread_time() -> io::Result<Duration> {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` outlives the call.
    if unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.seconds.unsigned_abs(), time.nanoseconds.unsigned_abs() as u32))
}

/// Memory of the process that is in use, 0 where the system does not say.
pub fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).map_or(0, |kib: usize| kib * 1024)
}

/// Memory straight from the system, which has it back when this is dropped: an allocator would keep it.
pub struct Mapping {
    at: NonNull<u8>,
    length: usize,
}

impl Mapping {
    pub fn new(length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at a place of the system's choice touches nobody's memory.
        let at = unsafe { mmap(ptr::null_mut(), length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) };
        // MAP_FAILED is -1.
        match NonNull::new(at.cast::<u8>()).filter(|at| at.as_ptr() as isize != -1) {
            Some(at) => {
                // SAFETY: the mapping is ours. Where there are no huge pages, it costs more processor time to touch.
                unsafe { madvise(at.as_ptr().cast(), length, MADV_HUGEPAGE) };
                Ok(Self { at, length })
            }
            None => Err(io::Error::last_os_error()),
        }
    }

    /// Makes all of it resident.
    pub fn touch(&mut self) {
        for offset in (0..self.length).step_by(PAGE_BYTES) {
            // SAFETY: within the mapping, which nobody else knows.
            unsafe { self.at.add(offset).write_volatile(1) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { munmap(self.at.as_ptr().cast(), self.length) };
    }
}
