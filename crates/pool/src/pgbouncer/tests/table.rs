//! The table of settings itself.

use std::time::Duration;

use super::{loaded, problems, settings};
use crate::config::{Config, PoolMode, Timeouts};
use crate::pgbouncer::settings::SETTINGS;

#[test]
fn is_sorted_and_every_default_can_be_written() {
    assert!(
        SETTINGS.is_sorted_by(|a, b| a.name < b.name),
        "SHOW CONFIG is in this order, and names are looked up by it"
    );
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            let line = match setting.name {
                // Else nothing would be listened on.
                "listen_addr" => continue,
                _ => format!("{} = {default}", setting.name),
            };
            let read = loaded(&settings(&line));
            assert_eq!(read.config, loaded(&settings("")).config, "{line}");
            assert_eq!(read.notes, [], "{line}");
        }
    }
}

#[test]
fn defaults_are_pgbouncers() {
    let loaded = loaded(&settings(""));
    let config = &loaded.config;
    assert_eq!(config.listen.as_ref().unwrap().as_slice(), ["unix:/tmp/.s.PGSQL.6432"]);
    assert_eq!((config.mode, config.max_clients, config.pool_size), (PoolMode::Session, 100, 20));
    assert_eq!((config.max_waiting, config.max_prepared_statements), (0, 200));
    assert_eq!(config.auth.method, crate::config::AuthMethod::Md5);
    assert!(config.auth.plain_without_tls);
    assert!(config.log.connections && config.log.disconnections && config.log.pooler_errors);
    assert_eq!(config.log.stats_every.get(), Duration::from_secs(60));
    let seconds = deepwater_core::config::Duration::from_secs;
    let expected =
        Timeouts { max_wait: seconds(120), server_login_retry: seconds(15), ..Timeouts::default() };
    assert_eq!(config.timeouts, expected);
    assert_eq!(config.unix_socket_mode, Config::default().unix_socket_mode);
    assert_eq!(loaded.process.listen_port, 6432);
    assert_eq!(loaded.process.stats_period, Duration::from_secs(60));
}

#[test]
fn zero_means_what_it_means_to_pgbouncer() {
    let read = |lines: &str| loaded(&settings(lines)).config;
    let tiny =
        |time: deepwater_core::config::Duration| !time.is_zero() && time.get() < Duration::from_millis(1);
    assert!(tiny(read("server_lifetime = 0").timeouts.server_lifetime), "used once");
    assert!(tiny(read("server_check_delay = 0").timeouts.server_check), "always tested");
    assert!(read("server_check_query =").timeouts.server_check.is_zero(), "never tested");
    assert_eq!(read("server_check_query = select 1").check_query, "select 1");
    assert!(read("server_idle_timeout = 0").timeouts.server_idle.is_zero());
    let text = "[databases]\nd = host=h reserve_pool_size=3\n[users]\nu = reserve_pool_size=3\n\
                [pgbouncer]\nreserve_pool_size = 5\nreserve_pool_timeout = 0\n";
    let config = loaded(text).config;
    assert_eq!(
        (config.reserve_pool_size, config.databases["d"].reserve_pool_size),
        (0, None),
        "switched off"
    );
    assert_eq!(config.users["u"].reserve_pool_size, None);
}

#[test]
fn numbers_and_modes() {
    let config = loaded(&settings(
        "unix_socket_mode = 0750\ntcp_user_timeout = 1500\nquery_wait_notify = 7\nmax_packet_size = 0x10000",
    ))
    .config;
    assert_eq!(config.unix_socket_mode, "0750");
    assert_eq!(config.tcp_keepalive.user_timeout.get(), Duration::from_millis(1_500));
    assert_eq!(config.timeouts.wait_notify.get(), Duration::from_secs(7));
    assert_eq!(config.max_message_size.bytes(), 65_536);
    let process =
        loaded(&settings("syslog = 1\nsyslog_facility = LOCAL3\nsyslog_ident = pool\nverbose = 9")).process;
    let syslog = process.syslog.unwrap();
    assert_eq!((syslog.facility.as_str(), syslog.ident.as_str(), process.verbose), ("local3", "pool", 3));
}

#[test]
fn what_has_no_effect_is_noted_once_it_is_changed() {
    let loaded = loaded(&settings(
        "pkt_buf = 8192\nsbuf_loopcnt = 5\nclient_tls_ciphers = HIGH\nserver_tls_protocols = tlsv1.1,tlsv1.2",
    ));
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(
        notes.iter().any(|note| note.starts_with("pgbouncer.ini:3: pkt_buf: has no effect: ")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.ends_with("server_tls_protocols: TLS 1.3 is spoken too")),
        "{notes:?}"
    );
    assert!(!notes.iter().any(|note| note.contains("sbuf_loopcnt")), "{notes:?}");
}

