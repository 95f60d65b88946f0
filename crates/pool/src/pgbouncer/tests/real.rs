//! Files as they are found on machines: what they come to.

use std::path::PathBuf;
use std::time::Duration;

use deepwater_core::config::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{disk, load_from, loaded};
use crate::config::{
    AuthMethod, ClientTlsMode, Config, Host, LoadBalanceHosts, PoolMode, ServerTlsMode, ServerUrl,
};
use crate::pgbouncer::Loaded;

/// The root of `deepwater.toml`, as far as this crate knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Root {
    /// The pooler.
    postgres: Config,
}

/// What `deepwater check --from-pgbouncer` prints is read again as the same.
fn survives_translation(loaded: &Loaded) -> String {
    let text = loaded.to_toml();
    let root: Root = Document::parse(&text, "deepwater.toml")
        .and_then(|document| document.decode())
        .unwrap_or_else(|problems| panic!("{problems}\n--\n{text}"));
    let mut expected = loaded.config.clone();
    for (name, database) in &mut expected.databases {
        if database.primary.password.take().is_some() {
            database.password = root.postgres.databases[name].password.clone();
            assert!(database.password.is_some(), "{text}");
        }
    }
    assert_eq!(root.postgres, expected, "{text}");
    text
}

/// As Debian installs it, comments shortened.
const DEBIAN: &str = include_str!("debian.ini");
/// As a Helm chart writes it.
const HELM: &str = include_str!("helm.ini");
/// As CloudNativePG's operator writes it.
const CLOUD_NATIVE_PG: &str = include_str!("cloudnativepg.ini");
/// As Heroku's buildpack writes it.
const HEROKU: &str = include_str!("heroku.ini");

fn tcp(name: &str, port: u16) -> Vec<Host> {
    vec![Host::Tcp { name: name.into(), port }]
}

#[test]
fn debian() {
    let loaded = loaded(DEBIAN);
    let Loaded { config, process, notes, .. } = &loaded;
    assert_eq!(
        config.listen.as_ref().unwrap().as_slice(),
        ["localhost:6432", "unix:/var/run/postgresql/.s.PGSQL.6432"]
    );
    assert_eq!(process.logfile, Some(PathBuf::from("/var/log/postgresql/pgbouncer.log")));
    assert_eq!(process.pidfile, Some(PathBuf::from("/var/run/postgresql/pgbouncer.pid")));
    assert_eq!(config.auth.method, AuthMethod::ScramSha256);
    assert_eq!(config.auth.users.as_deref(), Some("/etc/pgbouncer/userlist.txt"));
    assert_eq!((config.mode, config.max_clients, config.pool_size), (PoolMode::Session, 100, 20));
    assert!(config.databases.is_empty() && notes.is_empty(), "{notes:?}");
    let text = survives_translation(&loaded);
    assert!(text.contains("# pidfile /var/run/postgresql/pgbouncer.pid: the service manager"), "{text}");
}

#[test]
fn helm() {
    let loaded = loaded(HELM);
    let Loaded { config, process, .. } = &loaded;
    assert_eq!(config.listen.as_ref().unwrap().as_slice(), ["0.0.0.0:5432"], "no Unix socket");
    assert_eq!(process.unix_socket_dir, None);
    assert_eq!(process.user.as_deref(), Some("postgres"));
    let any = &config.databases["*"];
    assert_eq!(any.primary, ServerUrl::at(tcp("postgresql-primary.default.svc.cluster.local", 5432)));
    assert_eq!(config.databases["reports"].primary.database.as_deref(), Some("shop"));
    assert_eq!(config.databases["reports"].mode, Some(PoolMode::Session));
    assert_eq!(config.databases["reports"].pool_size, Some(5));
    assert_eq!(config.ignore_startup_parameters, ["extra_float_digits", "options"]);
    assert_eq!(config.timeouts.server_idle.get(), Duration::from_millis(30_500));
    assert_eq!(config.log.stats_every.get(), Duration::ZERO);
    survives_translation(&loaded);
}

