//! Parsers in the form fuzz targets use them.

use std::path::Path;

use crate::diag::{Messages, TcpInfo};
use crate::{cgroup, cpu, memory, network, pressure, process, sockets};

/// Reads a text as every file of the kernel there is.
pub fn every_file(text: &str) {
    let _ = (cpu::stat(text), cpu::loadavg(text), memory::meminfo(text), memory::vmstat(text));
    let _ = (pressure::parse(text), network::devices(text), network::sockstat(text));
    let _ =
        (network::softnet(text), network::port_range(text), process::schedstat(text), cgroup::limit(text));
    let mut counters = network::TcpCounters::default();
    let _ = (network::snmp(text, &mut counters), network::netstat(text, &mut counters));
    let _ = (process::limit(text), process::proportional(text), crate::text::list_length(text));
}

/// Reads a line as a process and as a socket.
pub fn lines(bytes: &[u8]) {
    let _ = (process::Stat::parse(bytes), sockets::entry(bytes));
    let _ = std::str::from_utf8(bytes).map(crate::finder::socket_inode);
}

/// The directories of a control group; none leaves the root.
pub fn control_group(cgroup: &str, mountinfo: &str) -> Vec<std::path::PathBuf> {
    cgroup::locate("memory", cgroup, mountinfo, Path::new("/fixture"))
        .map_or_else(Vec::new, |place| place.levels)
}

/// Reads answers of the kernel; gives how many there were.
pub fn netlink(bytes: &[u8]) -> usize {
    let mut answers = 0;
    for message in Messages::new(bytes) {
        answers += 1;
        let _ = message.answer().map(|answer| {
            let answer = answer?;
            Some((answer.entry(), TcpInfo::parse(answer.info?)))
        });
    }
    answers
}
