//! What the console says about itself.

use std::sync::{Mutex, MutexGuard};

use deepwater_core::event;
use deepwater_core::metrics::{Counter, Gauge, Registry};

event! {
    /// The console can be opened.
    pub struct ConsoleStarted { address: String }
    console_started: Info, "the console listens on http://{address}"
}

event! {
    /// Somebody changed something by hand: the record of who did what.
    pub struct CommandGiven { path: String, peer: String, status: u16 }
    command_given: Info, "POST {path} from {peer} was answered with {status}"
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The console's own metrics. Calls are few, so a lock stands in for the one writer that cells ask for.
pub(super) struct Measure {
    cells: Mutex<Cells>,
}

struct Cells {
    calls: [Counter; CLASSES.len()],
    connections: Gauge,
}

impl Measure {
    pub(super) fn new(metrics: &Registry) -> Self {
        let calls = CLASSES.map(|class| {
            let help = "Requests answered by the console, by class of status.";
            metrics.counter("deepwater_console_requests_total", help, &[("class", class)])
        });
        let connections =
            metrics.gauge("deepwater_console_connections", "Open connections to the console.", &[]);
        Self { cells: Mutex::new(Cells { calls, connections }) }
    }

    pub(super) fn answered(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100 - 1).min(CLASSES.len() - 1);
        self.cells().calls[class].increment();
    }

    /// Counts a connection as open until the guard is dropped.
    pub(super) fn connection(&self) -> impl Drop + use<'_> {
        struct Open<'a>(&'a Measure);
        impl Drop for Open<'_> {
            fn drop(&mut self) {
                self.0.cells().connections.add(-1);
            }
        }
        self.cells().connections.add(1);
        Open(self)
    }

    fn cells(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().expect("no panic while the cells are held")
    }
}