#[test]
fn cloud_native_pg() {
    let loaded = loaded(CLOUD_NATIVE_PG);
    let Loaded { config, .. } = &loaded;
    let any = &config.databases["*"];
    assert_eq!(any.primary.hosts, tcp("cluster-example-rw", 5432));
    assert_eq!(config.auth.method, AuthMethod::Hba);
    assert_eq!(config.auth.query, "SELECT usename, passwd FROM public.user_search($1)");
    assert_eq!(config.auth.query_user.as_deref(), Some("cnpg_pooler_pgbouncer"));
    assert_eq!(config.auth.query_database.as_deref(), Some("postgres"));
    assert_eq!(config.auth.hba.as_deref(), Some("/controller/configs/pg_hba.conf"));
    assert_eq!(config.tls.mode, ClientTlsMode::Allow);
    assert_eq!(config.tls.ca.as_deref(), Some("/controller/configs/clients-ca/ca.crt"));
    assert_eq!(config.server_tls.mode, ServerTlsMode::VerifyCa);
    assert_eq!(config.admin_users, ["pgbouncer"]);
    assert_eq!(loaded.process.unix_socket_dir.as_deref(), Some("/controller/run"));
    survives_translation(&loaded);
}

#[test]
fn heroku() {
    let loaded = loaded(HEROKU);
    let Loaded { config, .. } = &loaded;
    let db = &config.databases["db1"];
    assert_eq!(db.primary.user.as_deref(), Some("u3kr"));
    assert_eq!(db.primary.password.as_deref(), Some("p9'2 =x"));
    assert_eq!(db.primary.hosts, tcp("ec2-1-2-3-4.compute-1.amazonaws.com", 5432));
    assert_eq!((config.mode, config.max_prepared_statements), (PoolMode::Transaction, 0));
    assert_eq!(config.timeouts.server_lifetime.get(), Duration::from_secs(3_600));
    let text = survives_translation(&loaded);
    assert!(text.contains("password = \"env:PASSWORD_DB1\""), "{text}");
    assert!(
        text.contains("environment variable PASSWORD_DB1 to the password of the database \"db1\""),
        "{text}"
    );
    for printed in [text, format!("{loaded:?}"), format!("{:?}", loaded.show())] {
        assert!(!printed.contains("p9"), "{printed}");
    }
}

#[test]
fn everything_a_database_can_say() {
    let loaded = loaded(
        "[databases]\n\
         \"my \"\"shop\"\"\" = host=a,10.0.0.2,2001:db8::1 port=5433 dbname=shop user=app password=x auth_user=asker \
         auth_query='SELECT * FROM f($1)' auth_dbname=postgres pool_size=30 min_pool_size=2 reserve_pool=4 \
         connect_query='SET a TO ''b''' pool_mode=Statement max_db_connections=50 max_db_client_connections=500 \
         server_lifetime=0 load_balance_hosts=disable client_encoding=UNICODE datestyle=ISO timezone=UTC \
         application_name=web\n\
         inherits = pool_size=-1 host=/srv/pg\n\
         [users]\n\
         app = pool_size=5 reserve_pool_size=2 pool_mode=transaction max_user_connections=10 \
         max_user_client_connections=20 query_timeout=1.5 transaction_timeout=2 idle_transaction_timeout=3 \
         client_idle_timeout=4\n\
         [pgbouncer]\nlisten_addr=127.0.0.1\n",
    );
    let shop = &loaded.config.databases["my \"shop\""];
    assert_eq!(
        shop.primary.hosts,
        ["a", "10.0.0.2", "2001:db8::1"].map(|name| Host::Tcp { name: name.into(), port: 5433 })
    );
    assert_eq!(shop.primary.database.as_deref(), Some("shop"));
    assert_eq!((shop.pool_size, shop.min_pool_size, shop.reserve_pool_size), (Some(30), Some(2), Some(4)));
    assert_eq!((shop.max_db_connections, shop.max_db_client_connections), (Some(50), Some(500)));
    assert_eq!(shop.connect_query.as_deref(), Some("SET a TO 'b'"));
    assert_eq!(shop.mode, Some(PoolMode::Statement));
    assert_eq!(shop.load_balance_hosts, LoadBalanceHosts::Disable);
    let once = shop.server_lifetime.unwrap().get();
    assert!(!once.is_zero() && once < Duration::from_millis(1), "used once: {once:?}");
    assert_eq!(shop.auth_query.as_deref(), Some("SELECT * FROM f($1)"));
    assert_eq!((shop.auth_user.as_deref(), shop.auth_database.as_deref()), (Some("asker"), Some("postgres")));
    assert_eq!((shop.datestyle.as_deref(), shop.timezone.as_deref()), (Some("ISO"), Some("UTC")));
    let inherits = &loaded.config.databases["inherits"];
    assert_eq!(inherits.pool_size, None);
    assert_eq!(inherits.primary.hosts, [Host::Unix { directory: "/srv/pg".into(), port: 5432 }]);
    let app = &loaded.config.users["app"];
    assert_eq!(app.query_timeout.unwrap().get(), Duration::from_millis(1_500));
    assert_eq!((app.pool_size, app.max_user_client_connections), (Some(5), Some(20)));
    survives_translation(&loaded);
}

