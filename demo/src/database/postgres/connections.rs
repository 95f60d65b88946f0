//! Connections as applications have them that have not thought about it: each request takes one, and opens another when
//! none is idle. Many instances, many connections: this is how databases run out of them.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::DEADLINE;
use crate::database::DatabaseError;
use crate::server::OptionsError;

/// Connections of one instance.
const MOST: usize = 200;

pub(super) struct Connections {
    server: tokio_postgres::Config,
    idle: Mutex<Vec<Connection>>,
    /// Those that may still be opened.
    room: Arc<Semaphore>,
}

/// A connection, and the statements that were prepared on it, by their text.
pub(super) struct Connection {
    client: Client,
    statements: Statements,
    /// Whether a transaction is open, or may be.
    in_transaction: bool,
    _room: OwnedSemaphorePermit,
}

type Statements = HashMap<&'static str, Statement>;
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Connections {
    /// # Errors
    /// The address cannot be read.
    pub(super) fn new(url: &str, instance: &str) -> Result<Self, OptionsError> {
        let mut server: tokio_postgres::Config = url.parse().map_err(OptionsError::Database)?;
        if server.get_application_name().is_none() {
            server.application_name(instance);
        }
        Ok(Self { server, idle: Mutex::default(), room: Arc::new(Semaphore::new(MOST)) })
    }

    /// The connection used last, or a new one.
    pub(super) async fn take(&self) -> Result<Lease<'_>, DatabaseError> {
        let kept = self.idle().pop();
        let connection = match kept {
            Some(kept) => kept,
            None => in_time(self.open()).await?,
        };
        Ok(Lease { connections: self, connection: Some(connection) })
    }

    async fn open(&self) -> Result<Connection, DatabaseError> {
        let full = |_| DatabaseError::Failed(format!("{MOST} connections are in use"));
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(full)?;
        let (client, connection) = self.server.connect(NoTls).await?;
        // It ends with the client, which learns of errors by itself.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Connection { client, statements: Statements::new(), in_transaction: false, _room: room })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A single statement runs under the lock, so a panic elsewhere leaves the list sound.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It returns when dropped, and what was called off ends on its own; but when its transaction did not
/// end well, it is closed.
pub(super) struct Lease<'a> {
    connections: &'a Connections,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let whole = self.connection.take().filter(Connection::is_whole);
        self.connections.idle().extend(whole);
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there until dropped")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("there until dropped")
    }
}

impl Connection {
    fn is_whole(&self) -> bool {
        !self.client.is_closed() && !self.in_transaction
    }

    /// Runs a statement, which is prepared once.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, DatabaseError> {
        in_time(async {
            let statement = match self.statements.get(sql) {
                Some(known) => known.clone(),
                None => {
                    let prepared = self.client.prepare(sql).await?;
                    self.statements.insert(sql, prepared.clone());
                    prepared
                }
            };
            Ok(self.client.query(&statement, values).await?)
        })
        .await
    }

    /// Runs several statements that take no values.
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), DatabaseError> {
        in_time(async { Ok(self.client.batch_execute(sql).await?) }).await
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), DatabaseError> {
        self.in_transaction = true;
        let begun = self.script("BEGIN").await;
        // Refused, there is none; without an answer, nobody knows.
        self.in_transaction = !matches!(begun, Err(DatabaseError::Exhausted(_)));
        begun
    }

    /// Ends it well.
    pub(super) async fn commit(&mut self) -> Result<(), DatabaseError> {
        self.end("COMMIT").await
    }

    /// Ends it with nothing done.
    pub(super) async fn roll_back(&mut self) -> Result<(), DatabaseError> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, how: &str) -> Result<(), DatabaseError> {
        self.script(how).await?;
        self.in_transaction = false;
        Ok(())
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, DatabaseError> {
    timeout(DEADLINE, work).await.unwrap_or(Err(DatabaseError::Timeout(DEADLINE)))
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) if *said.code() == SqlState::TOO_MANY_CONNECTIONS => {
                Self::Exhausted(said.code().code().to_owned())
            }
            Some(said) => Self::Failed(format!("{} ({})", said.message(), said.code().code())),
            None => Self::Failed(error.to_string()),
        }
    }
}
