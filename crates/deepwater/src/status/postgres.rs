//! The PostgreSQL plane's part of the page.

use serde::Deserialize;

use crate::table::{Align, Table, count, latency};

/// `/api/postgres/pools`, as far as it is shown.
#[derive(Deserialize)]
pub(super) struct Postgres {
    pools: Vec<Pool>,
}

#[derive(Deserialize)]
struct Pool {
    database: String,
    user: String,
    mode: String,
    size: u64,
    clients: u64,
    waiting: u64,
    servers: Servers,
    paused: bool,
    failing: bool,
    queries: u64,
    /// Over the last whole minute.
    queries_per_second: Option<f64>,
    wait: Quantiles,
    advice: Advice,
}

#[derive(Deserialize)]
struct Servers {
    idle: u64,
    active: u64,
    connecting: u64,
}

#[derive(Deserialize)]
struct Quantiles {
    p99_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Advice {
    size: Option<u64>,
    sentence: String,
}

/// A row for each pool, then what is advised.
pub(super) fn lines(postgres: &Postgres) -> Vec<String> {
    if postgres.pools.is_empty() {
        return vec!["PostgreSQL: no client has come yet".to_owned()];
    }
    let columns = [
        ("Database", Align::Left),
        ("user", Align::Left),
        ("mode", Align::Left),
        ("clients", Align::Right),
        ("waiting", Align::Right),
        ("servers", Align::Right),
        ("busy", Align::Right),
        ("idle", Align::Right),
        ("size", Align::Right),
        ("queries", Align::Right),
        ("per second", Align::Right),
        ("wait p99", Align::Right),
        ("state", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for pool in &postgres.pools {
        table.row(row(pool));
    }
    let mut lines = table.lines(0);
    for pool in &postgres.pools {
        let Pool { database, user, advice, size, .. } = pool;
        let verdict = match advice.size {
            Some(advised) if advised == *size => format!("pool_size {size} is right"),
            Some(advised) => format!("pool_size {size}, advised {advised}"),
            None => format!("pool_size {size}"),
        };
        lines.push(format!("  {database}, {user}: {verdict}: {}", advice.sentence));
    }
    lines
}

fn row(pool: &Pool) -> [String; 13] {
    let Servers { idle, active, connecting } = pool.servers;
    let state = match (pool.paused, pool.failing) {
        (true, _) => "paused",
        (false, true) => "server unreachable",
        (false, false) => "",
    };
    [
        pool.database.clone(),
        pool.user.clone(),
        pool.mode.clone(),
        count(pool.clients),
        count(pool.waiting),
        count(idle + active + connecting),
        count(active),
        count(idle),
        count(pool.size),
        count(pool.queries),
        pool.queries_per_second.map_or("–".into(), |rate| format!("{rate:.1}")),
        latency(pool.wait.p99_ms),
        state.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pool(database: &str, paused: bool, advice: &Value) -> Value {
        json!({
            "database": database, "user": "app", "mode": "transaction", "size": 20, "min_size": 0, "reserve_size": 0,
            "clients": 1_200, "waiting": 3, "longest_wait_ms": 12.5, "paused": paused, "failing": false,
            "servers": { "idle": 1, "active": 19, "connecting": 0 }, "queries": 60_000, "queries_per_second": 1_000.0, "transactions": 30_000,
            "wait": { "count": 30_000, "p50_ms": 0.1, "p95_ms": 2.0, "p99_ms": 4.2 }, "advice": advice
        })
    }

    #[test]
    fn pools_line_up_and_advice_follows() {
        let pools = [
            pool(
                "shop",
                false,
                &json!({ "size": 9, "current_size": 20, "sentence": "9 are enough", "numbers": {} }),
            ),
            pool(
                "stock",
                true,
                &json!({ "size": null, "current_size": 20, "sentence": "no advice: x", "numbers": {} }),
            ),
        ];
        let postgres: Postgres = serde_json::from_value(json!({ "pools": pools })).unwrap();
        let expected = "\
Database  user  mode         clients  waiting  servers  busy  idle  size  queries  per second  wait p99  state
shop      app   transaction    1,200        3       20    19     1    20   60,000      1000.0    4.2 ms
stock     app   transaction    1,200        3       20    19     1    20   60,000      1000.0    4.2 ms  paused
  shop, app: pool_size 20, advised 9: 9 are enough
  stock, app: pool_size 20: no advice: x";
        assert_eq!(lines(&postgres).join("\n"), expected);
        let none: Postgres = serde_json::from_value(json!({ "pools": [] })).unwrap();
        assert_eq!(lines(&none), ["PostgreSQL: no client has come yet"]);
    }
}
