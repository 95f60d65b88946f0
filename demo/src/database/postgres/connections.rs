//! Connections as applications have them that have not thought about it: each request takes one, and opens another when
//! none is idle. Many instances, many connections: this is how databases run out of them.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, GenericClient, NoTls, Row, Statement, Transaction};

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
        Ok(Connection { client, statements: Statements::new(), _room: room })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A single statement runs under the lock, so a panic elsewhere leaves the list sound.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It returns when dropped: what was called off ends on its own, and an open transaction is rolled
/// back before anything else is done.
pub(super) struct Lease<'a> {
    connections: &'a Connections,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let whole = self.connection.take().filter(|connection| !connection.client.is_closed());
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
    /// Runs one statement by itself.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, DatabaseError> {
        query(&self.client, &mut self.statements, sql, values).await
    }

    pub(super) async fn begin(&mut self) -> Result<Work<'_>, DatabaseError> {
        let Self { client, statements, .. } = self;
        let transaction = in_time(async { Ok(client.transaction().await?) }).await?;
        Ok(Work { transaction, statements })
    }
}

/// A transaction. Unless it is committed, it is rolled back when dropped.
pub(super) struct Work<'a> {
    transaction: Transaction<'a>,
    statements: &'a mut Statements,
}

impl Work<'_> {
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, DatabaseError> {
        query(&self.transaction, self.statements, sql, values).await
    }

    /// Runs several statements that take no values.
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), DatabaseError> {
        in_time(async { Ok(self.transaction.batch_execute(sql).await?) }).await
    }

    pub(super) async fn commit(self) -> Result<(), DatabaseError> {
        in_time(async { Ok(self.transaction.commit().await?) }).await
    }
}

/// Runs a statement, which is prepared once.
async fn query(
    client: &impl GenericClient,
    statements: &mut Statements,
    sql: &'static str,
    values: Values<'_>,
) -> Result<Vec<Row>, DatabaseError> {
    in_time(async {
        let statement = match statements.get(sql) {
            Some(known) => known.clone(),
            None => {
                let prepared = client.prepare(sql).await?;
                statements.insert(sql, prepared.clone());
                prepared
            }
        };
        Ok(client.query(&statement, values).await?)
    })
    .await
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
