//! LISTEN in transaction mode: any number of clients, one connection that listens.

use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Version, python};

async fn one_server() -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 1").await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// The next notification, whatever is said before it.
async fn next(session: &mut Pg) -> String {
    session.hear_until(b'A').await.pop().unwrap().to_string()
}

#[tokio::test]
async fn many_listen_and_hold_no_server() {
    let (database, _pooler, place) = one_server().await;
    let mut listeners = Vec::new();
    for number in 0..30 {
        let mut listener = Pg::login(&place).await;
        listener.run("LISTEN news").await;
        listener.run(&format!("LISTEN \"Odd {}\"", number % 3)).await;
        listeners.push(listener);
    }
    let mut speaker = Pg::login(&place).await;
    speaker.run("NOTIFY news, 'to all'").await;
    speaker.run("SELECT pg_notify('Odd 1', 'to some'); NOTIFY nobody, 'lost'").await;
    speaker.run("NOTIFY news, 'the end'").await;
    for (number, listener) in listeners.iter_mut().enumerate() {
        assert_eq!(next(listener).await, "Notification news \"to all\"");
        if number % 3 == 1 {
            assert_eq!(next(listener).await, "Notification Odd 1 \"to some\"");
        }
        assert_eq!(next(listener).await, "Notification news \"the end\"");
    }
    assert!(database.backends().await.len() <= 2, "one to work, one to listen");
    assert_eq!(listeners[0].value("SELECT 1").await, "1");
}

/// As drivers do that know no simple query: with a statement that has a name, prepared before, or with none.
#[tokio::test]
async fn those_who_speak_the_extended_protocol_hold_no_server_either() {
    let (database, _pooler, place) = one_server().await;
    let mut listeners = Vec::new();
    for number in 0..10 {
        let mut listener = Pg::login(&place).await;
        if number % 2 == 0 {
            listener.say(say::extended("LISTEN news", &[])).await;
        } else {
            listener.say([say::parse("mine", "LISTEN news"), say::sync()].concat()).await;
            listener.hear_until(b'Z').await;
            listener.say([say::bind("", "mine", &[]), say::execute("", 0), say::sync()].concat()).await;
        }
        let told: Vec<_> = listener.hear_until(b'Z').await.iter().map(ToString::to_string).collect();
        let direct: &[&str] = match number % 2 {
            0 => &["ParseComplete", "BindComplete", "NoData", "Complete LISTEN", "Ready I"],
            _ => &["BindComplete", "Complete LISTEN", "Ready I"],
        };
        assert_eq!(told, direct);
        listeners.push(listener);
    }
    Pg::login(&place).await.run("NOTIFY news, 'to all'").await;
    for listener in &mut listeners {
        assert_eq!(next(listener).await, "Notification news \"to all\"");
    }
    assert!(database.backends().await.len() <= 2, "one to work, one to listen");
    // One that gives up hears nothing more; the statement without a name can be bound again.
    let listener = &mut listeners[0];
    listener.say(say::extended("UNLISTEN *", &[])).await;
    listener.hear_until(b'Z').await;
    Pg::login(&place).await.run("NOTIFY news, 'lost'").await;
    listener.say([say::bind("", "", &[]), say::execute("", 0), say::sync()].concat()).await;
    let told: Vec<_> = listener.hear_until(b'Z').await.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["BindComplete", "Complete UNLISTEN", "Ready I"]);
    assert_eq!(listener.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn listeners_of_asyncpg_hold_no_server() {
    let (_database, _pooler, place) = one_server().await;
    python(&place, "asyncpg_listeners.py", &[]).await.good();
}

#[tokio::test]
async fn after_unlisten_nothing_is_heard() {
    let (_database, _pooler, place) = one_server().await;
    let (mut listener, mut speaker) = (Pg::login(&place).await, Pg::login(&place).await);
    let in_a_text = ["UNLISTEN *; RESET ALL", "BEGIN; UNLISTEN b; UNLISTEN a; COMMIT"];
    for unlisten in ["UNLISTEN a", "UNLISTEN *", "DISCARD ALL", "extended"].into_iter().chain(in_a_text) {
        listener.run("LISTEN a").await;
        listener.run("LISTEN b").await;
        speaker.run("NOTIFY a, '1'").await;
        assert_eq!(next(&mut listener).await, "Notification a \"1\"");
        if unlisten == "extended" {
            listener.say(say::extended("UNLISTEN *", &[])).await;
            listener.hear_until(b'Z').await;
        } else {
            listener.run(unlisten).await;
        }
        speaker.run("NOTIFY a, '2'").await;
        speaker.run("NOTIFY b, '3'").await;
        let mut heard = listener.query("LISTEN last").await;
        speaker.run("NOTIFY last").await;
        heard.extend(listener.hear_until(b'A').await);
        while !heard.last().unwrap().to_string().contains("last") {
            heard.extend(listener.hear_until(b'A').await);
        }
        heard.retain(|reply| reply.tag == b'A');
        heard.pop();
        let heard: Vec<_> = heard.iter().map(ToString::to_string).collect();
        let expected: &[&str] = if unlisten == "UNLISTEN a" { &["Notification b \"3\""] } else { &[] };
        assert_eq!(heard, expected, "{unlisten}");
        listener.run("UNLISTEN *").await;
    }
}

#[tokio::test]
async fn listening_begins_and_ends_with_its_transaction() {
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "pool_size = 3").await;
    let place = pooler.place(&database);
    let mut listener = Pg::login(&place).await;
    listener.run("BEGIN; LISTEN undone").await;
    listener.run("ROLLBACK").await;
    listener.run("BEGIN; LISTEN done").await;
    listener.run("COMMIT").await;
    listener.error("LISTEN failed; SELECT 1 / 0").await;
    let mut speaker = Pg::login(&place).await;
    speaker.run("NOTIFY undone; NOTIFY failed").await;
    speaker.run("NOTIFY done, 'heard'").await;
    assert_eq!(next(&mut listener).await, "Notification done \"heard\"");
}

