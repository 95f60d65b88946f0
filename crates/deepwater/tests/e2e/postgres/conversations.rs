//! Word for word: through the pooler a conversation is what it is without one, also where texts that come again are prepared
//! once.

mod copying;
mod extended;
mod simple;

use crate::support::pg_wire::{Pg, Step, say};
use crate::support::postgres::{Place, Setup, Version};

/// Plays it with each server: directly, and through the pooler in both modes that keep transactions whole. What was
/// heard, which must be the same each time.
async fn heard(steps: &[Step]) -> Vec<String> {
    heard_in(&["session", "transaction"], steps).await
}

/// The same for what a server is used for alone, and so only in session mode.
async fn heard_in_session(steps: &[Step]) -> Vec<String> {
    heard_in(&["session"], steps).await
}

async fn heard_in(modes: &[&str], steps: &[Step]) -> Vec<String> {
    let (mut setup, mut databases) = (Setup::new(), Vec::new());
    for version in Version::ALL {
        let database = version.database().await;
        setup = setup.user(&database.user, &database.password);
        for mode in modes {
            setup = setup.alias(&format!("{mode}_{version:?}"), &database, &format!("mode = \"{mode}\""));
            let repeating = format!("mode = \"{mode}\"\nauto_prepare = true");
            setup = setup.alias(&format!("{mode}_{version:?}_repeating"), &database, &repeating);
        }
        databases.push((version, database));
    }
    let pooler = setup.start().await;
    let mut heard = Vec::new();
    for (version, database) in &databases {
        heard = play(database, steps).await;
        for mode in modes {
            let place = pooler.place(database).of(&format!("{mode}_{version:?}"));
            must_equal(&play(&place, steps).await, &heard, &format!("{mode} mode, {version:?}"));
            let place = pooler.place(database).of(&format!("{mode}_{version:?}_repeating"));
            for _ in 0..3 {
                must_equal(
                    &play(&place, steps).await,
                    &heard,
                    &format!("{mode} mode, repeating, {version:?}"),
                );
            }
        }
    }
    heard
}

/// Fails at the first difference.
fn must_equal(pooled: &[String], direct: &[String], what: &str) {
    let same = pooled.iter().zip(direct).take_while(|(pooled, direct)| pooled == direct).count();
    let (pooled_rest, direct_rest) = (&pooled[same..], &direct[same..]);
    let (pooled_next, direct_next) =
        (&pooled_rest[..pooled_rest.len().min(5)], &direct_rest[..direct_rest.len().min(5)]);
    assert_eq!(pooled_next, direct_next, "{what}: pooled and direct, after {same} equal messages");
}

/// Plays it in a session of its own, and leaves; nothing may come after it.
async fn play(place: &Place, steps: &[Step]) -> Vec<String> {
    let mut session = Pg::login(place).await;
    let mut heard = session.converse(steps).await;
    session.say(say::terminate()).await;
    heard.extend(session.hear_out().await.iter().map(ToString::to_string));
    heard
}

/// The first words of what was heard.
fn kinds(heard: &[String]) -> Vec<&str> {
    heard.iter().map(|words| words.split(' ').next().unwrap()).collect()
}
