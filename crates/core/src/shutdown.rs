//! How everything ends: draining starts, work finishes within a deadline, then it stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The states of a process on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accept and serve.
    Running,
    /// Accept and serve, but say that one is about to leave, so that new work is sent elsewhere.
    Leaving,
    /// Accept nothing new; finish what is under way before the deadline.
    Draining {
        /// When the rest is cut.
        deadline: Instant,
    },
    /// End now.
    Stopped,
}

impl Phase {
    /// Whether new work is taken on.
    pub fn takes_work(self) -> bool {
        matches!(self, Self::Running | Self::Leaving)
    }
}

/// One signal all planes listen to, and a count of the work still under way. Clones share both.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: watch::Sender<Phase>,
    work: Arc<watch::Sender<usize>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), work: Arc::new(watch::Sender::new(0)) }
    }
}

impl Shutdown {
    /// Where the process stands.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Whether new work should still be taken on.
    pub fn is_running(&self) -> bool {
        self.phase().takes_work()
    }

    /// Says that a drain is to come; work is taken on until then.
    pub fn leave(&self) {
        self.phase.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Leaving;
            }
            running
        });
    }

    /// Starts draining; a second call may only bring the deadline nearer.
    pub fn drain(&self, within: Duration) {
        let wanted = Instant::now() + within;
        self.phase.send_if_modified(|phase| match phase {
            Phase::Running | Phase::Leaving => {
                *phase = Phase::Draining { deadline: wanted };
                true
            }
            Phase::Draining { deadline } if wanted < *deadline => {
                *deadline = wanted;
                true
            }
            Phase::Draining { .. } | Phase::Stopped => false,
        });
    }

    /// Ends everything now.
    pub fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    /// Resolves when draining (or stopping) begins.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            let _ = phase.wait_for(|phase| !phase.takes_work()).await;
        }
    }

    /// Resolves when work must be cut: the drain deadline has passed or a stop was asked for.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            loop {
                let now = *phase.borrow_and_update();
                let changed = phase.changed();
                match now {
                    Phase::Stopped => return,
                    Phase::Running | Phase::Leaving => {
                        if changed.await.is_err() {
                            return;
                        }
                    }
                    Phase::Draining { deadline } => {
                        if !matches!(tokio::time::timeout_at(deadline, changed).await, Ok(Ok(()))) {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Counts a piece of work as under way until the guard is dropped.
    pub fn work(&self) -> Work {
        self.work.send_modify(|n| *n += 1);
        Work { work: Arc::clone(&self.work) }
    }

    /// Resolves when draining has begun and no counted work is left, or when it must be cut.
    pub async fn drained(&self) {
        self.draining().await;
        let mut work = self.work.subscribe();
        tokio::select! {
            _ = work.wait_for(|n| *n == 0) => {}
            () = self.stopping() => {}
        }
    }
}

/// A piece of work that a drain waits for.
#[derive(Debug)]
pub struct Work {
    work: Arc<watch::Sender<usize>>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.work.send_modify(|n| *n -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_when_the_last_work_does() {
        let shutdown = Shutdown::default();
        let work = shutdown.work();
        shutdown.drain(Duration::from_secs(60));
        let drained = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        drop(work);
        drained.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_is_cut_at_its_deadline() {
        let shutdown = Shutdown::default();
        let _work = shutdown.work();
        let start = Instant::now();
        shutdown.drain(Duration::from_secs(5));
        shutdown.drain(Duration::from_secs(50));
        shutdown.drained().await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_about_to_leave_still_works() {
        let shutdown = Shutdown::default();
        let draining = tokio::spawn(shutdown.draining());
        shutdown.leave();
        tokio::task::yield_now().await;
        assert!(shutdown.is_running() && !draining.is_finished());
        assert_eq!(shutdown.phase(), Phase::Leaving);
        shutdown.drain(Duration::ZERO);
        draining.await.unwrap();
        shutdown.leave();
        assert!(!shutdown.is_running(), "there is no way back");
    }

    #[tokio::test]
    async fn a_stop_is_seen_at_once() {
        let shutdown = Shutdown::default();
        assert!(shutdown.is_running());
        shutdown.stop();
        shutdown.stopping().await;
        shutdown.draining().await;
    }
}
