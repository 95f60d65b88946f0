//! What is counted of each pool, thread by thread.

use deepwater_core::metrics::{Counter, Histogram, Registry};

use crate::ledger::PoolKey;

/// Names of the metrics, for whoever reads them back.
pub(crate) mod names {
    pub(crate) const QUERIES: &str = "deepwater_postgres_queries_total";
    pub(crate) const TRANSACTIONS: &str = "deepwater_postgres_transactions_total";
    pub(crate) const ASSIGNMENTS: &str = "deepwater_postgres_assignments_total";
    pub(crate) const RECEIVED: &str = "deepwater_postgres_received_bytes_total";
    pub(crate) const SENT: &str = "deepwater_postgres_sent_bytes_total";
    pub(crate) const WAIT: &str = "deepwater_postgres_wait_seconds";
    pub(crate) const USE: &str = "deepwater_postgres_use_seconds";
    pub(crate) const WAIT_MICROS: &str = "deepwater_postgres_waited_seconds_total";
    pub(crate) const QUERY_MICROS: &str = "deepwater_postgres_query_seconds_total";
    pub(crate) const TRANSACTION_MICROS: &str = "deepwater_postgres_transaction_seconds_total";
    pub(crate) const CLIENT_PARSES: &str = "deepwater_postgres_client_parses_total";
    pub(crate) const SERVER_PARSES: &str = "deepwater_postgres_server_parses_total";
    pub(crate) const REPEATED_PARSES: &str = "deepwater_postgres_repeated_parses_total";
    pub(crate) const BINDS: &str = "deepwater_postgres_binds_total";
    pub(crate) const REFUSED: &str = "deepwater_postgres_refused_total";
    pub(crate) const PINS: &str = "deepwater_postgres_pins_total";
    pub(crate) const HEALED: &str = "deepwater_postgres_healed_statements_total";
    pub(crate) const REPLAYS: &str = "deepwater_postgres_settings_replays_total";
}

/// Counters of one pool on one thread.
pub(crate) struct PoolMetrics {
    pub queries: Counter,
    pub transactions: Counter,
    pub assignments: Counter,
    pub received: Counter,
    pub sent: Counter,
    pub wait: Histogram,
    pub used: Histogram,
    pub wait_micros: Counter,
    pub query_micros: Counter,
    pub transaction_micros: Counter,
    pub client_parses: Counter,
    pub server_parses: Counter,
    pub repeated_parses: Counter,
    pub binds: Counter,
    pub refused: Counter,
    pub pins: [Counter; PINS.len()],
    pub healed: Counter,
    pub replays: Counter,
}

/// Why a client keeps its server between transactions. The position is the bit in a set of reasons.
pub(crate) const PINS: [&str; 8] =
    ["advisory_lock", "temp_table", "hold_cursor", "listen", "prepare", "unread_text", "load", "opaque_text"];

impl PoolMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry, key: &PoolKey) -> Self {
        let pool: [(&str, &str); 2] = [("database", &key.database), ("user", &key.user)];
        let counter = |name, help| registry.counter(name, help, &pool);
        let micros = |name, help| registry.counter_of_micros(name, help, &pool);
        let pin = |reason: &str| {
            let labels = [pool[0], pool[1], ("reason", reason)];
            registry.counter(
                names::PINS,
                "Times a client was pinned to its server connection, by reason.",
                &labels,
            )
        };
        Self {
            queries: counter(names::QUERIES, "Queries answered."),
            transactions: counter(names::TRANSACTIONS, "Transactions ended."),
            assignments: counter(names::ASSIGNMENTS, "Server connections handed to clients."),
            received: counter(names::RECEIVED, "Bytes received from clients."),
            sent: counter(names::SENT, "Bytes sent to clients."),
            wait: registry.histogram(names::WAIT, "Time clients waited for a server connection.", &pool),
            used: registry.histogram(names::USE, "Time clients kept a server connection.", &pool),
            wait_micros: micros(
                names::WAIT_MICROS,
                "Time clients waited for a server connection, summed up.",
            ),
            query_micros: micros(names::QUERY_MICROS, "Time servers were busy with queries, summed up."),
            transaction_micros: micros(
                names::TRANSACTION_MICROS,
                "Time server connections were in a transaction, summed up.",
            ),
            client_parses: counter(names::CLIENT_PARSES, "Statements that clients prepared."),
            server_parses: counter(names::SERVER_PARSES, "Statements prepared on servers."),
            repeated_parses: counter(
                names::REPEATED_PARSES,
                "Statements without a name whose text had come before: with auto_prepare servers need not prepare them again.",
            ),
            binds: counter(names::BINDS, "Prepared statements that clients ran."),
            refused: counter(names::REFUSED, "Queries refused because no server connection was to be had."),
            pins: PINS.map(pin),
            healed: counter(
                names::HEALED,
                "Prepared statements made anew after a migration or because the server had lost them.",
            ),
            replays: counter(names::REPLAYS, "Times a client's settings were set on a server connection."),
        }
    }
}
