//! The largest message that PostgreSQL can make or take is nothing to hold either.

use super::{MIB, before, bounded, pooled};
use crate::support::pg_wire::{Pg, say, succeeded};

/// Two values that fill a message but for some hundred bytes: PostgreSQL allocates less than 1 GiB at once.
const VALUES: [usize; 2] = [1_000_000_000, 73_741_000];

/// What a COPY in binary begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A value of a thousand letters at a time, which the server has sooner than one of single ones.
fn values() -> String {
    let value = |length| format!("repeat(repeat('x', 1000), {})", length / 1_000);
    format!("SELECT {}, {}", value(VALUES[0]), value(VALUES[1]))
}

// One story, so that it is never two servers at a time that hold such messages several times over.
#[tokio::test]
async fn a_gibibyte_passes_in_every_direction() {
    let (database, pooler, place) = pooled().await;
    let owner = &database.user;
    let table = format!("CREATE UNLOGGED TABLE t (bytes bytea); ALTER TABLE t OWNER TO {owner}");
    database.admin().await.run(&table).await;
    let mut session = Pg::login(&place).await;
    session.run("SELECT 1").await;
    let before = before(&pooler);

    println!("a row");
    session.say(say::query(&values())).await;
    session.hear_until(b'T').await;
    // A count of columns, and a length for each value.
    assert_eq!(session.skip_message().await, (b'D', 2 + 4 + VALUES[0] + 4 + VALUES[1]));
    succeeded("a row", &session.hear_until(b'Z').await);
    bounded(&pooler, before);

    // In binary, so that the server need not look at each letter.
    println!("a COPY out");
    session.say(say::query(&format!("COPY ({}) TO STDOUT (FORMAT binary)", values()))).await;
    session.hear_until(b'H').await;
    assert_eq!(session.skip_message().await, (b'd', HEADER.len() + 2 + 4 + VALUES[0] + 4 + VALUES[1]));
    succeeded("a COPY out", &session.hear_until(b'Z').await);
    bounded(&pooler, before);

    println!("a COPY in");
    session.say(say::query("COPY t FROM STDIN (FORMAT binary) WHERE false")).await;
    session.hear_until(b'G').await;
    // A row of one column, and the end.
    let (mib, end) = (vec![b'x'; MIB], (-1i16).to_be_bytes());
    let value = 1_023 * MIB;
    let head = [HEADER, &1i16.to_be_bytes(), &u32::try_from(value).unwrap().to_be_bytes()].concat();
    let length = i32::try_from(4 + head.len() + value + end.len()).unwrap();
    session.say(say::with_length(b'd', length, &head)).await;
    for _ in 0..value / MIB {
        session.say(&mib).await;
    }
    session.say([&end[..], &say::copy_done()].concat()).await;
    assert_eq!(session.hear_until(b'Z').await[0].to_string(), "Complete COPY 0");
    bounded(&pooler, before);
    assert_eq!(session.value("SELECT 1").await, "1");
}
