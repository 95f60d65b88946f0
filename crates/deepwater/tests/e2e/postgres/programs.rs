//! Programs that applications and their administrators use, as they are.

use crate::support::postgres::{Place, Pooler, Version, node, pgbench, psql, python};

#[tokio::test]
async fn psycopg() {
    everywhere(async |place| {
        python(&place, "psycopg_story.py", &[]).await.good();
    })
    .await;
}

#[tokio::test]
async fn asyncpg() {
    everywhere(async |place| {
        python(&place, "asyncpg_story.py", &[]).await.good();
    })
    .await;
}

#[tokio::test]
async fn node_postgres() {
    everywhere(async |place| {
        node(&place, "node_story.js", &[]).await.good();
    })
    .await;
}

#[tokio::test]
async fn psql_runs_scripts() {
    everywhere(async |place| {
        psql(&place, "DROP TABLE IF EXISTS t;").await.good();
        let told = psql(&place, SCRIPT).await;
        assert!(told.stderr.contains("duplicate key value"), "{}", told.stderr);
        let told = told.good();
        assert!(told.contains("one\ntwo\nthree\n"), "{told}");
        assert!(told.contains("words|text"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn psql_leaves_with_the_error_of_the_server() {
    everywhere(async |place| {
        let told = psql(&place, "SELECT 1; SELECT nonsense; SELECT 2;").await;
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), "1\n"));
        assert!(told.stderr.contains("column \"nonsense\" does not exist"), "{}", told.stderr);
    })
    .await;
}

#[tokio::test]
async fn pgbench_runs_every_protocol() {
    everywhere(async |place| {
        pgbench(&place, &["-i", "-q", "-s", "1"]).await.good();
        for protocol in ["simple", "extended", "prepared"] {
            for work in [["-b", "tpcb-like"], ["-b", "select-only"]] {
                let arguments = ["-n", "-c", "8", "-j", "2", "-t", "50", "-M", protocol];
                let told = pgbench(&place, &[&arguments, &work[..]].concat()).await.good();
                assert!(told.contains("transactions actually processed: 400/400"), "{told}");
                assert!(told.contains("failed transactions: 0"), "{told}");
            }
        }
        let told = pgbench(&place, &["-n", "-S", "-C", "-c", "4", "-t", "20"]).await.good();
        assert!(told.contains("transactions actually processed: 80/80"), "{told}");
    })
    .await;
}

const SCRIPT: &str = r"
CREATE TABLE t (n int PRIMARY KEY, words text);
\copy t FROM STDIN (DELIMITER ',')
1,one
2,two
\.
BEGIN;
INSERT INTO t VALUES (3, 'three');
SAVEPOINT s;
\set ON_ERROR_STOP 0
INSERT INTO t VALUES (3, 'again');
ROLLBACK TO s;
COMMIT;
\set ON_ERROR_STOP 1
SELECT n, words FROM t ORDER BY n \gdesc
SELECT format('SELECT %s', n) FROM t ORDER BY n \gexec
\copy (SELECT words FROM t ORDER BY n) TO STDOUT
\d t
";

/// With each server: directly, and through the pooler in both modes that keep transactions whole.
async fn everywhere(mut story: impl AsyncFnMut(Place)) {
    for version in Version::ALL {
        let database = version.database().await;
        story((*database).clone()).await;
        for mode in ["session", "transaction"] {
            println!("{mode} mode, {version:?}");
            let pooler = Pooler::before(&database, &format!("mode = \"{mode}\"")).await;
            story(pooler.place(&database)).await;
        }
    }
}