#[test]
fn what_cannot_be_is_refused_by_name_with_the_reason() {
    for (line, says) in [
        ("auth_type = pam", "auth_type `pam` is not supported: it would need C code"),
        ("auth_type = ldap", "not passed on to a directory"),
        ("auth_type = kerberos", "write one of any, trust"),
        ("auth_ldap_options = ldapurl=x", "no LDAP"),
        ("peer_id = 1", "one process in place of the group"),
        ("resolv_conf = /etc/other", "/etc/resolv.conf"),
        ("login_notify_message = hi", "PgBouncer 1.26"),
        ("service_name = x", "Windows"),
        ("pool_moed = session", "or write pool_mode"),
        ("pool_mode = sesion", "nearest: session"),
        ("max_client_conn = 0", "from 1 on"),
        ("max_client_conn = many", "not a whole number"),
        ("query_timeout = 10s", "not a number of seconds"),
        ("log_stats = maybe", "neither 0 nor 1"),
        ("client_tls_sslmode = require", "set client_tls_cert_file"),
        ("client_tls_sslmode = verify-ca", "set client_tls_ca_file"),
        ("auth_type = cert", "client_tls_sslmode = verify-full"),
        ("auth_type = hba", "set auth_hba_file"),
        ("server_tls_protocols = tlsv1.0", "neither TLS 1.2 nor TLS 1.3"),
        ("listen_addr = 127.0.0.1:6432", "the port is listen_port"),
        ("default_pool_size = 0", "from 1 on"),
        ("unix_socket_mode = 01777", "from 0 to 511"),
        ("listen_port = 70000", "from 1 to 65535"),
        ("unix_socket_dir =", "nothing to listen on"),
        ("client_tls_protocols = sslv3", "not a TLS version"),
    ] {
        let text = problems(&settings(line));
        assert!(text.contains(says), "{line}: {text}");
        assert!(text.contains("fix: "), "{line}: {text}");
    }
    let text = problems("[peers]\n1 = host=/tmp\n2 = host=/tmp2\n[pgbouncer]\n");
    assert_eq!(text.matches("[peers]: peers are not supported").count(), 1, "{text}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = problems(
        "[databases]\npgbouncer = host=h\nshop = host=h colour=red\nweb = hunter2\nx = port=0\n\
         [users]\napp = pool_mode=none\n[nonsense]\nkey = value\n[pgbouncer]\nauth_type = pam\npeer_id = 1\nwhat is this\n",
    );
    // Lines that cannot be read come first; the rest is looked at once all can.
    assert!(text.contains("pgbouncer.ini:8: there is no section [nonsense]"), "{text}");
    assert!(text.contains("pgbouncer.ini:13: the line is neither"), "{text}");
    let text = problems(
        "[databases]\npgbouncer = host=h\nshop = host=h colour=red\nweb = hunter2\nx = port=0\n\
         [users]\napp = pool_mode=none\n[pgbouncer]\nauth_type = pam\npeer_id = 1\n",
    );
    for says in [
        "pgbouncer.ini:2: [databases] pgbouncer: ",
        "pgbouncer.ini:3: [databases] shop: there is no `colour`",
        "pgbouncer.ini:4: [databases] web: item 1 is not key=value",
        "pgbouncer.ini:5: [databases] x: `port` is not the number of a port",
        "pgbouncer.ini:7: [users] app: `none` is not a pool mode",
        "pgbouncer.ini:9: auth_type: ",
        "pgbouncer.ini:10: peer_id: ",
    ] {
        assert!(text.contains(says), "{says}\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_password_in_the_wrong_place_is_not_quoted() {
    for key in ["pool_size", "port", "server_lifetime", "max_db_connections"] {
        let text = problems(&format!("[databases]\nshop = host=h {key}=hunter2\n[pgbouncer]\n"));
        assert!(text.contains(&format!("`{key}` is not")) && !text.contains("hunter2"), "{text}");
    }
    for key in ["pool_size", "query_timeout", "client_idle_timeout"] {
        let text = problems(&format!("[users]\napp = {key}=hunter2\n[pgbouncer]\n"));
        assert!(text.contains(&format!("`{key}` is not")) && !text.contains("hunter2"), "{text}");
    }
}
