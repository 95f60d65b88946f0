//! `[databases]`.

use deepwater_core::config::nearest;

use super::connstr::pairs;
use super::draft::Draft;
use super::ini::Entry;
use super::listen::server_directory;
use super::settings::{at_once, mode};
use super::value::{Shape, Value, duration, seconds};
use crate::config::{Database, Host, LoadBalanceHosts, PoolMode, ServerUrl, host};
use crate::lines::Fault;

/// What a connection string says.
#[derive(Default)]
struct Connection {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    dbname: Option<String>,
    auth_user: Option<String>,
    auth_query: Option<String>,
    auth_dbname: Option<String>,
    connect_query: Option<String>,
    client_encoding: Option<String>,
    datestyle: Option<String>,
    timezone: Option<String>,
    application_name: Option<String>,
    pool_size: Option<usize>,
    min_pool_size: Option<usize>,
    reserve_pool_size: Option<usize>,
    max_db_connections: Option<usize>,
    max_db_client_connections: Option<usize>,
    server_lifetime: Option<f64>,
    pool_mode: Option<PoolMode>,
    load_balance_hosts: LoadBalanceHosts,
}

const KNOWN: [&str; 22] = [
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "auth_user",
    "auth_query",
    "auth_dbname",
    "connect_query",
    "client_encoding",
    "datestyle",
    "timezone",
    "application_name",
    "pool_size",
    "min_pool_size",
    "reserve_pool_size",
    "reserve_pool",
    "max_db_connections",
    "max_db_client_connections",
    "server_lifetime",
    "pool_mode",
    "load_balance_hosts",
];

pub(super) fn read(draft: &mut Draft<'_>, entries: &[Entry]) {
    for entry in entries {
        draft.at(format!("[databases] {}", entry.key), Some(&entry.spot));
        match connection(entry).and_then(|connection| database(draft, connection)) {
            Ok(database) => {
                draft.config.databases.insert(entry.key.clone(), database);
            }
            Err(fault) => draft.report(fault),
        }
    }
}

fn connection(entry: &Entry) -> Result<Connection, Fault> {
    match entry.key.as_str() {
        "" => return Err(Fault::new("the database has no name").fix("write `name = host=…`")),
        "pgbouncer" => {
            return Err(
                Fault::new("`pgbouncer` is the name of the administration database").fix("take another name")
            );
        }
        _ => {}
    }
    let mut connection = Connection::default();
    for (key, value) in pairs(&entry.value)? {
        connection.set(&key, value)?;
    }
    Ok(connection)
}

impl Connection {
    fn set(&mut self, key: &str, value: String) -> Result<(), Fault> {
        let slot = match key {
            "host" => &mut self.host,
            "user" => &mut self.user,
            "password" => &mut self.password,
            "dbname" => &mut self.dbname,
            "auth_user" => &mut self.auth_user,
            "auth_query" => &mut self.auth_query,
            "auth_dbname" => &mut self.auth_dbname,
            "connect_query" => &mut self.connect_query,
            "client_encoding" => &mut self.client_encoding,
            "datestyle" => &mut self.datestyle,
            "timezone" => &mut self.timezone,
            "application_name" => &mut self.application_name,
            _ => return self.set_number(key, &value),
        };
        *slot = Some(value);
        Ok(())
    }

    fn set_number(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        let slot = match key {
            "pool_size" => &mut self.pool_size,
            "min_pool_size" => &mut self.min_pool_size,
            "reserve_pool_size" | "reserve_pool" => &mut self.reserve_pool_size,
            "max_db_connections" => &mut self.max_db_connections,
            "max_db_client_connections" => &mut self.max_db_client_connections,
            _ => return self.set_other(key, value),
        };
        *slot = limit(key, value)?;
        Ok(())
    }