#[tokio::test]
async fn what_is_notified_in_a_transaction_comes_after_it() {
    let (_database, _pooler, place) = one_server().await;
    let mut listener = Pg::login(&place).await;
    listener.run("LISTEN news").await;
    let mut speaker = Pg::login(&place).await;
    speaker.run("BEGIN; NOTIFY news, 'undone'; ROLLBACK").await;
    speaker.run("BEGIN").await;
    speaker.run("NOTIFY news, 'done'").await;
    speaker.run("COMMIT").await;
    assert_eq!(next(&mut listener).await, "Notification news \"done\"");
}

#[tokio::test]
async fn an_idle_listener_is_told_at_once() {
    let (database, _pooler, place) = one_server().await;
    let mut listener = Pg::login(&place).await;
    listener.run("LISTEN news").await;
    for round in 0..3 {
        // From outside of the pooler too.
        database.session().await.run(&format!("NOTIFY news, '{round}'")).await;
        assert_eq!(listener.hear().await.to_string(), format!("Notification news \"{round}\""));
    }
}

#[tokio::test]
async fn notifications_wait_for_the_end_of_an_answer() {
    let (database, _pooler, place) = one_server().await;
    let mut listener = Pg::login(&place).await;
    listener.run("LISTEN news").await;
    listener.run("BEGIN").await;
    database.session().await.run("NOTIFY news, 'meanwhile'").await;
    let told = listener.query("SELECT generate_series(1, 3)").await;
    let kinds: String = told.iter().map(|reply| char::from(reply.tag)).filter(|tag| *tag != 'A').collect();
    assert_eq!(kinds, "TDDDCZ", "nothing comes between: {told:?}");
    listener.say(say::query("COMMIT")).await;
    if !told.iter().any(|reply| reply.tag == b'A') {
        next(&mut listener).await;
    }
}

#[tokio::test]
async fn who_listens_learns_that_nobody_listens_for_it_any_more() {
    let (database, _pooler, place) = one_server().await;
    for _ in 0..2 {
        let mut listener = Pg::login(&place).await;
        listener.run("LISTEN news").await;
        database.admin().await.run("NOTIFY news, 'heard'").await;
        assert_eq!(next(&mut listener).await, "Notification news \"heard\"");
        // What is said from now on may be lost, as when a server ends its session.
        database.terminate_backends().await;
        let told = listener.hear_out().await;
        assert!(told.iter().any(|reply| reply.tag == b'E' && reply.field('S') == "FATAL"), "{told:?}");
    }
}
