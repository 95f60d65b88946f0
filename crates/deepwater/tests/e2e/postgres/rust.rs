//! tokio-postgres, which sends whatever it is asked at once, whether or not what was asked before is answered: in
//! transaction mode, many clients on few servers.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, IsolationLevel, NoTls, SimpleQueryMessage};

use crate::support::postgres::{Database, Place, Pooler, Version};
use crate::support::soon;

/// A client, and the notifications it gets.
async fn connect(place: &Place) -> (Client, UnboundedReceiver<String>) {
    let url = place.url();
    let connecting = tokio_postgres::connect(&url, NoTls);
    let (client, mut connection) = soon("a connection", connecting).await.unwrap();
    let (tell, heard) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(said) = message {
                // Most clients do not listen.
                let _ = tell.send(format!("{} {}", said.channel(), said.payload()));
            }
        }
    });
    (client, heard)
}

async fn pooled(size: usize) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("pool_size = {size}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// Runs a story without and with a pooler of two servers, before both versions.
async fn everywhere(story: impl AsyncFn(Place)) {
    for version in Version::ALL {
        let database = version.database().await;
        let pooler = Pooler::before(&database, "pool_size = 2").await;
        for place in [(*database).clone(), pooler.place(&database)] {
            println!("{version:?} at {}", place.address);
            soon("the story to end", story(place)).await;
        }
    }
}

/// What an error of the server is called.
fn code<T: std::fmt::Debug>(result: Result<T, tokio_postgres::Error>) -> SqlState {
    let error = result.unwrap_err();
    error.code().unwrap_or_else(|| panic!("not the server's: {error}")).clone()
}

#[tokio::test]
async fn queries() {
    everywhere(async |place| {
        let (client, _) = connect(&place).await;
        let sql = "SELECT $1::int + 1, $2::text, $3::bytea";
        let row = client.query_one(sql, &[&41, &"text", &&b"\0\xff"[..]]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), (42, "text"));
        assert_eq!(row.get::<_, &[u8]>(2), b"\0\xff");
        let rows = client.query("SELECT generate_series(1, 10000)", &[]).await.unwrap();
        assert_eq!(rows.len(), 10_000);
        assert_eq!(
            client.query_typed("SELECT $1", &[(&7, Type::INT4)]).await.unwrap()[0].get::<_, i32>(0),
            7
        );
        let told = client.simple_query("SELECT 1; SELECT 'two'").await.unwrap();
        let values = told.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(values.collect::<Vec<_>>(), ["1", "two"]);
        // What an enum is called is asked with statements of its own, while the first is being prepared.
        client.batch_execute("CREATE TYPE mood AS ENUM ('sad', 'happy')").await.unwrap();
        let statement = client.prepare("SELECT 'happy'::mood, ARRAY['sad']::mood[]").await.unwrap();
        assert_eq!(statement.columns()[0].type_().name(), "mood");
        client.query(&statement, &[]).await.unwrap();
        client.batch_execute("DROP TYPE mood").await.unwrap();
        client.check_connection().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn statements_of_many_clients_on_few_servers() {
    const CLIENTS: i32 = 40;
    let (database, pooler, place) = pooled(3).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let place = place.clone();
        clients.spawn(async move {
            let (client, _) = connect(&place).await;
            // Some are everybody's, some are nobody else's. All have the same few names.
            let shared = client.prepare("SELECT $1::int * 2").await.unwrap();
            let own = client.prepare(&format!("SELECT $1::int + {number}")).await.unwrap();
            for round in 0..20 {
                let doubled = client.query_one(&shared, &[&round]).await.unwrap();
                assert_eq!(doubled.get::<_, i32>(0), round * 2);
                let sum = client.query_one(&own, &[&round]).await.unwrap();
                assert_eq!(sum.get::<_, i32>(0), round + number);
                if round % 5 == number % 5 {
                    // Dropped here, it is closed there, and its name comes again.
                    let brief = client.prepare(&format!("SELECT {number}, $1::text")).await.unwrap();
                    let row = client.query_one(&brief, &[&"words"]).await.unwrap();
                    assert_eq!((row.get(0), row.get(1)), (number, "words"));
                }
            }
        });
    }
    soon("all clients", clients.join_all()).await;
    assert!(database.backends().await.len() <= 3);
    pooler.counts("deepwater_postgres_client_connections", &[], 0.0).await;
}

#[tokio::test]
async fn a_pipeline_is_answered_in_its_order() {
    everywhere(async |place| {
        let (client, _) = connect(&place).await;
        let statement = client.prepare("SELECT $1::int").await.unwrap();
        // All are sent before the first is answered.
        let asked = (0..500).map(|number| {
            let (client, statement) = (&client, &statement);
            async move {
                let rows = client.query(statement, &[&number]).await.unwrap();
                assert_eq!(rows[0].get::<_, i32>(0), number);
            }
        });
        futures_util::future::join_all(asked).await;
        // What fails is one of them; each is a transaction of its own.
        let divided = client.prepare("SELECT 10 / $1::int").await.unwrap();
        let asked = (0..50).map(|number| {
            let (client, divided) = (&client, &divided);
            async move { (number, client.query_one(divided, &[&(number % 5)]).await) }
        });
        for (number, told) in futures_util::future::join_all(asked).await {
            if number % 5 == 0 {
                assert_eq!(code(told), SqlState::DIVISION_BY_ZERO);
            } else {
                assert_eq!(told.unwrap().get::<_, i32>(0), 10 / (number % 5));
            }
        }
        // Simple and extended, prepared on the way, all at once.
        let words: [&(dyn ToSql + Sync); 2] = [&"one", &"two"];
        let (simple, prepared, one, failed, last) = tokio::join!(
            client.simple_query("SELECT 1"),
            client.prepare("SELECT $1::text || $2::text"),
            client.query_one("SELECT $1::text", &words[..1]),
            client.execute("SELECT nonsense", &[]),
            client.batch_execute("SELECT 2"),
        );
        assert_eq!(code(failed), SqlState::UNDEFINED_COLUMN);
        assert_eq!(one.unwrap().get::<_, &str>(0), "one");
        simple.unwrap();
        last.unwrap();
        let both = client.query_one(&prepared.unwrap(), &words).await.unwrap();
        assert_eq!(both.get::<_, &str>(0), "onetwo");
    })
    .await;
}

#[tokio::test]
async fn pipelines_of_many_clients_do_not_mix() {
    let (database, _pooler, place) = pooled(2).await;
    let mut clients = JoinSet::new();
    for number in 0..20 {
        let place = place.clone();
        clients.spawn(async move {
            let (client, _) = connect(&place).await;
            let statement = client.prepare("SELECT $1::int, $2::int, repeat('x', $2)").await.unwrap();
            let asked = (0..100).map(|round: i32| {
                let (client, statement) = (&client, &statement);
                async move {
                    let row = client.query_one(statement, &[&number, &round]).await.unwrap();
                    assert_eq!((row.get(0), row.get(1)), (number, round));
                    assert_eq!(row.get::<_, &str>(2).len(), usize::try_from(round).unwrap());
                }
            });
            futures_util::future::join_all(asked).await;
        });
    }
    soon("all clients", clients.join_all()).await;
    assert!(database.backends().await.len() <= 2);
}

#[tokio::test]
async fn transactions() {
    everywhere(async |place| {
        let (mut client, _) = connect(&place).await;
        let (other, _) = connect(&place).await;
        client.batch_execute("CREATE TABLE t (n int PRIMARY KEY)").await.unwrap();
        let insert = client.prepare("INSERT INTO t VALUES ($1)").await.unwrap();

        let mut transaction = client.transaction().await.unwrap();
        transaction.execute(&insert, &[&1]).await.unwrap();
        let inner = transaction.transaction().await.unwrap();
        inner.execute(&insert, &[&2]).await.unwrap();
        assert_eq!(code(inner.execute(&insert, &[&2]).await), SqlState::UNIQUE_VIOLATION);
        assert_eq!(code(inner.query("SELECT 1", &[]).await), SqlState::IN_FAILED_SQL_TRANSACTION);
        inner.rollback().await.unwrap();
        assert_eq!(count(&other).await, 0, "nothing is seen before it is committed");
        transaction.commit().await.unwrap();
        assert_eq!(count(&other).await, 1);

        // Dropped, it is rolled back: with a message that nobody waits for.
        let transaction = client.transaction().await.unwrap();
        transaction.execute(&insert, &[&3]).await.unwrap();
        drop(transaction);
        assert_eq!(count(&client).await, 1);

        let strict = client.build_transaction().isolation_level(IsolationLevel::Serializable).read_only(true);
        let transaction = strict.start().await.unwrap();
        let level = transaction.query_one("SHOW transaction_isolation", &[]).await.unwrap();
        assert_eq!(level.get::<_, &str>(0), "serializable");
        assert_eq!(code(transaction.execute(&insert, &[&4]).await), SqlState::READ_ONLY_SQL_TRANSACTION);
        drop(transaction);

        // A portal is asked for more, within the transaction that made it.
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("SELECT generate_series(1, 10)", &[]).await.unwrap();
        let mut sizes = Vec::new();
        for most in [3, 3, 9] {
            sizes.push(transaction.query_portal(&portal, most).await.unwrap().len());
        }
        assert_eq!(sizes, [3, 3, 4]);
        transaction.commit().await.unwrap();
        client.batch_execute("DROP TABLE t").await.unwrap();
    })
    .await;
}

async fn count(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn copies_in_and_out() {
    everywhere(async |place| {
        let (client, _) = connect(&place).await;
        client.batch_execute("CREATE TABLE t (n int, words text)").await.unwrap();

        let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
        let mut sink = pin!(sink);
        for n in 0..1_000 {
            sink.send(Bytes::from(format!("{n}\twords {n}\n"))).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 1_000);
        let out: Vec<Bytes> = client.copy_out("COPY t TO STDOUT").await.unwrap().try_collect().await.unwrap();
        assert_eq!(out.len(), 1_000);
        assert_eq!(out[999], "999\twords 999\n");

        let types = [Type::INT4, Type::TEXT];
        let sink = client.copy_in("COPY t FROM STDIN (FORMAT binary)").await.unwrap();
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for n in 1_000..2_000i32 {
            let row: [&(dyn ToSql + Sync); 2] = [&n, &None::<&str>];
            writer.as_mut().write(&row).await.unwrap();
        }
        assert_eq!(writer.finish().await.unwrap(), 1_000);
        let out = client.copy_out("COPY (SELECT * FROM t ORDER BY n) TO STDOUT (FORMAT binary)").await;
        let rows: Vec<_> = BinaryCopyOutStream::new(out.unwrap(), &types).try_collect().await.unwrap();
        assert_eq!(rows.len(), 2_000);
        assert_eq!(rows[500].get::<&str>(1), "words 500");
        assert_eq!(rows[1_500].get::<Option<&str>>(1), None);

        // Given up, it leaves nothing; broken by its data, it says so; and the connection goes on.
        let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
        let mut given_up = Box::pin(sink);
        given_up.send(Bytes::from("1\tone\n")).await.unwrap();
        drop(given_up);
        let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
        let mut broken = pin!(sink);
        broken.send(Bytes::from("no number\n")).await.unwrap();
        assert_eq!(code(broken.finish().await), SqlState::INVALID_TEXT_REPRESENTATION);
        // Who has enough of what comes out leaves the rest to be thrown away.
        let out = client.copy_out("COPY (SELECT generate_series(1, 100000)) TO STDOUT").await.unwrap();
        let mut left = Box::pin(out);
        assert_eq!(left.try_next().await.unwrap().unwrap(), "1\n");
        drop(left);
        assert_eq!(count(&client).await, 2_000);
        client.batch_execute("DROP TABLE t").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn cancelling_by_token() {
    let (database, _pooler, place) = pooled(2).await;
    let (client, _) = connect(&place).await;
    let (other, _) = connect(&place).await;
    for number in 0..3 {
        let sql = format!("SELECT pg_sleep(1000 + {number})");
        let runs = format!("state = 'active' AND query LIKE '%1000 + {number}%'");
        let others = format!("SELECT pg_sleep(2000 + {number})");
        let (told, spared, ()) =
            tokio::join!(client.batch_execute(&sql), other.batch_execute(&others), async {
                database.sessions_become(1, &runs).await;
                database.sessions_become(1, "state = 'active' AND query LIKE '%2000 +%'").await;
                client.cancel_token().cancel_query(NoTls).await.unwrap();
                database.sessions_become(0, &runs).await;
                // The other one is spared until it is its turn.
                database.sessions_become(1, "state = 'active' AND query LIKE '%2000 +%'").await;
                other.cancel_token().cancel_query(NoTls).await.unwrap();
            });
        assert_eq!(code(told), SqlState::QUERY_CANCELED);
        assert_eq!(code(spared), SqlState::QUERY_CANCELED);
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    }
}

#[tokio::test]
async fn notifications() {
    let (database, _pooler, place) = pooled(1).await;
    let mut listeners = Vec::new();
    for _ in 0..5 {
        let (client, heard) = connect(&place).await;
        client.batch_execute("LISTEN news").await.unwrap();
        listeners.push((client, heard));
    }
    let (mut speaker, _) = connect(&place).await;
    speaker.execute("SELECT pg_notify('news', $1)", &[&"first"]).await.unwrap();
    let transaction = speaker.transaction().await.unwrap();
    transaction.batch_execute("NOTIFY news, 'second'").await.unwrap();
    transaction.commit().await.unwrap();
    for (client, heard) in &mut listeners {
        for expected in ["news first", "news second"] {
            assert_eq!(soon("a notification", heard.recv()).await.as_deref(), Some(expected));
        }
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    }
    assert!(database.backends().await.len() <= 2, "one to work, one to listen");
}

#[tokio::test]
async fn errors_come_whole() {
    everywhere(async |place| {
        let (client, _) = connect(&place).await;
        client.batch_execute("CREATE TABLE t (n int CONSTRAINT small CHECK (n < 10))").await.unwrap();
        let error = client.execute("INSERT INTO t VALUES ($1)", &[&10]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code(), error.constraint()), (&SqlState::CHECK_VIOLATION, Some("small")));
        assert_eq!((error.table(), error.schema()), (Some("t"), Some("public")));
        let raised = "DO $$BEGIN RAISE EXCEPTION 'words' USING HINT = 'a hint', DETAIL = 'more', \
                      ERRCODE = 'ZX123'; END$$";
        let error = client.batch_execute(raised).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.message(), error.hint(), error.detail()), ("words", Some("a hint"), Some("more")));
        assert_eq!(error.code().code(), "ZX123");
        // One that a statement prepared before it meets: the table is another one.
        let statement = client.prepare("SELECT * FROM t").await.unwrap();
        client.query(&statement, &[]).await.unwrap();
        client.batch_execute("DROP TABLE t").await.unwrap();
        assert_eq!(code(client.query(&statement, &[]).await), SqlState::UNDEFINED_TABLE);
        assert_eq!(code(client.prepare("SELECT FROM WHERE").await), SqlState::SYNTAX_ERROR);
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
        assert!(!client.is_closed());
    })
    .await;
}
