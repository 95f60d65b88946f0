//! Word for word: through the pooler a conversation is what it is without one.

mod copying;
mod extended;
mod simple;

use crate::support::pg_wire::{Pg, Step, say};
use crate::support::postgres::{Place, Version};

/// Plays it with each server; what was heard, which must be the same each time.
async fn heard(steps: &[Step]) -> Vec<String> {
    let mut all = Vec::new();
    for version in Version::ALL {
        let database = version.database().await;
        all.push(play(&database, steps).await);
    }
    all.swap_remove(0)
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
