//! What happens to targets and pools.

deepwater_core::event! {
    /// A target was left out because of how it served requests.
    pub struct TargetEjected { pool: String, target: String, address: String, reason: String, seconds: f64 }
    target_ejected: Warn, "target {target} of pool {pool} was ejected for {seconds:.1} s: {reason}"
}

deepwater_core::event! {
    /// An ejection ended.
    pub struct TargetReturned { pool: String, target: String, address: String }
    target_returned: Info, "target {target} of pool {pool} returned from ejection"
}

deepwater_core::event! {
    /// A target fails requests, and is used nevertheless: no other is left.
    pub struct TargetFailing { pool: String, target: String, address: String, reason: String }
    target_failing: Warn, "target {target} of pool {pool} fails, and there is no other to use: {reason}"
}

deepwater_core::event! {
    /// A target that failed requests answers again.
    pub struct TargetRecovered { pool: String, target: String, address: String }
    target_recovered: Info, "target {target} of pool {pool} answers again"
}

deepwater_core::event! {
    /// A target failed its checks.
    pub struct TargetUnhealthy { pool: String, target: String, address: String, reason: String }
    target_unhealthy: Warn, "target {target} of pool {pool} is unhealthy: {reason}"
}

deepwater_core::event! {
    /// A target passed its checks.
    pub struct TargetHealthy { pool: String, target: String, address: String }
    target_healthy: Info, "target {target} of pool {pool} is healthy"
}

deepwater_core::event! {
    /// A target takes no new requests, as asked.
    pub struct TargetDraining { pool: String, target: String, address: String, in_flight: u32 }
    target_draining: Info, "target {target} of pool {pool} is draining, {in_flight} requests in flight"
}

deepwater_core::event! {
    /// A drained target takes requests again, as asked.
    pub struct TargetUndrained { pool: String, target: String, address: String }
    target_undrained: Info, "target {target} of pool {pool} takes requests again"
}

deepwater_core::event! {
    /// So few targets are available that all are used, the unavailable too.
    pub struct PoolPanicEntered { pool: String, available: usize, targets: usize }
    pool_panic_entered: Error, "pool {pool} uses unavailable targets too: only {available} of {targets} are available"
}

deepwater_core::event! {
    /// Enough targets are available again.
    pub struct PoolPanicLeft { pool: String, available: usize, targets: usize }
    pool_panic_left: Info, "pool {pool} uses available targets only: {available} of {targets} are available"
}

deepwater_core::event! {
    /// A name has other addresses than before.
    pub struct DnsResolved { pool: String, name: String, addresses: String }
    dns_resolved: Info, "target {name} of pool {pool} resolved to {addresses}"
}

deepwater_core::event! {
    /// A name could not be resolved; the addresses known before stay in use.
    pub struct DnsFailed { pool: String, name: String, reason: String, retry_seconds: f64 }
    dns_failed: Warn, "target {name} of pool {pool} was not resolved, retrying in {retry_seconds:.0} s: {reason}"
}
