//! What is measured, by name: the vocabulary of `/api/signals`.

use serde::Serialize;

/// One kind of measurement. Values of equal name are told apart by a label: a route, a pool, a table.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// Such as `pool.busy`.
    pub name: &'static str,
    /// What one is one of.
    pub unit: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
}

macro_rules! signals {
    ($($constant:ident = $name:literal, $unit:literal, $about:literal;)*) => {
        $(pub(crate) const $constant: Signal = Signal { name: $name, unit: $unit, about: $about };)*
        /// All there are.
        pub const ALL: &[Signal] = &[$($constant),*];
    };
}

signals! {
    REQUESTS = "traffic.requests", "requests per second", "Requests answered, in all and by route.";
    ERRORS = "traffic.errors", "requests per second", "Requests answered with 5xx, in all and by route.";
    FAILURES = "traffic.failures", "requests per second", "Requests answered with 5xx by Deepwater itself, for want of an answer of the application, by reason (RFC 9209).";
    ANSWERS = "traffic.answers", "requests per second", "Requests answered with another status than 5xx, by class of status.";
    LATENCY = "traffic.latency", "seconds", "Mean time to answer, in all and by route.";
    LATENCY_P50 = "traffic.latency_p50", "seconds", "Time in which half were answered, in all.";
    LATENCY_P95 = "traffic.latency_p95", "seconds", "Time in which 95 % were answered, in all and by route.";
    LATENCY_P99 = "traffic.latency_p99", "seconds", "Time in which 99 % were answered, in all.";
    IN_FLIGHT = "traffic.in_flight", "requests", "Requests under way, in all and by route.";
    DENIED = "traffic.denied", "requests per second", "Requests answered with 401 or 403, by route.";
    SENT = "traffic.sent", "bytes per second", "Bytes of bodies sent to clients.";
    RECEIVED = "traffic.received", "bytes per second", "Bytes of bodies received from clients.";
    CONNECTIONS = "traffic.connections", "connections", "Client connections open.";

    UPSTREAM_BUSY = "application.busy", "requests", "Requests with the application on average, by pool of targets.";
    UPSTREAM_ACTIVE = "application.in_flight", "requests", "Requests with the application at the moment, as far as they are told apart, by pool of targets.";
    UPSTREAM_RATE = "application.requests", "requests per second", "Requests the application answered, by pool of targets.";
    UPSTREAM_SECONDS = "application.latency", "seconds", "Mean time until the application began to answer, by pool of targets.";
    UPSTREAM_LIMIT = "application.limit", "requests", "Requests that may be with the application at once, by pool of targets.";
    UPSTREAM_WAITING = "application.waiting", "requests", "Requests in the waiting room on average, by pool of targets.";
    SHED = "application.shed", "requests per second", "Requests refused because the application had enough, by pool of targets.";

    POOL_BUSY = "pool.busy", "connections", "Server connections in use on average, by database and user.";
    POOL_ACTIVE = "pool.active", "connections", "Server connections in use at the moment, by database and user.";
    POOL_SIZE = "pool.size", "connections", "Server connections there may be, by database and user.";
    POOL_RATE = "pool.assignments", "assignments per second", "Server connections handed to clients, by database and user.";
    POOL_HOLD = "pool.hold", "seconds", "Mean time a server connection was kept, by database and user.";
    POOL_HOLD_VARIATION = "pool.hold_variation", "ratio", "Variance of that time over the square of its mean, by database and user.";
    POOL_WAITING = "pool.waiting", "clients", "Clients waiting for a server connection on average, by database and user.";
    POOL_QUEUE = "pool.queue", "clients", "Clients waiting for a server connection at the moment, by database and user.";
    POOL_LONGEST_WAIT = "pool.longest_wait", "seconds", "How long the first of them has waited, by database and user.";
    POOL_WAIT = "pool.wait", "seconds", "Mean wait for a server connection, by database and user.";
    POOL_WAIT_P95 = "pool.wait_p95", "seconds", "Wait that 95 % of clients did not pass, by database and user.";
    POOL_REFUSED = "pool.refused", "queries per second", "Queries refused for want of a server connection, by database and user.";
    QUERIES = "pool.queries", "queries per second", "Queries answered, by database and user.";
    TRANSACTIONS = "pool.transactions", "transactions per second", "Transactions ended, by database and user.";
    SERVER_PARSES = "pool.server_parses", "statements per second", "Statements that servers read and planned, by database and user.";
    REPEATED_PARSES = "pool.repeated_parses", "statements per second", "Statements without a name whose text had come before, by database and user.";
    PINS = "pool.pins", "pins per second", "Times a client kept its server connection between transactions, by database and user.";

    CACHE_ANSWERS = "cache.answers", "requests per second", "Requests on routes that cache, by route.";
    CACHE_HITS = "cache.hits", "ratio", "Share of them answered without the application, by route.";
    CACHE_FETCHES = "cache.fetches", "requests per second", "Requests to the application that fill the cache, by route.";
    REPEATS = "cache.repeats", "requests per second", "Requests for what had been asked for in the minute before, by route that does not cache.";
    STORABLE = "cache.storable", "ratio", "Share of them whose answers state a lifetime of a minute or more, by route.";
    STORABLE_WITH_LIFETIME = "cache.storable_with_lifetime", "ratio", "Share of them whose answers state none and may be given one, by route.";
    CACHE_BYTES = "cache.bytes", "bytes", "Bytes stored.";
    CACHE_EVICTED = "cache.evicted", "objects per second", "Objects that made room for others.";

    CPU_BUSY = "cpu.busy", "cores", "Cores at work.";
    CPU_CORES = "cpu.cores", "cores", "Cores there are to use: of the machine, less what a quota forbids.";
    CPU_PRESSURE = "cpu.pressure", "ratio", "Share of the time in which something waited for a core (PSI).";
    CPU_STEAL = "cpu.steal", "cores", "Cores that the hypervisor gave to others.";
    CPU_THROTTLED = "cpu.throttled", "ratio", "Share of the time in which a quota held the group back.";

    APP_CPU = "application.cpu", "cores", "Cores used by the application's processes, by pool of targets.";
    APP_THREAD = "application.hottest_thread", "cores", "What its busiest thread uses of one core, by pool of targets.";
    APP_DELAY = "application.run_delay", "ratio", "Share of the time in which its threads waited for a core, by pool of targets.";
    APP_MEMORY = "application.memory", "bytes", "Resident memory of its processes, by pool of targets.";
    APP_THREADS = "application.threads", "threads", "Threads of its processes, by pool of targets.";

    MEMORY_USED = "memory.used", "bytes", "Memory that cannot be taken back without harm.";
    MEMORY_LIMIT = "memory.limit", "bytes", "Memory there is: the machine's, or the group's limit.";
    MEMORY_PRESSURE = "memory.pressure", "ratio", "Share of the time in which something waited for memory (PSI).";
    REFAULTS = "memory.refaults", "pages per second", "Pages read again that had just been dropped.";
    MAJOR_FAULTS = "memory.major_faults", "faults per second", "Page faults that had to read from disk.";
    SWAP_USED = "memory.swap_used", "bytes", "Swap in use.";
    OOM_KILLS = "memory.oom_kills", "kills per second", "Processes killed for want of memory.";

    NET_SENT = "network.sent", "bytes per second", "Bytes sent by the busiest network interface, the loopback apart.";
    NET_RECEIVED = "network.received", "bytes per second", "Bytes received by the busiest one.";
    NET_SPEED = "network.speed", "bytes per second", "What the link is good for, each way.";
    RETRANSMITS = "network.retransmits", "ratio", "Share of TCP segments that were sent again in the last minute, where a thousand or more were sent.";
    ROUND_TRIP = "network.round_trip", "seconds", "Median round trip to clients that are connected, as the kernel smooths it, by protocol. A balancer in front is the client.";
    ROUND_TRIP_P95 = "network.round_trip_p95", "seconds", "Round trip that 95 % of them do not pass, where there are twenty or more, by protocol.";
    RECEIVER_LIMITED = "network.receiver_limited", "ratio", "Share of the time with something to send in which clients did not read, in the ten seconds before, by protocol.";
    CLIENT_LOSS = "network.client_loss", "ratio", "Share of bytes to clients that were sent again, in the ten seconds before, by protocol.";
    ACCEPT_OVERFLOWS = "network.accept_overflows", "connections per second", "Connections that found an accept queue full.";
    SOFTNET_DROPS = "network.softnet_drops", "packets per second", "Packets dropped because the kernel was too busy.";
    DESCRIPTORS = "network.descriptors", "files", "Open files of this process.";
    DESCRIPTOR_LIMIT = "network.descriptor_limit", "files", "Files this process may have open.";
    PORTS_USED = "network.ports", "ports", "Local ports taken towards the busiest destination.";
    PORT_LIMIT = "network.port_limit", "ports", "Local ports there are for outgoing connections.";

    DISK_FREE = "disk.free", "bytes", "Free space where this process runs.";
    DISK_SIZE = "disk.size", "bytes", "Size of that file system.";
    IO_PRESSURE = "disk.pressure", "ratio", "Share of the time in which something waited for I/O (PSI).";

    DB_CONNECTIONS = "database.connections", "connections", "Client connections of the server, by database.";
    DB_CONNECTION_LIMIT = "database.connection_limit", "connections", "Client connections the server allows, by database.";
    DB_ACTIVE = "database.active", "sessions", "Sessions that run a statement, by database.";
    DB_IN_TRANSACTION = "database.idle_in_transaction", "sessions", "Sessions that idle in an open transaction, by database.";
    DB_CPU_WAIT = "database.on_cpu", "sessions", "Sessions that run and wait for nothing: they want a core, by database.";
    LOCK_WAITERS = "locks.waiters", "sessions", "Sessions that wait for a lock, by table.";
    LOCK_HOLDERS = "locks.holders", "sessions", "Sessions in a transaction that has written to a table and does not wait, by table.";
    LOCK_BLOCKERS = "locks.blockers", "sessions", "Sessions that others wait for, by table they have written to.";
    LOCK_QUEUE = "locks.queue", "sessions", "Sessions that wait for the same transaction, the most there are, by table.";
    LOCK_HOLD = "locks.hold", "seconds", "Time that locks are held for each row written, by table.";
    LOCK_RATE = "locks.writes", "rows per second", "Rows written, by table.";
    DEADLOCKS = "locks.deadlocks", "deadlocks per second", "Deadlocks that the server broke, by database.";
    TABLE_BYTES = "database.table_size", "bytes", "Size of the largest tables without their indexes, by table.";
    SCANS = "database.scans", "scans per second", "Scans of the largest tables that are not partitioned, by table and the column that the index begins with; in parentheses those by none.";
    REPLICA_LAG = "database.replica_lag", "seconds", "How far the slowest replica is behind, by database.";

    LENS_COST = "lens.cpu", "cores", "What measuring costs.";
}

/// A signal in a file: its name.
pub(crate) mod by_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{ALL, Signal};

    pub(crate) fn serialize<S: Serializer>(signal: &Signal, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(signal.name)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<&'static Signal, D::Error> {
        let name = String::deserialize(from)?;
        let known = ALL.iter().find(|known| known.name == name);
        known.ok_or_else(|| D::Error::custom(format!("there is no signal named `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_say_what_they_count() {
        let mut names: Vec<_> = ALL.iter().map(|signal| signal.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|signal| signal.about.ends_with('.') && !signal.unit.is_empty()));
    }
}
