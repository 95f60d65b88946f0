//! What is shown, and what wakes somebody.

/// Panels under one heading.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: &'static [Panel],
}

/// One chart.
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// How to read it.
    pub(super) about: &'static str,
    pub(super) unit: Unit,
    pub(super) lines: &'static [Line],
}

/// One query; it may give many lines.
pub(super) struct Line {
    /// PromQL with the short cuts of [`expression`](super::expression).
    pub(super) query: &'static str,
    /// With labels in double braces.
    pub(super) legend: &'static str,
}

/// What a chart's axis counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Count,
    PerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    Share,
}

/// One rule.
pub(super) struct Alert {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// There is something to do.
    pub(super) when: When,
    /// For how long that has to be so: no blip wakes anybody.
    pub(super) lasting: &'static str,
    pub(super) summary: &'static str,
    /// What to do.
    pub(super) action: &'static str,
}

/// When a rule applies.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// While a query, with the short cuts of [`expression`](super::expression), gives something.
    Holds(&'static str),
    /// After one of these events, divided by `|`, was told.
    Told(&'static str),
}

/// Whom it wakes.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    /// Users notice: somebody is called.
    Page,
    /// It can wait for the morning.
    Ticket,
}

const fn line(legend: &'static str, query: &'static str) -> Line {
    Line { query, legend }
}

const fn panel(title: &'static str, unit: Unit, lines: &'static [Line], about: &'static str) -> Panel {
    Panel { title, about, unit, lines }
}

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

