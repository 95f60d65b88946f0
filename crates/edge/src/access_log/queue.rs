//! Batches of lines on their way from the cores to the writer.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::output::Output;

/// Bytes that may wait for the writer.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How often the writer looks whether its file was rotated away.
const ROTATION_CHECK: Duration = Duration::from_secs(1);

/// A bounded queue. Its lock is held for a few instructions at a time, never while anything is written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when there is work.
    work: Condvar,
    /// Told when work is done.
    done: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<(Vec<u8>, u64)>,
    bytes: usize,
    /// Batches ever taken in, and ever written or given up.
    taken: u64,
    finished: u64,
    reopen: bool,
    closed: bool,
}

impl Queue {
    /// Takes a batch in, or drops it when too much waits already or the log is closed.
    pub(super) fn push(&self, text: Vec<u8>, lines: u64) {
        let mut state = self.state();
        if state.closed || state.bytes + text.len() > MAX_BYTES {
            drop(state);
            self.dropped.fetch_add(lines, Relaxed);
            return;
        }
        state.bytes += text.len();
        state.taken += 1;
        state.batches.push_back((text, lines));
        self.work.notify_one();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    pub(super) fn reopen(&self) {
        self.state().reopen = true;
        self.work.notify_one();
    }

    /// Waits until what was taken in so far is written; whether it was in time.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let state = self.state();
        let wanted = state.taken;
        let (state, _) = self
            .done
            .wait_timeout_while(state, within, |state| state.finished < wanted)
            .expect("no panic while the queue is held");
        state.finished >= wanted
    }

    /// Takes nothing in any more, and waits until the rest is written.
    pub(super) fn close(&self, within: Duration) {
        self.state().closed = true;
        self.work.notify_one();
        self.flush(within);
    }

    /// The writer: writes until the queue is closed and empty.
    pub(super) fn write_to(&self, mut output: Output) {
        let mut checked = Instant::now();
        loop {
            let mut state = self
                .work
                .wait_while(self.state(), |state| state.batches.is_empty() && !state.reopen && !state.closed)
                .expect("no panic while the queue is held");
            let reopen = std::mem::take(&mut state.reopen);
            let batches = std::mem::take(&mut state.batches);
            state.bytes = 0;
            let last = state.closed;
            drop(state);

            if reopen {
                output.reopen();
            } else if checked.elapsed() >= ROTATION_CHECK {
                checked = Instant::now();
                output.reopen_if_rotated();
            }
            let finished = batches.len() as u64;
            for (text, lines) in batches {
                if output.write_all(&text).is_err() {
                    self.dropped.fetch_add(lines, Relaxed);
                }
            }
            // Nothing is told about a failing flush: standard output alone buffers, and only whole batches count.
            let _ = output.flush();
            self.state().finished += finished;
            self.done.notify_all();
            if last {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the queue is held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, mpsc};

    const SOON: Duration = Duration::from_secs(10);

    /// A slow log: tells that it was asked to write, then waits to be let.
    struct Gate {
        asked: mpsc::Sender<()>,
        let_through: mpsc::Receiver<io::Result<()>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.send(()).unwrap();
            self.let_through.recv().unwrap().map(|()| bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Arc<Queue>, mpsc::Receiver<()>, mpsc::Sender<io::Result<()>>) {
        let (asked, was_asked) = mpsc::channel();
        let (open, let_through) = mpsc::channel();
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        std::thread::spawn(move || writer.write_to(Output::Other(Box::new(Gate { asked, let_through }))));
        (queue, was_asked, open)
    }

    #[test]
    fn a_slow_log_costs_lines_not_requests() {
        let (queue, was_asked, open) = gate();
        queue.push(vec![0; 10], 1);
        was_asked.recv_timeout(SOON).unwrap();
        // The writer is stuck; what waits is bounded.
        let batch = MAX_BYTES / 4;
        (0..6).for_each(|_| queue.push(vec![0; batch], 100));
        assert_eq!(queue.dropped(), 200);
        assert!(!queue.flush(Duration::ZERO));
        (0..5).for_each(|_| open.send(Ok(())).unwrap());
        assert!(queue.flush(SOON));
        queue.push(vec![0; batch], 100);
        open.send(Ok(())).unwrap();
        assert!(queue.flush(SOON));
        assert_eq!(queue.dropped(), 200);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (queue, _was_asked, open) = gate();
        open.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        open.send(Ok(())).unwrap();
        queue.push(vec![0; 10], 3);
        queue.push(vec![0; 10], 3);
        assert!(queue.flush(SOON));
        assert_eq!(queue.dropped(), 3);
    }

    #[test]
    fn a_closed_queue_takes_nothing_in() {
        let (queue, _was_asked, open) = gate();
        open.send(Ok(())).unwrap();
        queue.push(vec![0; 10], 1);
        queue.close(SOON);
        queue.push(vec![0; 10], 1);
        assert_eq!((queue.dropped(), queue.flush(Duration::ZERO)), (1, true));
    }
}
