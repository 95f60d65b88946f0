//! Slow work off the cores' event loops, and never more of it than the machine bears.
//!
//! A password takes tens of milliseconds of a processor. Some are hashed at once, some wait; whoever comes beyond that is
//! told to come again, so that guessing passwords in bulk does not starve everybody else.

use std::sync::Arc;
use std::time::Duration;

use deepwater_auth::{Job, Outcome};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Jobs that may wait for each that runs.
const WAITING_PER_RUNNING: usize = 32;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bounds how many passwords are hashed at once.
pub(super) struct Hashing {
    running: Arc<Semaphore>,
    /// Room for those that run or wait.
    room: Semaphore,
}

/// There is more to do than can be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl Hashing {
    /// Half of the processors hash at most: the others serve.
    pub fn of_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::bounded(cores.div_ceil(2), WAITING_PER_RUNNING)
    }

    fn bounded(running: usize, waiting_per_running: usize) -> Self {
        let room = Semaphore::new(running + running * waiting_per_running);
        Self { running: Arc::new(Semaphore::new(running)), room }
    }

    /// Runs a job on a thread where it delays nobody.
    pub async fn run(&self, job: Job) -> Result<Outcome, Busy> {
        self.run_blocking(move || job.run()).await
    }

    async fn run_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let _room = self.room.try_acquire().map_err(|_| Busy)?;
        let running = timeout(PATIENCE, Arc::clone(&self.running).acquire_owned()).await;
        let Ok(Ok(running)) = running else { return Err(Busy) };
        // The permit goes along: a client that leaves does not end the work.
        let done = spawn_blocking(move || {
            let _running = running;
            job()
        });
        done.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn beyond_its_bounds_nothing_is_hashed_or_waits() {
        let hashing = Arc::new(Hashing::bounded(1, 1));
        let (release, held) = mpsc::channel::<()>();
        let (started, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let run = |job: Box<dyn FnOnce() + Send>| {
            let hashing = Arc::clone(&hashing);
            tokio::spawn(async move { hashing.run_blocking(job).await })
        };
        let first = run(Box::new(move || {
            started.send(()).unwrap();
            held.recv().unwrap();
        }));
        begins.recv().await.unwrap();
        let second = run(Box::new(|| ()));
        while hashing.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.run_blocking(|| ()).await, Err(Busy), "no room");

        // Whoever leaves while his work is under way still takes its place.
        first.abort();
        assert!(first.await.is_err());
        assert_eq!(hashing.running.available_permits(), 0);
        release.send(()).unwrap();
        assert_eq!(second.await.unwrap(), Ok(()));
        assert_eq!(hashing.run_blocking(|| 7).await, Ok(7));
    }
}
