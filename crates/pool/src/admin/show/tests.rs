use deepwater_core::config::Checker;
use deepwater_core::{Context, Events};

use super::*;
use crate::config::{Config, Database, Host, ServerUrl, User};
use crate::plan::{self, Face};

/// Columns as PgBouncer sends them: `i` int4, `q` int8, `n` numeric, all others text.
const COLUMNS: [(&str, &str); 16] = [
    (
        "databases",
        "name host port:i database force_user pool_size:i min_pool_size:i reserve_pool_size:i server_lifetime:i \
         pool_mode load_balance_hosts max_connections:i current_connections:i max_client_connections:i \
         current_client_connections:i paused:i disabled:i",
    ),
    (
        "pools",
        "database user cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active:i \
         sv_active_cancel:i sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i sv_login:i maxwait:i maxwait_us:i \
         pool_mode load_balance_hosts",
    ),
    ("clients", CONNECTION),
    ("servers", CONNECTION),
    (
        "users",
        "name pool_size reserve_pool_size pool_mode max_user_connections:i current_connections:i \
         max_user_client_connections:i current_client_connections:i",
    ),
    ("lists", "list items:i"),
    ("mem", "name size:i used:i free:i memtotal:i"),
    ("config", "key value default changeable"),
    ("dns_hosts", "hostname ttl:q addrs"),
    ("dns_zones", "zonename serial:q count:i"),
    ("peers", "peer_id:i host port:i pool_size:i"),
    ("peer_pools", "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i"),
    ("state", "key value"),
    ("version", "version"),
    (
        "stats_totals",
        "database server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n \
         query_time:n wait_time:n client_parse_count:n server_parse_count:n bind_count:n",
    ),
    (
        "stats_averages",
        "database server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n \
         query_time:n wait_time:n avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n",
    ),
];

const CONNECTION: &str = "type user database replication state addr port:i local_addr local_port:i connect_time \
                          request_time wait:i wait_us:i close_needed:i ptr link remote_pid:i tls application_name \
                          prepared_statements:i id:i";

fn shared() -> Arc<Shared> {
    let mut config = Config { listen: None, ..Config::default() };
    let hosts = ["10.0.0.1", "10.0.0.2"].map(|host| Host::new(host, 5433)).to_vec();
    let database = Database { pool_size: Some(7), ..Database::on(ServerUrl::at(hosts)) };
    config.databases.insert("shop".into(), database);
    config.users.insert("bob".into(), User { pool_size: Some(3), ..User::default() });
    let checker = Checker::without_document();
    let plan = plan::build(&config, std::path::Path::new(""), Face::PgBouncer, &checker.root()).unwrap();
    let shared = Shared::new(Context::new(1, Events::silent()), plan);
    let database = shared.plan.load().database("shop").unwrap();
    shared.pool(&database, "app");
    shared
}

fn table(shared: &Arc<Shared>, what: &str) -> Table {
    match show(shared, what, true, what) {
        Outcome::Table(table) => table,
        _ => panic!("{what} is no table"),
    }
}

fn columns(table: &Table) -> String {
    let column = |column: &Column<'_>| match column.type_oid {
        23 => format!("{}:i", column.name),
        20 => format!("{}:q", column.name),
        17 => format!("{}:b", column.name),
        1700 => format!("{}:n", column.name),
        _ => column.name.to_owned(),
    };
    table.columns.iter().map(column).collect::<Vec<_>>().join(" ")
}

fn row(table: &Table, first: &str) -> Vec<String> {
    let row = table.rows.iter().find(|row| row[0].as_deref() == Some(first)).unwrap();
    row.iter().map(|cell| cell.clone().unwrap_or_else(|| "NULL".into())).collect()
}

#[test]
fn columns_are_pgbouncers_and_rows_fit_them() {
    let shared = shared();
    for (what, expected) in COLUMNS {
        assert_eq!(columns(&table(&shared, what)), expected, "{what}");
    }
    for (what, _) in SHOWS {
        let table = table(&shared, what);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{what}");
    }
    let sockets = columns(&table(&shared, "sockets"));
    let debug = "recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i";
    assert_eq!(sockets, format!("{CONNECTION} {debug}"));
}

#[test]
fn stats_are_all_totals_then_all_averages() {
    let shared = shared();
    let names = columns(&table(&shared, "stats"));
    let names: Vec<&str> = names.split(' ').collect();
    assert_eq!(names.len(), 23);
    assert_eq!(names[..3], ["database", "total_server_assignment_count:n", "total_xact_count:n"]);
    assert_eq!(names[15..17], ["avg_recv:n", "avg_sent:n"]);
    let totals = table(&shared, "totals");
    let rows: Vec<_> = totals.rows.iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(
        (rows.len(), rows[3].as_str(), rows[21].as_str()),
        (22, "total_client_bytes", "avg_ps_bind_count")
    );
}

#[test]
fn rows_tell_of_databases_pools_and_users() {
    let shared = shared();
    assert_eq!(
        row(&table(&shared, "databases"), "shop").join(" "),
        "shop 10.0.0.1,10.0.0.2 5433 shop NULL 7 0 0 3600 NULL round-robin 0 0 0 0 0 0"
    );
    let pool = row(&table(&shared, "pools"), "shop").join(" ");
    assert_eq!(pool, "shop app 0 0 0 0 0 0 0 0 0 0 0 0 0 transaction round-robin");
    assert_eq!(row(&table(&shared, "users"), "bob").join("|"), "bob|        3||NULL|0|0|0|0");
    assert_eq!(row(&table(&shared, "lists"), "pools"), ["pools", "2"]);
    crate::control::disable(&shared, "shop").unwrap();
    crate::control::pause(&shared, Some("shop")).unwrap();
    assert_eq!(row(&table(&shared, "databases"), "shop")[15..], ["1", "1"]);
}

#[test]
fn a_version_that_tools_understand_is_shown() {
    let version = row(
        &table(&shared(), "version"),
        &format!("PgBouncer {VERSION} (Deepwater {})", env!("CARGO_PKG_VERSION")),
    );
    assert!(version[0].starts_with("PgBouncer 1.25"));
}

#[test]
fn sockets_are_told_by_number_and_their_secrets_are_not() {
    let shared = shared();
    shared.doors.set(vec![(7, crate::plane::Bound::Unix("/run/.s.PGSQL.6432".into()))]).unwrap();
    let fds = table(&shared, "FDS");
    assert_eq!(
        columns(&fds),
        "fd:i task user database addr port:i cancel:q link:i client_encoding std_strings datestyle timezone \
         password scram_client_key:b scram_server_key:b"
    );
    let row = row(&fds, "7");
    assert_eq!(row[..8], ["7", "pooler", "NULL", "NULL", "unix", "6432", "0", "0"]);
    assert!(row[8..].iter().all(|cell| cell == "NULL"), "{row:?}");
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let shared = shared();
    let refused = |what: &str, may_change| match show(&shared, what, may_change, "SHOW it") {
        Outcome::Refused(_, why) => why,
        _ => panic!("{what} is shown"),
    };
    assert_eq!(refused("fds", false), "admin access needed");
    assert_eq!(refused("hba", true), "invalid command 'SHOW it', use SHOW HELP;");
    assert_eq!(row(&table(&shared, "DateStyle"), "ISO"), ["ISO"]);
}