/// The dashboard, from what users notice down to what the process costs.
pub(super) const ROWS: &[Row] = &[
    Row {
        title: "What users notice",
        panels: &[
            panel(
                "Requests",
                Unit::PerSecond,
                &[line("{{status}}", "sum by (status) (rate(deepwater_edge_requests_total{@}[@]))")],
                "Answers by class of status.",
            ),
            panel(
                "Latency",
                Unit::Seconds,
                &[
                    line(
                        "p50",
                        "histogram_quantile(0.5, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                    ),
                    line(
                        "p95",
                        "histogram_quantile(0.95, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                    ),
                    line(
                        "p99",
                        "histogram_quantile(0.99, sum by (le) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@])))",
                    ),
                ],
                "From a request's head to its answer's end. Buckets double, so a quantile is up to a factor of two too high.",
            ),
            panel(
                "Failed requests",
                Unit::Share,
                &[line(
                    "{{route}}",
                    "sum by (route) (rate(deepwater_edge_requests_total{@,status=\"5xx\"}[@])) / sum by (route) (rate(deepwater_edge_requests_total{@}[@]))",
                )],
                "Share of answers with 5xx, by route.",
            ),
            panel(
                "Why requests failed",
                Unit::PerSecond,
                &[line(
                    "{{error}} ({{blame}})",
                    "sum by (error, blame) (rate(deepwater_edge_failures_total{@}[@]))",
                )],
                "Requests that Deepwater answered itself because something failed, and whose fault that was.",
            ),
            panel(
                "Slowest routes",
                Unit::Seconds,
                &[line(
                    "{{route}}",
                    "topk(10, histogram_quantile(0.95, sum by (le, route) (rate(deepwater_edge_request_duration_seconds_bucket{@}[@]))))",
                )],
                "The 95th percentile of the ten slowest routes.",
            ),
            panel(
                "Requests under way",
                Unit::Count,
                &[line("{{route}}", "sum by (route) (deepwater_edge_in_flight{@})")],
                "By route. Growing at a constant rate of requests: something behind has become slower.",
            ),
        ],
    },
    Row {
        title: "Scalability cliffs",
        panels: &[
            panel(
                "How near they are",
                Unit::Count,
                &[line("{{cliff}}", "max by (cliff) (deepwater_lens_cliff_level{@}) > 0")],
                "1 watch, 2 near, 3 over. Those that are far away are not drawn.",
            ),
            panel(
                "Load, and where it ends",
                Unit::PerSecond,
                &[
                    line("now", "sum(deepwater_lens_load{@})"),
                    line(
                        "{{cliff}}",
                        "bottomk(3, sum by (cliff) (deepwater_lens_cliff_load{@,bound=\"guess\"}))",
                    ),
                ],
                "The load now, and the three lowest loads at which something runs out. Of several processes both are added up.",
            ),
            panel(
                "The nearest, with its range",
                Unit::PerSecond,
                &[
                    line("from", "min(deepwater_lens_cliff_load{@,bound=\"low\"})"),
                    line("best guess", "min(deepwater_lens_cliff_load{@,bound=\"guess\"})"),
                    line("to", "min(deepwater_lens_cliff_load{@,bound=\"high\"})"),
                ],
                "Of one process. See /api/cliffs for the evidence.",
            ),
        ],
    },
    Row {
        title: "Events",
        panels: &[
            panel(
                "Warnings and errors",
                Unit::Count,
                &[line(
                    "{{event}}",
                    "sum by (event) (increase(deepwater_events_total{@,level=~\"warn|error\"}[@]))",
                )],
                "Each has its sentence in the log and in the console.",
            ),
            panel(
                "All events",
                Unit::Count,
                &[line("{{event}}", "sum by (event) (increase(deepwater_events_total{@}[@]))")],
                "What happened, in numbers.",
            ),
        ],
    },
    Row {
        title: "The application",
        panels: &[
            panel(
                "Time until it begins to answer",
                Unit::Seconds,
                &[
                    line(
                        "{{pool}} p50",
                        "histogram_quantile(0.5, sum by (le, pool) (rate(deepwater_edge_upstream_response_seconds_bucket{@}[@])))",
                    ),
                    line(
                        "{{pool}} p95",
                        "histogram_quantile(0.95, sum by (le, pool) (rate(deepwater_edge_upstream_response_seconds_bucket{@}[@])))",
                    ),
                ],
                "From choosing a target to its response head, by pool.",
            ),
            panel(
                "Targets that are up",
                Unit::Count,
                &[line("{{pool}}", "sum by (pool) (deepwater_upstream_target_up{@})")],
                "Healthy and not ejected.",
            ),
            panel(
                "Requests by target",
                Unit::PerSecond,
                &[line(
                    "{{pool}} {{address}}",
                    "sum by (pool, address) (rate(deepwater_upstream_target_requests_total{@}[@]))",
                )],
                "How the load is spread.",
            ),
            panel(
                "Failures by target",
                Unit::PerSecond,
                &[line(
                    "{{pool}} {{address}}",
                    "sum by (pool, address) (rate(deepwater_upstream_target_failures_total{@}[@]))",
                )],
                "One target alone: that target. All at once: what they share.",
            ),
            panel(
                "Concurrency against its limit",
                Unit::Count,
                &[
                    line("{{pool}} with it", "sum by (pool) (deepwater_edge_upstream_admitted{@})"),
                    line("{{pool}} limit", "sum by (pool) (deepwater_edge_upstream_concurrency_limit{@})"),
                    line("{{pool}} waiting", "sum by (pool) (deepwater_edge_upstream_waiting{@})"),
                ],
                "Of pools with `concurrency`: once `with it` meets the limit, requests wait.",
            ),
            panel(
                "Refused to protect it",
                Unit::PerSecond,
                &[
                    line(
                        "{{pool}} {{reason}}",
                        "sum by (pool, reason) (rate(deepwater_edge_upstream_shed_total{@}[@]))",
                    ),
                    line(
                        "{{route}} rate limit",
                        "sum by (route) (rate(deepwater_edge_rate_limited_total{@}[@])) > 0",
                    ),
                ],
                "Requests answered with 503 or 429 at once, so that the others are served.",
            ),
            panel(
                "Retries",
                Unit::PerSecond,
                &[line("{{pool}}", "sum by (pool) (rate(deepwater_edge_upstream_retries_total{@}[@]))")],
                "Requests sent again.",
            ),
            panel(
                "Connections to it",
                Unit::PerSecond,
                &[
                    line(
                        "{{pool}} opened",
                        "sum by (pool) (rate(deepwater_edge_upstream_connects_total{@}[@]))",
                    ),
                    line(
                        "{{pool}} reused",
                        "sum by (pool) (rate(deepwater_edge_upstream_reused_total{@}[@]))",
                    ),
                ],
                "Many opened: the application closes them too early.",
            ),
        ],
    },
    Row {
        title: "Cache",
        panels: &[
            panel(
                "Requests by result",
                Unit::PerSecond,
                &[line("{{result}}", "sum by (result) (rate(deepwater_cache_requests_total{@}[@]))")],
                "On routes that cache.",
            ),
            panel(
                "Answered without the application",
                Unit::Share,
                &[line(
                    "{{route}}",
                    "sum by (route) (rate(deepwater_cache_requests_total{@,result=~\"hit|stale|coalesced\"}[@])) / sum by (route) (rate(deepwater_cache_requests_total{@,result!=\"bypass\"}[@]))",
                )],
                "The hit rate, by route; requests that may not be cached left out.",
            ),
            panel("Memory", Unit::Bytes, &[line("stored", "sum(deepwater_cache_bytes{@})")], "Bytes stored."),
            panel(
                "Evictions and purges",
                Unit::PerSecond,
                &[
                    line("evicted", "sum(rate(deepwater_cache_evicted_total{@}[@]))"),
                    line("purged by {{kind}}", "sum by (kind) (rate(deepwater_cache_purges_total{@}[@]))"),
                ],
                "Many evictions: too little memory. Ask `deepwater cache size`.",
            ),
        ],
    },
    Row {
        title: "Database",
        panels: &[
            panel(
                "Server connections",
                Unit::Count,
                &[
                    line(
                        "{{database}} {{state}}",
                        "sum by (database, state) (deepwater_postgres_server_connections{@})",
                    ),
                    line("{{database}} size", "sum by (database) (deepwater_postgres_pool_size{@})"),
                ],
                "`active` at the size for long: the pool is the limit.",
            ),
            panel(
                "Waiting for one",
                Unit::Count,
                &[line("{{database}}", "sum by (database) (deepwater_postgres_waiting_clients{@})")],
                "Clients in the queue.",
            ),
            panel(
                "Wait for a connection",
                Unit::Seconds,
                &[
                    line(
                        "{{database}} p95",
                        "histogram_quantile(0.95, sum by (le, database) (rate(deepwater_postgres_wait_seconds_bucket{@}[@])))",
                    ),
                    line(
                        "{{database}} longest now",
                        "max by (database) (deepwater_postgres_longest_wait_seconds{@})",
                    ),
                ],
                "Of those who had to wait.",
            ),
            panel(
                "Time a connection is kept",
                Unit::Seconds,
                &[
                    line(
                        "{{database}} p50",
                        "histogram_quantile(0.5, sum by (le, database) (rate(deepwater_postgres_use_seconds_bucket{@}[@])))",
                    ),
                    line(
                        "{{database}} p95",
                        "histogram_quantile(0.95, sum by (le, database) (rate(deepwater_postgres_use_seconds_bucket{@}[@])))",
                    ),
                ],
                "Grows with slow queries and idle transactions.",
            ),
            panel(
                "Queries and transactions",
                Unit::PerSecond,
                &[
                    line(
                        "{{database}} queries",
                        "sum by (database) (rate(deepwater_postgres_queries_total{@}[@]))",
                    ),
                    line(
                        "{{database}} transactions",
                        "sum by (database) (rate(deepwater_postgres_transactions_total{@}[@]))",
                    ),
                ],
                "What the servers do.",
            ),
            panel(
                "Servers at work",
                Unit::Count,
                &[
                    line(
                        "{{database}} in queries",
                        "sum by (database) (rate(deepwater_postgres_query_seconds_total{@}[@]))",
                    ),
                    line(
                        "{{database}} in transactions",
                        "sum by (database) (rate(deepwater_postgres_transaction_seconds_total{@}[@]))",
                    ),
                ],
                "Connections busy on average. The difference of the two is time in transactions without a query.",
            ),
            panel(
                "Refused queries",
                Unit::PerSecond,
                &[line("{{database}}", "sum by (database) (rate(deepwater_postgres_refused_total{@}[@]))")],
                "Queries that got an error in place of a connection.",
            ),
            panel(
                "Pins",
                Unit::PerSecond,
                &[line(
                    "{{database}} {{reason}}",
                    "sum by (database, reason) (rate(deepwater_postgres_pins_total{@}[@]))",
                )],
                "Times a client kept its server connection between transactions, and why.",
            ),
        ],
    },
    Row {
        title: "Deepwater itself",
        panels: &[
            panel(
                "CPU",
                Unit::Count,
                &[line("{{instance}}", "rate(deepwater_process_cpu_seconds_total{@}[@])")],
                "Cores at work.",
            ),
            panel(
                "Memory of the process",
                Unit::Bytes,
                &[line("{{instance}}", "deepwater_process_resident_bytes{@}")],
                "Held in RAM, the cache included.",
            ),
            panel(
                "Connections and files",
                Unit::Count,
                &[
                    line("{{instance}} clients", "sum by (instance) (deepwater_edge_connections{@})"),
                    line("{{instance}} files", "deepwater_process_open_files{@}"),
                ],
                "Client connections, and all file descriptors.",
            ),
            panel(
                "Bytes from and to clients",
                Unit::BytesPerSecond,
                &[
                    line("received", "sum(rate(deepwater_edge_received_bytes_total{@}[@]))"),
                    line("sent", "sum(rate(deepwater_edge_sent_bytes_total{@}[@]))"),
                ],
                "Bodies of requests and answers.",
            ),
            panel(
                "Refused clients",
                Unit::PerSecond,
                &[
                    line(
                        "too many from one address",
                        "sum(rate(deepwater_edge_refused_connections_total{@}[@]))",
                    ),
                    line(
                        "HTTP/2 flood by {{kind}}",
                        "sum by (kind) (rate(deepwater_edge_http2_floods_total{@}[@]))",
                    ),
                    line(
                        "{{auth}} {{result}}",
                        "sum by (auth, result) (rate(deepwater_edge_auth_total{@,result!~\"accepted|anonymous\"}[@]))",
                    ),
                ],
                "Attackers, or clients that are configured wrongly.",
            ),
            panel(
                "Lost lines",
                Unit::PerSecond,
                &[
                    line("log", "sum(rate(deepwater_log_dropped_total{@}[@]))"),
                    line("access log", "sum(rate(deepwater_edge_access_log_dropped_total{@}[@]))"),
                ],
                "The log is slower than what is to be written. Counters are exact all the same.",
            ),
        ],
    },
];

/// The rules. Every event of level `error` has one, which a test checks.
pub(super) const ALERTS: &[Alert] = &[
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

/// Events of level `error` that need no rule of their own, since a metric says for how long it is so.
pub(super) const COVERED: &[(&str, &str)] = &[("pool_panic_entered", "DeepwaterPoolInPanic")];