#[test]
fn a_server_without_host_is_found_by_its_socket() {
    let hosts = |files: &[(&str, &str)], lines: &str| {
        let text = format!("[databases]\nshop = port=5433\n[pgbouncer]\nlisten_addr=127.0.0.1\n{lines}\n");
        let files = files.iter().copied().chain([("pgbouncer.ini", text.as_str())]).collect::<Vec<_>>();
        load_from(disk(&files)).map(|loaded| match &loaded.config.databases["shop"].primary.hosts[..] {
            [Host::Unix { directory, port: 5433 }] => directory.clone(),
            other => panic!("{other:?}"),
        })
    };
    let debian = ("/var/run/postgresql/.s.PGSQL.5433", "");
    assert_eq!(hosts(&[], "").as_deref(), Ok("/tmp"));
    assert_eq!(hosts(&[debian], "").as_deref(), Ok("/var/run/postgresql"));
    assert_eq!(hosts(&[debian, ("/tmp/.s.PGSQL.5433", "")], "").as_deref(), Ok("/tmp"));
    assert_eq!(hosts(&[debian], "unix_socket_dir=/srv").as_deref(), Ok("/srv"));
    assert_eq!(hosts(&[debian], "unix_socket_dir=run").as_deref(), Ok("/work-dir/run"));
    assert_eq!(hosts(&[debian], "unix_socket_dir=@pg").as_deref(), Ok("@pg"));
    let problems = hosts(&[debian], "unix_socket_dir=").unwrap_err();
    assert!(problems.contains("pgbouncer.ini:2: [databases] shop: there is no `host=`"), "{problems}");
}

#[test]
fn files_are_included_where_they_stand() {
    let loaded = load_from(disk(&[
        (
            "pgbouncer.ini",
            "[databases]\n%include databases.ini\nb = host=b\n[pgbouncer]\n%include /etc/common.ini\n",
        ),
        ("databases.ini", "a = host=a\n"),
        ("/etc/common.ini", "pool_mode = statement\nlisten_addr = ::1, localhost\nauth_file = users.txt"),
    ]))
    .unwrap();
    assert_eq!(loaded.config.databases.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(loaded.config.mode, PoolMode::Statement);
    assert_eq!(loaded.config.auth.users.as_deref(), Some("/work-dir/users.txt"));
    assert_eq!(
        loaded.config.listen.unwrap().as_slice(),
        ["[::1]:6432", "localhost:6432", "unix:/tmp/.s.PGSQL.6432"]
    );
}

#[test]
fn any_address_is_of_both_families_where_there_are_both() {
    let text = "[pgbouncer]\nlisten_addr = *\nlisten_port = 7000\nunix_socket_dir =\n";
    let addresses =
        |files: &[(&str, &str)]| load_from(disk(files)).unwrap().config.listen.unwrap().as_slice().to_vec();
    assert_eq!(addresses(&[("pgbouncer.ini", text)]), ["0.0.0.0:7000"]);
    assert_eq!(addresses(&[("pgbouncer.ini", text), ("/proc/net/if_inet6", "")]), ["[::]:7000"]);
}
