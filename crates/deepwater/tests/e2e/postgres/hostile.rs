//! Input that nobody sends by accident: refused, logged, and nobody else notices.

use std::time::SystemTime;

use deepwater_core::random::Random;

use crate::support::UNWATCHED;
use crate::support::pg_wire::say::{
    bind, execute, message, parse, query, startup, sync, untagged, with_length,
};
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};
use crate::support::{Origin, Visit};

async fn pooled(keys: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, &format!("{keys}\n{UNWATCHED}")).await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

async fn still_serves(place: &Place) {
    assert_eq!(Pg::login(place).await.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn first_packets_that_are_none() {
    let (_database, _pooler, place) = pooled("").await;
    let user = place.user.clone();
    let packets: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 8],
        vec![0xff; 64],
        0u32.to_be_bytes().to_vec(),
        7u32.to_be_bytes().to_vec(),
        [&8u32.to_be_bytes()[..], &[0; 4]].concat(),
        10_001u32.to_be_bytes().to_vec(),
        u32::MAX.to_be_bytes().to_vec(),
        0x7fff_ffffu32.to_be_bytes().to_vec(),
        untagged(&[0, 2, 0, 0, 0]),
        untagged(&[0, 4, 0, 0, 0]),
        untagged(&[0, 3, 0, 0]),
        untagged(b"\0\x03\0\0user\0"),
        untagged(b"\0\x03\0\0user\0no end"),
        untagged(b"\0\x03\0\0user\0somebody\0"),
        untagged(b"\0\x03\0\0\0"),
        untagged(b"\0\x03\0\0user\0\0\0"),
        untagged(b"\0\x03\0\0user\0\xff\xfe\0\0"),
        untagged(b"\0\x03\0\0user\0somebody\0\0trailing"),
        startup(0, &[("user", &user), ("database", &"d".repeat(9_900))]),
        startup(0, &[("user", &"u".repeat(5_000))]),
        startup(0, &[("user", &user), ("options", "-c")]),
        startup(0, &[("user", &user), ("options", "-c nonsense")]),
        startup(0, &[("user", &user), ("replication", "maybe")]),
        startup(0, &[("user", &user), ("nonsense parameter", "1")]),
        [say::ssl_request(), say::ssl_request(), say::ssl_request()].concat(),
        [say::gss_request(), say::gss_request(), say::gss_request()].concat(),
    ];
    for packet in packets {
        let mut session = Pg::dial(&place).await;
        session.say(&packet).await;
        session.finish().await;
        let heard = session.bytes_until_closed().await;
        assert!(!heard.windows(9).any(|part| part == b"R\0\0\0\x08\0\0\0\0"), "let in: {packet:?}");
    }
    still_serves(&place).await;
}

#[tokio::test]
async fn a_flood_of_connections_that_say_nothing() {
    let (_database, pooler, place) = pooled("[postgres.timeouts]\nclient_login = \"2s\"").await;
    let before = pooler.resident_bytes();
    let packet = startup(0, &[("user", &place.user), ("database", &place.database)]);
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut session = Pg::dial(&place).await;
        session.say(&packet[..number % packet.len()]).await;
        silent.push(session);
    }
    still_serves(&place).await;
    let each = pooler.resident_bytes().saturating_sub(before) / 300;
    assert!(each < 64 * 1024, "{each} bytes for each");
    for mut session in silent {
        session.hear_out().await;
    }
    still_serves(&place).await;
}

#[tokio::test]
async fn messages_with_lengths_that_cannot_be() {
    let (database, _pooler, place) = pooled("pool_size = 1").await;
    for tag in *b"QPBDECSHFdcfXpZ\0\xff" {
        for length in [i32::MIN, -1, 0, 3, 0x7fff_ffff] {
            let mut session = Pg::login(&place).await;
            session.say(with_length(tag, length, b"")).await;
            session.finish().await;
            let told = session.hear_out().await;
            assert!(told.iter().all(|reply| reply.tag != b'D'), "{tag} {length}: {told:?}");
        }
    }
    still_serves(&place).await;
    assert!(database.backends().await.len() <= 1);
}

