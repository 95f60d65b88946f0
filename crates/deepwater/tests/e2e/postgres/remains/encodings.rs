//! Values of settings in whatever encoding the client speaks.

use super::turns;
use crate::support::pg_wire::say::message;
use crate::support::pg_wire::{Pg, Reply, succeeded};
use crate::support::postgres::Version;

/// A text in Latin 1.
fn latin1(sql: &str) -> Vec<u8> {
    let bytes: Vec<u8> = sql.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).chain([0]).collect();
    message(b'Q', &bytes)
}

/// What the server has, as the bytes it is in UTF-8.
async fn seen(session: &mut Pg) -> String {
    session.value("SELECT encode(convert_to(current_setting('app.x', true), 'UTF8'), 'hex')").await
}

#[tokio::test]
async fn values_are_what_they_were_in_every_encoding() {
    let (database, pooler, mut client, mut other) = turns(Version::Newest).await;
    client.run("SET client_encoding = 'LATIN1'").await;
    assert_eq!(other.value("SHOW client_encoding").await, "UTF8");
    // No UTF-8, and UTF-8 by chance.
    for (value, hex) in [("é", "c3a9"), ("Ã©", "c383c2a9")] {
        let told: Vec<Reply> = client.ask(latin1(&format!("SET app.x = '{value}'"))).await;
        succeeded("SET", &told);
        assert_eq!(seen(&mut client).await, hex);
    }
    client.run("DISCARD ALL").await;
    // A client that speaks UTF-8, behind one that does not.
    other.run("SET app.x = 'é'").await;
    for _ in 0..2 {
        client.run("SET client_encoding = 'LATIN1'").await;
        assert_eq!(seen(&mut client).await, "");
        assert_eq!(seen(&mut other).await, "c3a9");
    }
    assert_eq!(other.value("SHOW client_encoding").await, "UTF8");
    assert_eq!(client.value("SHOW client_encoding").await, "LATIN1");
    // One that goes from the one to the other.
    other.run("SET client_encoding = 'LATIN1'").await;
    client.run("SELECT 1").await;
    assert_eq!(seen(&mut other).await, "c3a9");
    other.run("SET client_encoding = 'UTF8'").await;
    client.run("SELECT 1").await;
    assert_eq!(seen(&mut other).await, "c3a9");
    // One whose encoding does not have it.
    other.run("SET app.x = '漢'").await;
    other.run("SET client_encoding = 'LATIN1'").await;
    client.run("SELECT 1").await;
    assert_eq!(seen(&mut other).await, "e6bca2");
    client.run("SELECT 1").await;
    other.run("RESET client_encoding").await;
    client.run("SELECT 1").await;
    assert_eq!(seen(&mut other).await, "e6bca2");
    // In a transaction, and by a computed value.
    client.run("BEGIN; SET app.y = '1'; SELECT set_config('app.x', chr(233), false) IS NULL; COMMIT").await;
    assert_eq!(seen(&mut client).await, "c3a9");
    client.leave().await;
    assert_eq!(seen(&mut other).await, "e6bca2");
    assert_eq!(seen(&mut Pg::login(&pooler.place(&database)).await).await, "");
}

/// What a client's encoding cannot say is not asked for again and again: who has it keeps the server.
#[tokio::test]
async fn what_cannot_be_said_pins() {
    let (database, pooler, mut client, _) = turns(Version::Newest).await;
    client.run("SET client_encoding = 'LATIN1'").await;
    let set = "DO $$ BEGIN PERFORM set_config('app.x', chr(28450), false); END $$";
    client.run(set).await;
    client.run("SELECT 1").await;
    client.run("SELECT set_config('app.x', chr(233), false) IS NULL").await;
    assert_eq!(seen(&mut client).await, "c3a9");
    client.leave().await;
    let mut next = Pg::login(&pooler.place(&database)).await;
    assert_eq!(seen(&mut next).await, "");
    assert_eq!(next.value("SHOW client_encoding").await, "UTF8");
}
