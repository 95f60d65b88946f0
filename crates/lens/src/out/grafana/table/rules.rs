//! What wakes somebody.

use super::{Alert, Severity, When};

const fn page(
    name: &'static str,
    lasting: &'static str,
    when: When,
    summary: &'static str,
    action: &'static str,
) -> Alert {
    Alert { name, severity: Severity::Page, when, lasting, summary, action }
}

const fn ticket(
    name: &'static str,
    lasting: &'static str,
    when: When,
    summary: &'static str,
    action: &'static str,
) -> Alert {
    Alert { name, severity: Severity::Ticket, when, lasting, summary, action }
}

/// The rules. Every event of level `error` has one, which a test checks.
pub(in crate::out::grafana) const ALERTS: &[Alert] = &[
    page(
        "DeepwaterRequestsFail",
        "2m",
        When::Holds(
            "sum by (route) (rate(deepwater_edge_requests_total{@,status=\"5xx\"}[@])) / sum by (route) (rate(deepwater_edge_requests_total{@}[@])) > 0.05 and sum by (route) (rate(deepwater_edge_requests_total{@}[@])) > 1",
        ),
        "{{ $value | humanizePercentage }} of the requests of {{ $labels.route }} fail",
        "See which errors and whose fault: deepwater_edge_failures_total, and /api/edge/pools for the targets.",
    ),
    page(
        "DeepwaterServiceFails",
        "0m",
        When::Told("service_failing"),
        "Hardly anything is answered on {{ $labels.instance }}, or with errors",
        "See /api/cliffs: its `trouble` names the application and the reason, as far as they are known.",
    ),
    page(
        "DeepwaterCliffReached",
        "0m",
        When::Told("cliff_reached"),
        "A scalability cliff has been reached on {{ $labels.instance }}",
        "See /api/cliffs which, and /api/advice what to do about it.",
    ),
    ticket(
        "DeepwaterCliffNear",
        "0m",
        When::Told("cliff_near"),
        "A scalability cliff has come near on {{ $labels.instance }}",
        "See /api/cliffs which, at which load it will be hit, and /api/advice what to do about it.",
    ),
    page(
        "DeepwaterPoolInPanic",
        "1m",
        When::Holds("max by (pool) (deepwater_upstream_pool_panic{@}) > 0"),
        "Nearly all targets of pool {{ $labels.pool }} are unavailable, so unavailable ones are used too",
        "See /api/edge/pools why the targets are unhealthy or ejected.",
    ),
    page(
        "DeepwaterNoTargetUp",
        "1m",
        When::Holds("sum by (pool) (deepwater_upstream_target_up{@}) == 0"),
        "Pool {{ $labels.pool }} has no target that is up",
        "Start the application, or mend its health check: /api/edge/pools tells what the check said.",
    ),
    ticket(
        "DeepwaterTargetDown",
        "10m",
        When::Holds("deepwater_upstream_target_up{@} == 0"),
        "Target {{ $labels.address }} of pool {{ $labels.pool }} is down",
        "See /api/edge/pools why; drain it if it is not to come back.",
    ),
    page(
        "DeepwaterSheds",
        "5m",
        When::Holds("sum by (pool) (rate(deepwater_edge_upstream_shed_total{@,reason!=\"left\"}[@])) > 1"),
        "Pool {{ $labels.pool }} is asked for more than it can do: {{ $value | humanize }} requests a second are refused",
        "Add servers, or find what is slow: deepwater_edge_upstream_response_seconds.",
    ),
    ticket(
        "DeepwaterBreakerOpens",
        "0m",
        When::Told("breaker_opened"),
        "A circuit breaker has opened on {{ $labels.instance }}",
        "See /api/edge/pools which, and the log for the reason.",
    ),
    page(
        "DeepwaterDatabaseRefuses",
        "2m",
        When::Holds("sum by (database) (rate(deepwater_postgres_refused_total{@}[@])) > 0"),
        "Queries of {{ $labels.database }} are refused for want of a server connection",
        "See /api/postgres/pools: a larger pool_size helps only while the server has idle cores; else shorten transactions.",
    ),
    ticket(
        "DeepwaterDatabaseQueue",
        "5m",
        When::Holds("max by (database) (deepwater_postgres_longest_wait_seconds{@}) > 1"),
        "Clients of {{ $labels.database }} wait longer than a second for a server connection",
        "See the panels of the database: time a connection is kept, and pins.",
    ),
    page(
        "DeepwaterIdempotencyStoreLost",
        "0m",
        When::Told("idempotency_store_lost"),
        "Idempotency keys cannot be looked up",
        "Bring back the Redis that [idempotency] names; idempotency_store_back tells when it is there.",
    ),
    page(
        "DeepwaterCertificateExpired",
        "0m",
        When::Told("certificate_expired"),
        "A certificate has expired",
        "Renew it; the changed file is taken up by itself. The log names the file.",
    ),
    ticket(
        "DeepwaterReloadRefused",
        "0m",
        When::Told("reload_refused|pool_reload_failed|certificate_rejected"),
        "A changed file was not taken up; what was in force still is",
        "The log says what is wrong with it; `deepwater check` does, too.",
    ),
    ticket(
        "DeepwaterUpgradeFailed",
        "0m",
        When::Told("upgrade_failed"),
        "The new process did not come up; the old one goes on",
        "The log gives the reason.",
    ),
    ticket(
        "DeepwaterFilesShort",
        "0m",
        When::Told("descriptors_short|accept_failed|pool_accept_failed"),
        "The system does not let the process open enough files",
        "Raise `ulimit -n`, or LimitNOFILE= of the service.",
    ),
    ticket(
        "DeepwaterKeysNotFetched",
        "15m",
        When::Holds(
            "sum by (auth) (increase(deepwater_edge_auth_key_fetches_total{@,result=\"failed\"}[@])) > 0 and sum by (auth) (increase(deepwater_edge_auth_key_fetches_total{@,result=\"fetched\"}[@])) == 0",
        ),
        "The keys of [auth.{{ $labels.auth }}] cannot be fetched",
        "The old ones count until `max_stale`; then all tokens are refused. Bring back the URL.",
    ),
    ticket(
        "DeepwaterCacheThrashes",
        "15m",
        When::Holds(
            "sum(rate(deepwater_cache_evicted_total{@}[@])) > 0.5 * sum(rate(deepwater_cache_fetches_total{@}[@])) and sum(rate(deepwater_cache_fetches_total{@}[@])) > 1",
        ),
        "Of two objects stored, one pushes another out",
        "Ask `deepwater cache size` how much memory would help.",
    ),
    ticket(
        "DeepwaterLogTooSlow",
        "5m",
        When::Holds(
            "sum by (instance) (rate(deepwater_log_dropped_total{@}[@])) > 0 or sum by (instance) (rate(deepwater_edge_access_log_dropped_total{@}[@])) > 0",
        ),
        "Lines of the log are lost on {{ $labels.instance }}",
        "Write the log to a faster place, or sample the access log.",
    ),
];
