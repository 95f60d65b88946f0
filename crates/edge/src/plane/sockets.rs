//! The sockets of a listener, from whoever opened them to the cores that accept on them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use deepwater_core::Handover;
use deepwater_core::handover::{Bound, Lent, deal};

use crate::listener;
use crate::plan::ListenerPlan;

/// The name sockets are handed over by.
const PLANE: &str = "edge";

/// Sockets that listen on one address.
pub(crate) struct Opened {
    /// The real one, where port 0 was configured.
    pub address: SocketAddr,
    /// As configured.
    pub configured: SocketAddr,
    /// By core, until it has taken them.
    cores: Mutex<Vec<Vec<OwnedFd>>>,
    lent: Mutex<Option<Lent>>,
}

impl Opened {
    /// Takes over the sockets that listen on the address already, or opens one per core. `beside` ours of the same port an
    /// address may be opened that overlaps with theirs.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn open(plan: &ListenerPlan, cores: usize, handover: &Handover, beside: bool) -> io::Result<Self> {
        let name = plan.config.address.as_str();
        let inherited = handover.take(PLANE, name, &Bound::Tcp(plan.address));
        let sockets: Vec<TcpListener> = if inherited.is_empty() {
            listener::open(plan.address, cores, beside)?
        } else {
            inherited.into_iter().map(TcpListener::from).collect()
        };
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        let address = sockets.first().map_or(Ok(plan.address), TcpListener::local_addr)?;
        let lent = handover.lend(PLANE, name, &sockets)?;
        let dealt = deal(sockets.into_iter().map(OwnedFd::from).collect(), cores)?;
        Ok(Self { address, configured: plan.address, cores: Mutex::new(dealt), lent: Mutex::new(Some(lent)) })
    }

    /// What a core is to accept on; once.
    pub fn take(&self, core: usize) -> Vec<TcpListener> {
        let mut cores = self.cores.lock().expect("no panic while sockets are held");
        let taken = cores.get_mut(core).map(std::mem::take).unwrap_or_default();
        taken.into_iter().map(TcpListener::from).collect()
    }

    /// No successor is to listen here: when the cores have closed their sockets, nobody does.
    pub fn take_back(&self) {
        self.lent.lock().expect("no panic while sockets are held").take();
    }
}