#[tokio::test]
async fn messages_that_clients_do_not_send() {
    let (_database, _pooler, place) = pooled("pool_size = 1").await;
    for tag in *b"Z1234TRKNA\x01~y" {
        let mut session = Pg::login(&place).await;
        session.run("BEGIN").await;
        session.say([message(tag, b"\0\0\0\0"), query("SELECT 1")].concat()).await;
        session.finish().await;
        session.hear_out().await;
    }
    still_serves(&place).await;
}

#[tokio::test]
async fn a_text_too_large_to_understand_is_refused_or_passed_on_alone() {
    let (_database, pooler, place) = pooled("pool_size = 1\nmax_message_size = \"64KiB\"").await;
    let before = pooler.resident_bytes();
    for text in [
        format!("SELECT length('{}')", "x".repeat(200_000)),
        format!("SET custom.word = 'leak'; SELECT length('{}')", "x".repeat(50_000_000)),
    ] {
        for said in [query(&text), [parse("s", &text), bind("", "s", &[]), execute("", 0), sync()].concat()] {
            let mut session = Pg::login(&place).await;
            session.say(&said).await;
            session.hear_out_or_ready().await;
            drop(session);
            let mut next = Pg::login(&place).await;
            assert_eq!(next.value("SELECT current_setting('custom.word', true)").await, "");
        }
    }
    assert!(pooler.resident_bytes() < before + 32 * 1024 * 1024);
}

#[tokio::test]
async fn random_messages_hurt_nobody() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let (database, _pooler, place) = pooled("pool_size = 2").await;
    let texts =
        ["SELECT 1", "BEGIN", "COMMIT", "nonsense", "", "COPY (SELECT 1) TO STDOUT", "SELECT $1::int"];
    for _ in 0..60 {
        let mut session = Pg::login(&place).await;
        for _ in 0..random.below(12) {
            let (text, name) = (texts[random.below(texts.len())], ["", "a", "b"][random.below(3)]);
            let said = match random.below(14) {
                0 => query(text),
                1 | 2 => parse(name, text),
                3 | 4 => bind(name, ["", "a", "b"][random.below(3)], &[Some("1")]),
                5 => execute(name, random.below(3) as u32),
                6 => say::describe_statement(name),
                7 => say::describe_portal(name),
                8 => say::close_statement(name),
                9 => sync(),
                10 => say::flush(),
                11 => say::copy_data("x"),
                12 => say::copy_fail("x"),
                _ => {
                    let bytes: Vec<u8> = (0..random.below(20)).map(|_| random.next_u64() as u8).collect();
                    message(b"QPBEDCFdf"[random.below(9)], &bytes)
                }
            };
            session.say(said).await;
        }
        session.finish().await;
        session.hear_out().await;
    }
    for _ in 0..3 {
        still_serves(&place).await;
    }
    database.sessions_become(0, "state <> 'idle'").await;
    assert!(database.backends().await.len() <= 2);
}

/// A server that does what it is told to after it has been asked for a session.
async fn fake_server<S, F>(script: S) -> (Origin, Pooler, Place)
where
    S: Fn(Visit) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let script = std::sync::Arc::new(script);
    let origin = Origin::scripted(move |mut visit| {
        let script = std::sync::Arc::clone(&script);
        async move {
            loop {
                let length = u32::from_be_bytes(visit.bytes(4).await.try_into().unwrap());
                let packet = visit.bytes(length as usize - 4).await;
                if packet[..2] == [0, 3] {
                    return script(visit).await;
                }
                visit.send("N").await;
            }
        }
    })
    .await;
    let section =
        format!("[postgres.databases.fake]\nprimary = \"postgres://fake:fake@{}/fake\"", origin.address);
    let timeouts = "[postgres.timeouts]\nmax_wait = \"2s\"\nserver_connect = \"2s\"\nquery = \"2s\"";
    let pooler = Setup::new().with(timeouts).section(&section).user("client", "client").start().await;
    let place = Place {
        address: pooler.address,
        database: "fake".into(),
        user: "client".into(),
        password: "client".into(),
    };
    (origin, pooler, place)
}

