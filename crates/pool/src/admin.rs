//! The administration database, `pgbouncer`: PgBouncer's console, with its commands, columns and words.

use std::rc::Rc;

use tokio::io::AsyncWriteExt;

use crate::login::Administrator;
use crate::worker::Worker;

/// Serves an administrator who has logged in, until he leaves.
pub(crate) async fn run(_worker: Rc<Worker>, mut client: Administrator) {
    let _ = client.stream.shutdown().await;
}
