//! Placeholder while the log is written.
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use crate::config;
use crate::head::Version;
#[derive(Clone)]
pub struct AccessLog;
impl AccessLog {
    pub fn open(_c: &config::AccessLog, _d: &Path) -> io::Result<Self> { Ok(Self) }
    pub fn buffer(&self) -> LogBuffer { LogBuffer }
}
pub struct LogBuffer;
impl LogBuffer {
    pub fn is_off(&self) -> bool { true }
    pub fn record(&mut self, _e: &Entry<'_>) {}
    pub fn flush(&mut self) {}
}
#[allow(dead_code)]
pub struct Entry<'a> {
    pub client_ip: IpAddr, pub method: &'a str, pub target: &'a [u8], pub version: Version, pub status: u16,
    pub sent_bytes: u64, pub received_bytes: u64, pub duration: Duration, pub upstream_duration: Option<Duration>,
    pub upstream: Option<&'a str>, pub route: &'a str, pub host: &'a [u8], pub user_agent: &'a [u8], pub referer: &'a [u8],
    pub request_id: &'a [u8], pub trace_id: &'a [u8], pub error: Option<&'a str>,
}
