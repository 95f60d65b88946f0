//! What the demonstration may do to an instance: make it slow, make it ill, make it fail.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// The longest latency an operator can inflict.
pub(crate) const MAX_LATENCY: Duration = Duration::from_secs(60);

/// The instance's hidden switches.
pub(crate) struct Controls {
    token: Option<String>,
    latency_ms: AtomicU64,
    unhealthy: AtomicBool,
    failing: AtomicBool,
}

impl Controls {
    pub(crate) fn new(token: Option<String>) -> Self {
        Self {
            token,
            latency_ms: AtomicU64::new(0),
            unhealthy: AtomicBool::new(false),
            failing: AtomicBool::new(false),
        }
    }

    /// Whether a caller at `peer` who presents `token` may touch the controls: only from this machine, and only
    /// with the token when one is set.
    pub(crate) fn admit(&self, peer: IpAddr, token: Option<&[u8]>) -> bool {
        let known = match (&self.token, token) {
            (None, _) => true,
            (Some(expected), Some(given)) => verify_slices_are_equal(expected.as_bytes(), given).is_ok(),
            (Some(_), None) => false,
        };
        known && peer.to_canonical().is_loopback()
    }

    /// Latency added to every request.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        let ms = latency.min(MAX_LATENCY).as_millis();
        self.latency_ms.store(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the health check is told to fail.
    pub(crate) fn unhealthy(&self) -> bool {
        self.unhealthy.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unhealthy(&self, unhealthy: bool) {
        self.unhealthy.store(unhealthy, Ordering::Relaxed);
    }

    /// Whether every request is to fail, but for the health check.
    pub(crate) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controls_are_for_this_machine_and_those_who_know_the_token() {
        let here: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();

        let open = Controls::new(None);
        assert!(open.admit(here, None));
        assert!(!open.admit(elsewhere, None));

        let locked = Controls::new(Some("token".into()));
        assert!(locked.admit(here, Some(b"token")));
        assert!(!locked.admit(here, Some(b"other")));
        assert!(!locked.admit(here, None));
        assert!(!locked.admit(elsewhere, Some(b"token")));
    }
}
