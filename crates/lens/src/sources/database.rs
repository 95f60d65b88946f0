//! What the databases' servers say: sessions, connections, locks, deadlocks, replicas.
//!
//! One task for each database asks; a tick takes the means of what the answers said since the last. Locks are asked
//! for once a second, and five times a second for a while after somebody was seen to wait, so that short holds are counted
//! well enough. How often must not hang on the last answer: what is asked again where somebody waits, and not where nobody
//! does, has too little weight where somebody does.

mod questions;
mod scans;
mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deepwater_core::ask::{Ask, AskError, Question, Rows};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::Unknown;
use crate::facts::Facts;
use crate::store::Store;

use tally::Tally;

/// Time between two questions about locks while nobody waits, and while somebody may.
const CALM: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(200);
/// How long somebody may wait again who was seen to.
const BUSY_FOR: Duration = Duration::from_secs(20);
/// Time between two questions about what changes slowly.
const SLOW: Duration = Duration::from_secs(10);
/// Longest wait for an answer. A server that is busy is slow to say so.
const LIMIT: Duration = Duration::from_secs(3);
/// Time between two attempts at a server that cannot be asked.
const PAUSE: Duration = Duration::from_secs(5);

/// All databases that are asked.
pub(crate) struct Databases {
    ask: Option<Ask>,
    asked: BTreeMap<String, Asked>,
}

/// A database, and the task that asks.
struct Asked {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct State {
    tally: Tally,
    unknown: Option<String>,
}

impl Databases {
    pub(crate) fn new(ask: Option<Ask>) -> Self {
        Self { ask, asked: BTreeMap::new() }
    }

    /// Asks those that are configured, and no others. Must be called on a runtime.
    pub(crate) fn follow(&mut self, facts: &Facts) {
        let Some(ask) = &self.ask else { return };
        self.asked.retain(|name, _| facts.databases.iter().any(|database| database.name == *name));
        for database in &facts.databases {
            self.asked.entry(database.name.clone()).or_insert_with(|| {
                let state = Arc::new(Mutex::new(State::default()));
                let task =
                    tokio::spawn(keep_asking(Arc::clone(ask), database.name.clone(), Arc::clone(&state)));
                Asked { state, task }
            });
        }
    }

    /// Takes what was answered since the last tick.
    pub(crate) fn read(&mut self, store: &mut Store) {
        for (name, asked) in &self.asked {
            let tally = std::mem::take(&mut asked.state().tally);
            tally.tell(store, name);
        }
    }

    /// Which do not answer.
    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        let told = self.asked.iter().filter_map(|(name, asked)| {
            let why = asked.state().unknown.clone()?;
            Some(Unknown { what: format!("what the server of {name} does"), why })
        });
        told.collect()
    }
}

impl Asked {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while answers are held")
    }
}

async fn keep_asking(ask: Ask, database: String, state: Arc<Mutex<State>>) {
    let mut slow = questions::Slow::default();
    let mut slow_due = Instant::now();
    let mut busy_until = Instant::now();
    loop {
        let began = Instant::now();
        let due = began >= slow_due;
        slow_due = if due { began + SLOW } else { slow_due };
        let answered = round(&ask, &database, &state, due.then_some(&mut slow)).await;
        if let Ok(true) = answered {
            busy_until = began + BUSY_FOR;
        }
        let pause = match &answered {
            Ok(_) if began < busy_until => BUSY,
            Ok(_) => CALM,
            Err(AskError::TooSlow { .. } | AskError::Busy) => CALM,
            Err(_) => PAUSE,
        };
        note_unknown(&state, answered.err());
        sleep_until(began + pause).await;
    }
}

/// Asks once; whether somebody waits for a lock.
async fn round(
    ask: &Ask,
    database: &str,
    state: &Mutex<State>,
    slow: Option<&mut questions::Slow>,
) -> Result<bool, AskError> {
    let put = |sql: &'static str| {
        let question = Question { database: database.to_owned(), sql: sql.into(), limit: LIMIT };
        ask(question)
    };
    let sessions = put(questions::SESSIONS).await?;
    let locks = put(questions::LOCKS).await?;
    let waiting = note(state, |tally| {
        tally.sessions(&sessions);
        tally.locks(&locks)
    });
    if let Some(slow) = slow {
        // One that is refused (no such view, no such right) leaves the others.
        let server: Option<Rows> = put(questions::SERVER).await.ok();
        let tables = put(questions::TABLES).await.ok();
        let largest = put(questions::LARGEST).await.ok();
        let scans = put(scans::SCANS).await.ok();
        let now = std::time::Instant::now();
        note(state, |tally| {
            server.iter().for_each(|rows| slow.server(now, rows, tally));
            tables.iter().for_each(|rows| slow.tables(now, rows, tally));
            largest.iter().for_each(|rows| tally.largest(rows));
            scans.iter().for_each(|rows| slow.scans.answered(now, rows, tally));
        });
    }
    Ok(waiting)
}

fn note_unknown(state: &Mutex<State>, error: Option<AskError>) {
    let mut state = state.lock().expect("no panic while answers are held");
    state.unknown = error.map(|error| error.to_string()).or_else(|| state.tally.hidden());
}

fn note<T>(state: &Mutex<State>, with: impl FnOnce(&mut Tally) -> T) -> T {
    with(&mut state.lock().expect("no panic while answers are held").tally)
}
