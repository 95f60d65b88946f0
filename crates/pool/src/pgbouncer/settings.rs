//! Every setting of PgBouncer 1.25: its default, what it may be, whether it changes while running, and what it becomes.
//! Reading, SHOW CONFIG and SET follow from this one table.

use std::time::Duration;

use super::draft::Draft;
use super::value::{Shape, Value, duration};
use super::{listen, methods, tls};
use crate::config::{Auth, Config, PoolMode};
use crate::lines::Fault;

/// One setting.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// As PgBouncer's documentation gives it; `None` for one that is not set.
    pub(super) default: Option<&'static str>,
    /// Whether RELOAD and SET change it.
    pub(super) changeable: bool,
    pub(super) effect: Effect,
}

/// What a setting becomes.
pub(super) enum Effect {
    Flag(fn(&mut Draft<'_>, bool)),
    Count(i64, i64, fn(&mut Draft<'_>, usize)),
    Seconds(fn(&mut Draft<'_>, Duration)),
    Text(fn(&mut Draft<'_>, &str) -> Result<(), Fault>),
    Choice(&'static [&'static str], fn(&mut Draft<'_>, &str) -> Result<(), Fault>),
    /// Understood and without effect, because …
    Nothing(Shape, &'static str),
    /// Only its default is possible, because …; and what to do.
    Refused(&'static str, &'static str),
}

use Effect::{Choice, Count, Flag, Nothing, Refused, Seconds, Text};

const MAX: i64 = i64::MAX;
const SSLMODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const FACILITIES: &[&str] = &[
    "auth", "authpriv", "daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
];

const OWN_BUFFERS: &str = "buffers are taken when there is something to read, and only then";
const OWN_CIPHERS: &str = "the ciphers are those of the TLS library, all of them strong";
const OWN_DNS: &str = "names are looked up for each new server connection, by the system's resolver";
const WINDOWS: &str = "it names a service of Windows";

/// In the order of SHOW CONFIG.
pub(super) const SETTINGS: &[Setting] = &[
    set("admin_users", Some(""), Text(|d, v| list(&mut d.config.admin_users, v))),
    set("application_name_add_host", Some("0"), Flag(|d, v| d.config.application_name_add_host = v)),
    set("auth_dbname", None, Text(|d, v| name(&mut d.config.auth.query_database, v))),
    set("auth_file", None, Text(|d, v| path(d, v, |c| &mut c.auth.users))),
    set("auth_hba_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.auth.hba))),
    set("auth_ident_file", None, Text(|d, v| path(d, v, |c| &mut c.auth.ident))),
    set(
        "auth_ldap_options",
        None,
        Refused(
            "there is no LDAP here: passwords are not passed on to a directory",
            "use auth_query or auth_file",
        ),
    ),
    set("auth_query", Some(Auth::QUERY), Text(|d, v| text(&mut d.config.auth.query, v))),
    set("auth_type", Some("md5"), Choice(methods::AUTH_TYPES, methods::set)),
    set("auth_user", None, Text(|d, v| name(&mut d.config.auth.query_user, v))),
    set("autodb_idle_timeout", Some("3600"), Seconds(|d, v| d.config.timeouts.autodb_idle = v.into())),
    set("cancel_wait_timeout", Some("10"), Seconds(|d, v| d.config.timeouts.cancel_wait = v.into())),
    set("client_idle_timeout", Some("0"), Seconds(|d, v| d.config.timeouts.client_idle = v.into())),
    set("client_login_timeout", Some("60"), Seconds(|d, v| d.config.timeouts.client_login = v.into())),
    set("client_tls13_ciphers", None, Nothing(Shape::Text, OWN_CIPHERS)),
    set("client_tls_ca_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.tls.ca))),
    set("client_tls_cert_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.tls.cert))),
    set("client_tls_ciphers", Some("default"), Nothing(Shape::Text, OWN_CIPHERS)),
    set(
        "client_tls_dheparams",
        Some("auto"),
        Nothing(Shape::Text, "keys are exchanged over elliptic curves alone"),
    ),
    set(
        "client_tls_ecdhcurve",
        Some("auto"),
        Nothing(Shape::Text, "the curves are those of the TLS library"),
    ),
    set("client_tls_key_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.tls.key))),
    set("client_tls_protocols", Some("secure"), Text(tls::set_client_protocols)),
    set("client_tls_sslmode", Some("disable"), Choice(SSLMODES, tls::set_client_mode)),
    set("conffile", None, Text(listen::set_conffile)),
    set("default_pool_size", Some("20"), Count(1, MAX, |d, v| d.config.pool_size = v)),
    fixed("disable_pqexec", Some("0"), Flag(|d, v| d.config.disable_simple_query = v)),
    set("dns_max_ttl", Some("15"), Nothing(Shape::Seconds, OWN_DNS)),
    set("dns_nxdomain_ttl", Some("15"), Nothing(Shape::Seconds, OWN_DNS)),
    set("dns_zone_check_period", Some("0"), Nothing(Shape::Seconds, OWN_DNS)),
    set("idle_transaction_timeout", Some("0"), Seconds(|d, v| d.config.timeouts.idle_transaction = v.into())),
    set("ignore_startup_parameters", Some(""), Text(|d, v| list(&mut d.config.ignore_startup_parameters, v))),
    fixed("job_name", Some("pgbouncer"), Nothing(Shape::Text, WINDOWS)),
    fixed("listen_addr", Some(""), Text(|d, v| list(&mut d.listen_addr, v))),
    fixed(
        "listen_backlog",
        Some("128"),
        Nothing(Shape::Count(1..=MAX), "as many connections may wait to be accepted as the system allows"),
    ),
    fixed("listen_port", Some("6432"), Count(1, 65_535, |d, v| d.process.listen_port = v as u16)),
    set("log_connections", Some("1"), Flag(|d, v| d.config.log.connections = v)),
    set("log_disconnections", Some("1"), Flag(|d, v| d.config.log.disconnections = v)),
    set("log_pooler_errors", Some("1"), Flag(|d, v| d.config.log.pooler_errors = v)),
    set("log_stats", Some("1"), Flag(|d, v| d.log_stats = v)),
    set("logfile", Some(""), Text(|d, v| d.file(v).map(|file| d.process.logfile = file))),
    set("max_client_conn", Some("100"), Count(1, MAX, |d, v| d.config.max_clients = v)),
    set("max_db_client_connections", Some("0"), Count(0, MAX, |d, v| d.config.max_db_client_connections = v)),
    set("max_db_connections", Some("0"), Count(0, MAX, |d, v| d.config.max_db_connections = v)),
    set("max_packet_size", Some("2147483647"), Count(1_024, u32::MAX as i64, listen::set_max_message)),
    set("max_prepared_statements", Some("200"), Count(0, MAX, |d, v| d.config.max_prepared_statements = v)),
    set(
        "max_user_client_connections",
        Some("0"),
        Count(0, MAX, |d, v| d.config.max_user_client_connections = v),
    ),
    set("max_user_connections", Some("0"), Count(0, MAX, |d, v| d.config.max_user_connections = v)),
    set("min_pool_size", Some("0"), Count(0, MAX, |d, v| d.config.min_pool_size = v)),
    set(
        "peer_id",
        Some("0"),
        Refused(
            "one process serves on all cores and cancels its own queries, so there are no peers to name",
            "start one process in place of the group, and remove peer_id and [peers]",
        ),
    ),
    fixed("pidfile", Some(""), Text(|d, v| d.file(v).map(|file| d.process.pidfile = file))),
    fixed("pkt_buf", Some("4096"), Nothing(Shape::Count(1..=MAX), OWN_BUFFERS)),
    set(
        "pool_mode",
        Some("session"),
        Choice(methods::POOL_MODES, |d, v| mode(v).map(|mode| d.config.mode = mode)),
    ),
    set("query_timeout", Some("0"), Seconds(|d, v| d.config.timeouts.query = v.into())),
    set("query_wait_notify", Some("5"), Count(0, 1 << 31, |d, v| d.config.timeouts.wait_notify = seconds(v))),
    set("query_wait_timeout", Some("120"), Seconds(|d, v| d.config.timeouts.max_wait = v.into())),
    set("reserve_pool_size", Some("0"), Count(0, MAX, |d, v| d.config.reserve_pool_size = v)),
    set("reserve_pool_timeout", Some("5"), Seconds(|d, v| d.config.timeouts.reserve_pool = v.into())),
    fixed(
        "resolv_conf",
        Some(""),
        Refused(
            "names are looked up by the system's resolver alone",
            "write the name servers into /etc/resolv.conf",
        ),
    ),
    set(
        "sbuf_loopcnt",
        Some("5"),
        Nothing(Shape::Count(0..=MAX), "a busy connection gives way to others by itself"),
    ),
    set(
        "scram_iterations",
        Some("4096"),
        Count(1, 1 << 31, |d, v| d.config.auth.scram_iterations = v as u32),
    ),
    set("server_check_delay", Some("30"), Seconds(|d, v| d.config.timeouts.server_check = at_once(v))),
    set("server_check_query", Some("<empty>"), Text(|d, v| text(&mut d.check_query, v))),
    set("server_connect_timeout", Some("15"), Seconds(|d, v| d.config.timeouts.server_connect = v.into())),
    set("server_fast_close", Some("0"), Flag(|d, v| d.config.fast_close = v)),
    set("server_idle_timeout", Some("600"), Seconds(|d, v| d.config.timeouts.server_idle = v.into())),
    set("server_lifetime", Some("3600"), Seconds(|d, v| d.config.timeouts.server_lifetime = at_once(v))),
    set("server_login_retry", Some("15"), Seconds(|d, v| d.config.timeouts.server_login_retry = v.into())),
    set("server_reset_query", Some("DISCARD ALL"), Text(|d, v| text(&mut d.config.reset_query, v))),
    set("server_reset_query_always", Some("0"), Flag(|d, v| d.config.reset_query_always = v)),
    set("server_round_robin", Some("0"), Flag(|d, v| d.config.round_robin = v)),
    set("server_tls13_ciphers", None, Nothing(Shape::Text, OWN_CIPHERS)),
    set("server_tls_ca_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.server_tls.ca))),
    set("server_tls_cert_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.server_tls.cert))),
    set("server_tls_ciphers", Some("default"), Nothing(Shape::Text, OWN_CIPHERS)),
    set("server_tls_key_file", Some(""), Text(|d, v| path(d, v, |c| &mut c.server_tls.key))),
    set("server_tls_protocols", Some("secure"), Text(tls::set_server_protocols)),
    set("server_tls_sslmode", Some("prefer"), Choice(SSLMODES, tls::set_server_mode)),
    fixed("so_reuseport", Some("0"), Flag(|d, v| d.config.share_addresses = v)),
    set(
        "stats_period",
        Some("60"),
        Count(1, 1 << 31, |d, v| d.process.stats_period = Duration::from_secs(v as u64)),
    ),
    set("stats_users", Some(""), Text(|d, v| list(&mut d.config.stats_users, v))),
    set("suspend_timeout", Some("10"), Seconds(|d, v| d.config.timeouts.suspend = v.into())),
    set("syslog", Some("0"), Flag(|d, v| d.syslog = v)),
    set("syslog_facility", Some("daemon"), Choice(FACILITIES, |d, v| text(&mut d.syslog_to.facility, v))),
    set("syslog_ident", Some("pgbouncer"), Text(|d, v| text(&mut d.syslog_to.ident, v))),
    set(
        "tcp_defer_accept",
        Some("1"),
        Nothing(
            Shape::Count(0..=MAX),
            "a client that sends nothing costs little until client_login_timeout ends it",
        ),
    ),
    set("tcp_keepalive", Some("1"), Flag(|d, v| d.config.tcp_keepalive.enabled = v)),
    set("tcp_keepcnt", Some("0"), Count(0, 127, |d, v| d.config.tcp_keepalive.probes = v as u32)),
    set("tcp_keepidle", Some("0"), Count(0, 32_767, |d, v| d.config.tcp_keepalive.idle = seconds(v))),
    set("tcp_keepintvl", Some("0"), Count(0, 32_767, |d, v| d.config.tcp_keepalive.interval = seconds(v))),
    set(
        "tcp_socket_buffer",
        Some("0"),
        Nothing(Shape::Count(0..=MAX), "the system sizes each connection's buffers by what passes"),
    ),
    set("tcp_user_timeout", Some("0"), Count(0, 1 << 31, listen::set_user_timeout)),
    fixed(
        "track_extra_parameters",
        Some("IntervalStyle"),
        Nothing(
            Shape::Text,
            "every setting a client makes is kept for it, whether or not the server reports it",
        ),
    ),
    set("transaction_timeout", Some("0"), Seconds(|d, v| d.config.timeouts.transaction = v.into())),
    fixed("unix_socket_dir", Some("/tmp"), Text(listen::set_socket_directory)),
    fixed("unix_socket_group", Some(""), Text(|d, v| name(&mut d.config.unix_socket_group, v))),
    fixed(
        "unix_socket_mode",
        Some("0777"),
        Count(0, 0o777, |d, v| d.config.unix_socket_mode = format!("{v:04o}")),
    ),
    fixed("user", None, Text(|d, v| name(&mut d.process.user, v))),
    set("verbose", None, Count(0, MAX, |d, v| d.process.verbose = v.min(3) as u8)),
];

/// Settings of PgBouncer's that are no settings of 1.25 on this system, and what to say to them.
pub(super) const OTHERS: &[(&str, &str)] = &[
    ("auth_pam_confdir", "it is one of PgBouncer 1.26, and there is no PAM here"),
    ("login_notify_message", "it is one of PgBouncer 1.26"),
    ("pool_idle_timeout", "it is one of PgBouncer 1.26"),
    ("service_name", WINDOWS),
];

const fn set(name: &'static str, default: Option<&'static str>, effect: Effect) -> Setting {
    Setting { name, default, changeable: true, effect }
}

const fn fixed(name: &'static str, default: Option<&'static str>, effect: Effect) -> Setting {
    Setting { name, default, changeable: false, effect }
}

impl Setting {
    /// The setting of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.binary_search_by_key(&name, |setting| setting.name).ok().map(|index| &SETTINGS[index])
    }

    pub(super) fn shape(&self) -> Shape {
        match &self.effect {
            Flag(_) => Shape::Flag,
            Count(from, to, _) => Shape::Count(*from..=*to),
            Seconds(_) => Shape::Seconds,
            Text(_) => Shape::Text,
            Choice(names, _) => Shape::Choice(names),
            Nothing(shape, _) => shape.clone(),
            Refused(..) => Shape::Text,
        }
    }

    /// Reads a value; one that is refused is refused here.
    pub(super) fn read(&self, text: &str) -> Result<Value, Fault> {
        match self.effect {
            Refused(why, fix) if text != self.default.unwrap_or_default() => {
                Err(Fault::new(format!("`{}` is not supported: {why}", self.name)).fix(fix))
            }
            _ => self.shape().read(text),
        }
    }

    /// Writes a value into the configuration.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, value: &Value) -> Result<(), Fault> {
        match (&self.effect, value) {
            (Flag(set), Value::Flag(on)) => set(draft, *on),
            (Count(_, _, set), Value::Count(number)) => {
                set(draft, usize::try_from(*number).unwrap_or(usize::MAX));
            }
            (Seconds(set), Value::Seconds(seconds)) => set(draft, duration(*seconds)),
            (Text(set), Value::Text(text)) => set(draft, text)?,
            (Choice(_, set), Value::Choice(choice)) => set(draft, choice)?,
            _ => {}
        }
        Ok(())
    }
}

pub(super) fn mode(name: &str) -> Result<PoolMode, Fault> {
    match name {
        "session" => Ok(PoolMode::Session),
        "transaction" => Ok(PoolMode::Transaction),
        "statement" => Ok(PoolMode::Statement),
        other => Err(Fault::new(format!("`{other}` is not a pool mode"))
            .fix("write session, transaction or statement")),
    }
}

/// Zero means "at once" to PgBouncer in some places, and "never" here; the shortest time that is not zero is at once.
pub(super) fn at_once(time: Duration) -> deepwater_core::config::Duration {
    time.max(Duration::from_micros(1)).into()
}

fn seconds(number: usize) -> deepwater_core::config::Duration {
    deepwater_core::config::Duration::from_secs(number as u64)
}

/// Names separated by commas.
fn list(slot: &mut Vec<String>, text: &str) -> Result<(), Fault> {
    *slot = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(())
}

fn text(slot: &mut String, text: &str) -> Result<(), Fault> {
    text.clone_into(slot);
    Ok(())
}

/// Empty is the same as not set.
fn name(slot: &mut Option<String>, text: &str) -> Result<(), Fault> {
    *slot = (!text.is_empty()).then(|| text.to_owned());
    Ok(())
}

fn path(
    draft: &mut Draft<'_>,
    text: &str,
    slot: fn(&mut Config) -> &mut Option<String>,
) -> Result<(), Fault> {
    let file = draft.file(text)?.map(|file| file.display().to_string());
    *slot(&mut draft.config) = file;
    Ok(())
}
