//! The life of one core.

use std::rc::Rc;
use std::sync::Arc;

use deepwater_core::Context;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::listener::{self, Closing, Gate, Places};
use crate::worker::{SWEEP_EVERY, Worker};

use super::force::Force;
use super::sockets::Opened;

/// What a core starts from.
pub(super) struct Core {
    pub id: usize,
    pub context: Context,
    pub force: watch::Receiver<Arc<Force>>,
    /// The number of the change that each core has taken up.
    pub adopted: watch::Sender<Vec<u64>>,
    pub seed: u64,
    pub connections: Arc<Places>,
}

impl Core {
    /// Serves until the process drains or stops.
    pub fn run(self) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(self.live()),
            Err(_) => self.context.shutdown.stop(),
        }
    }

    async fn live(mut self) {
        let force = Arc::clone(&self.force.borrow_and_update());
        let worker = Worker::new(self.context.clone(), &force, self.seed);
        let shutdown = self.context.shutdown.clone();
        let mut doors = Doors::default();
        doors.reconcile(&self, &worker, &force);
        self.took_up(&force);
        drop(force);
        let sweeper = tokio::task::spawn_local({
            let worker = Rc::clone(&worker);
            async move {
                let mut ticks = tokio::time::interval(SWEEP_EVERY);
                loop {
                    ticks.tick().await;
                    worker.sweep();
                }
            }
        });
        let mut draining = std::pin::pin!(shutdown.draining());
        loop {
            tokio::select! {
                changed = self.force.changed() => match changed {
                    Ok(()) => {
                        let force = Arc::clone(&self.force.borrow_and_update());
                        worker.adopt(&force);
                        doors.reconcile(&self, &worker, &force);
                        self.took_up(&force);
                    }
                    Err(_) => draining.as_mut().await,
                },
                () = &mut draining => break,
            }
        }
        // First, so that whoever waits in a queue is told to come back elsewhere.
        worker.drain();
        let left = self.context.handover.has_left();
        doors.close(if left { Closing::AtOnce } else { Closing::AfterQueue });
        let done = async {
            doors.closed().await;
            worker.closed().await;
        };
        tokio::select! {
            () = done => {}
            () = shutdown.stopping() => {}
        }
        sweeper.abort();
        worker.sweep();
    }

    fn took_up(&self, force: &Force) {
        self.adopted.send_modify(|adopted| adopted[self.id] = force.number);
    }
}

/// Where a core accepts.
#[derive(Default)]
struct Doors {
    open: Vec<Door>,
    /// Tasks that accept, or finish doing so.
    tasks: Vec<JoinHandle<()>>,
}

struct Door {
    opened: Arc<Opened>,
    gate: Rc<Gate>,
}

impl Doors {
    /// Accepts where it is to be accepted, and only there.
    fn reconcile(&mut self, core: &Core, worker: &Rc<Worker>, force: &Force) {
        self.tasks.retain(|task| !task.is_finished());
        let mut before = std::mem::take(&mut self.open);
        for listening in &force.listeners {
            let opened = Arc::clone(&listening.opened);
            if let Some(at) = before.iter().position(|door| Arc::ptr_eq(&door.opened, &opened)) {
                let door = before.swap_remove(at);
                door.gate.serve_by(Arc::clone(&listening.plan));
                self.open.push(door);
                continue;
            }
            let gate = Rc::new(Gate::new(Arc::clone(&listening.plan)));
            for socket in opened.take(core.id) {
                match TcpListener::from_std(socket) {
                    Ok(socket) => {
                        let connections = Arc::clone(&core.connections);
                        let accept =
                            listener::accept(Rc::clone(worker), socket, Rc::clone(&gate), connections);
                        self.tasks.push(tokio::task::spawn_local(accept));
                    }
                    Err(_) => core.context.shutdown.stop(),
                }
            }
            self.open.push(Door { opened, gate });
        }
        before.iter().for_each(|door| door.gate.close(Closing::AfterQueue));
    }

    fn close(&self, how: Closing) {
        self.open.iter().for_each(|door| door.gate.close(how));
    }

    /// Waits for the tasks to end.
    async fn closed(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has told so itself.
            let _ = task.await;
        }
    }
}