fn report(fields: &[u8]) -> Vec<u8> {
    message(b'E', &[fields, b"\0"].concat())
}

fn welcome() -> Vec<u8> {
    [
        message(b'R', &[0; 4]),
        message(b'S', b"server_version\x0018\0"),
        message(b'K', b"\0\0\0\x01\0\0\0\x02"),
        message(b'Z', b"I"),
    ]
    .concat()
}

/// What a client hears of a server that answers so when it is asked to log in.
async fn logging_in_to(answer: Vec<u8>) -> String {
    let what = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
    let (_origin, pooler, place) = fake_server(move |mut visit| {
        let answer = answer.clone();
        async move {
            visit.send(&answer).await;
            visit.linger().await;
        }
    })
    .await;
    let told = match Pg::try_login(&place).await {
        Ok(mut session) => session.query_or_end("SELECT 1").await,
        Err(refused) => vec![refused],
    };
    let error = told.iter().find(|reply| reply.tag == b'E').unwrap_or_else(|| panic!("{what:?}: {told:?}"));
    pooler.page("/healthz").await;
    format!("{error}")
}

#[tokio::test]
async fn servers_that_answer_a_login_with_nonsense() {
    let scram = |rest: &str| message(b'R', &[&11u32.to_be_bytes()[..], rest.as_bytes()].concat());
    let sasl = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    for answer in [
        // CVE-2026-6666: no SQLSTATE.
        report(b"SFATAL\0Mwithout a code\0"),
        report(b""),
        message(b'E', b""),
        message(b'E', b"M"),
        report(b"C\0M\0"),
        message(b'R', b""),
        message(b'R', b"\0\0\0\x63"),
        message(b'R', b"\0\0\0\x05"),
        message(b'R', b"\0\0\0\x0a"),
        message(b'R', b"\0\0\0\x0aSCRAM-SHA-512\0\0"),
        // CVE-2026-6665: a nonce without end.
        [sasl.clone(), scram(&format!("r={},s=c2FsdA==,i=4096", "x".repeat(20_000)))].concat(),
        [sasl.clone(), scram("r=another,s=c2FsdA==,i=4096")].concat(),
        [sasl.clone(), scram("")].concat(),
        [sasl, message(b'R', &[0; 4])].concat(),
        with_length(b'R', 0, b""),
        with_length(b'R', -1, b""),
        with_length(b'E', 0x7fff_ffff, b"SFATAL\0"),
        with_length(b'S', 0x3fff_ffff, b"x"),
        message(b'Z', b"I"),
        message(b'D', b"\0\0"),
        message(b'T', b""),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        [message(b'R', &[0; 4]), message(b'K', b"")].concat(),
        [message(b'R', &[0; 4]), message(b'Z', b"")].concat(),
        [message(b'R', &[0; 4]), message(b'Z', b"X")].concat(),
    ] {
        let told = logging_in_to(answer).await;
        assert!(told.contains("C:"), "a client is always told a code: {told}");
    }
}

#[tokio::test]
async fn servers_that_answer_a_query_with_nonsense() {
    for answer in [
        report(b"SERROR\0Mwithout a code\0"),
        message(b'E', b""),
        with_length(b'D', 3, b""),
        with_length(b'D', -1, b""),
        message(b'Z', b""),
        message(b'Z', b"X"),
        [message(b'Z', b"I"), message(b'Z', b"I"), message(b'Z', b"I")].concat(),
        message(b'G', b"\0\0\0"),
        message(b'1', b""),
        message(b'R', &[0; 4]),
        message(b'~', b"what is this"),
        with_length(b'C', 1_000, b"SELECT"),
        b"nonsense".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let (_origin, pooler, place) = fake_server(move |mut visit| {
            let answer = answer.clone();
            async move {
                visit.send(welcome()).await;
                visit.some_bytes().await;
                visit.send(&answer).await;
                // Breaks off, so that what is not an answer does not count as a slow one.
            }
        })
        .await;
        let mut session = Pg::login(&place).await;
        session.say(query("SELECT 1")).await;
        session.bytes_until_closed_or_ready().await;
        assert_eq!(pooler.page("/healthz").await.status(), 200, "{shown:?}");
    }
}