    fn set_other(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        match key {
            "port" => match Shape::Count(1..=65_535).read(value) {
                Ok(Value::Count(port)) => self.port = u16::try_from(port).ok(),
                _ => {
                    return Err(Fault::new("`port` is not the number of a port")
                        .fix("write a number from 1 to 65535"));
                }
            },
            "server_lifetime" => self.server_lifetime = Some(time(key, value)?),
            "pool_mode" => self.pool_mode = Some(mode(&value.to_ascii_lowercase())?),
            "load_balance_hosts" => {
                self.load_balance_hosts = match value.to_ascii_lowercase().as_str() {
                    "round-robin" => LoadBalanceHosts::RoundRobin,
                    "disable" => LoadBalanceHosts::Disable,
                    _ => {
                        return Err(Fault::new(format!("`{value}` is no load_balance_hosts"))
                            .fix("write round-robin or disable"));
                    }
                }
            }
            "target_session_attrs" | "query_wait_timeout" => {
                return Err(Fault::new(format!("`{key}` is not supported: it is one of PgBouncer 1.26"))
                    .fix("remove it"));
            }
            _ => return Err(unknown(key, &KNOWN)),
        }
        Ok(())
    }
}

/// A key that nobody knows.
pub(super) fn unknown(key: &str, known: &[&str]) -> Fault {
    let near =
        nearest(key, known.iter().copied()).map(|near| format!(" (nearest: {near})")).unwrap_or_default();
    Fault::new(format!("there is no `{key}`")).fix(format!("use one of {}{near}", known.join(", ")))
}

/// A number of connections; a negative one is the same as none given.
pub(super) fn limit(key: &str, value: &str) -> Result<Option<usize>, Fault> {
    match Shape::Count(i64::MIN..=i64::MAX).read(value) {
        Ok(Value::Count(0)) if key == "pool_size" => {
            Err(Fault::new("a pool of no connections serves nobody").fix("write pool_size=1 or more"))
        }
        Ok(Value::Count(number)) => Ok(usize::try_from(number).ok()),
        // It may be a password that got into the wrong place.
        _ => Err(Fault::new(format!("`{key}` is not a whole number")).fix(format!("write {key}=20"))),
    }
}

/// Seconds.
pub(super) fn time(key: &str, value: &str) -> Result<f64, Fault> {
    seconds(value)
        .map_err(|_| Fault::new(format!("`{key}` is not a number of seconds")).fix(format!("write {key}=60")))
}

fn database(draft: &mut Draft<'_>, connection: Connection) -> Result<Database, Fault> {
    let mut primary = ServerUrl::at(hosts(draft, &connection)?);
    if connection.password.is_some() && connection.user.is_none() {
        draft.note("the password has no effect without `user=`, as with PgBouncer");
    } else {
        primary.password = connection.password;
    }
    primary.user = connection.user;
    primary.database = connection.dbname;
    Ok(Database {
        mode: connection.pool_mode,
        pool_size: connection.pool_size,
        min_pool_size: connection.min_pool_size,
        reserve_pool_size: connection.reserve_pool_size,
        max_db_connections: connection.max_db_connections,
        max_db_client_connections: connection.max_db_client_connections,
        server_lifetime: connection.server_lifetime.map(duration).map(at_once),
        connect_query: connection.connect_query,
        auth_user: connection.auth_user,
        auth_query: connection.auth_query,
        auth_database: connection.auth_dbname,
        load_balance_hosts: connection.load_balance_hosts,
        client_encoding: connection.client_encoding,
        datestyle: connection.datestyle,
        timezone: connection.timezone,
        application_name: connection.application_name,
        ..Database::on(primary)
    })
}

fn hosts(draft: &Draft<'_>, connection: &Connection) -> Result<Vec<Host>, Fault> {
    let port = connection.port.unwrap_or(crate::config::DEFAULT_PORT);
    let Some(names) = &connection.host else {
        let directory = server_directory(draft, port).ok_or_else(|| {
            Fault::new("there is no `host=`, and unix_socket_dir is empty")
                .fix("write host=127.0.0.1, or a directory")
        })?;
        return Ok(vec![Host::new(directory, port)]);
    };
    let hosts = names.split(',').map(|name| {
        host(name.trim(), port).map_err(|_| {
            Fault::new(format!("`{name}` is not a host"))
                .fix("write a DNS name, an IP address or the directory of a Unix socket; several separated by commas")
        })
    });
    hosts.collect()
}
