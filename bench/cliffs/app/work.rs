//! What the application does for a request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::sql::Client;
use crate::system::{self, Mapping};

/// The answer to what is not about bytes.
const BODY_BYTES: usize = 1024;

/// The work of one thread.
pub trait Work: Send {
    /// Does it once, for `share` of the usual time; bytes of the answer's body.
    fn done(&mut self, share: f64) -> Result<usize>;
}

/// The work of all threads.
pub enum Kind {
    Sql { server: SocketAddr, user: String, database: String, queries: Vec<String> },
    Spin { time: Duration },
    Hold { bytes: usize, time: Duration, account: Arc<Account> },
    Send { bytes: usize },
}

impl Kind {
    pub fn parse(words: &[String]) -> Result<Self> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Ok(match words.as_slice() {
            ["sql", port, user, database, queries @ ..] => Self::Sql {
                server: SocketAddr::from(([127, 0, 0, 1], port.parse()?)),
                user: (*user).into(),
                database: (*database).into(),
                queries: queries.iter().map(|&query| query.into()).collect(),
            },
            ["spin", time] => Self::Spin { time: micros(time)? },
            ["hold", bytes, time, limit] => Self::Hold {
                bytes: bytes.parse()?,
                time: micros(time)?,
                account: Arc::new(Account::new(limit.parse()?)),
            },
            ["send", bytes] => Self::Send { bytes: bytes.parse()? },
            _ => return Err(format!("no such work: {}", words.join(" ")).into()),
        })
    }

    /// For one more thread.
    pub fn begin(&self) -> Box<dyn Work> {
        match self {
            Self::Sql { server, user, database, queries } => Box::new(Sql {
                server: *server,
                user: user.clone(),
                database: database.clone(),
                queries: queries.clone(),
                client: None,
            }),
            Self::Spin { time } => Box::new(Spin { time: *time }),
            Self::Hold { bytes, time, account } => {
                Box::new(Hold { bytes: *bytes, time: *time, account: Arc::clone(account) })
            }
            Self::Send { bytes } => Box::new(Answer { bytes: *bytes }),
        }
    }
}

fn micros(text: &str) -> Result<Duration> {
    Ok(Duration::from_micros(text.parse()?))
}

struct Sql {
    server: SocketAddr,
    user: String,
    database: String,
    queries: Vec<String>,
    /// Made when it is first needed, and again after an error.
    client: Option<Client>,
}

impl Work for Sql {
    fn done(&mut self, _share: f64) -> Result<usize> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.server, &self.user, &self.database)?,
        };
        for query in &self.queries {
            client.run(query)?;
        }
        self.client = Some(client);
        Ok(BODY_BYTES)
    }
}

struct Spin {
    time: Duration,
}

impl Work for Spin {
    /// Of the thread's own processor time: on a busy machine it takes longer, but is no less work.
    fn done(&mut self, share: f64) -> Result<usize> {
        let until = system::thread_time()? + self.time.mul_f64(share);
        while system::thread_time()? < until {}
        Ok(BODY_BYTES)
    }
}

/// The memory of the process as the threads account for it.
pub struct Account {
    limit: usize,
    /// Of the process before its first request.
    base: OnceLock<usize>,
    held: AtomicUsize,
}

impl Account {
    fn new(limit: usize) -> Self {
        Self { limit, base: OnceLock::new(), held: AtomicUsize::new(0) }
    }

    /// Refuses what the process has no room for, as a runtime with a limit on its heap does.
    fn take(self: &Arc<Self>, bytes: usize) -> Result<Taken> {
        let base = *self.base.get_or_init(system::resident_bytes);
        let held = self.held.fetch_add(bytes, Ordering::Relaxed);
        let taken = Taken { account: Arc::clone(self), bytes };
        if base + held + bytes > self.limit { Err("out of memory".into()) } else { Ok(taken) }
    }
}

struct Taken {
    account: Arc<Account>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.account.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Hold {
    bytes: usize,
    time: Duration,
    account: Arc<Account>,
}

impl Work for Hold {
    fn done(&mut self, share: f64) -> Result<usize> {
        let _taken = self.account.take(self.bytes)?;
        let mut memory = Mapping::new(self.bytes)?;
        memory.touch();
        thread::sleep(self.time.mul_f64(share));
        Ok(BODY_BYTES)
    }
}

struct Answer {
    bytes: usize,
}

impl Work for Answer {
    fn done(&mut self, _share: f64) -> Result<usize> {
        Ok(self.bytes)
    }
}
