//! What one process leaves to the next: the sockets it listens on, and what must be remembered.
//!
//! A plane asks here before it opens a socket, and lends what it listens on, so that a successor can be given the very
//! same sockets: connections that wait in their queues are then served by whoever accepts first, and none is lost.
//! Whoever started the process (a predecessor, a service manager) has put the sockets here; a plane does not see a
//! difference.

mod passenger;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use passenger::Passage;
pub use passenger::Passenger;

/// The sockets of one address.
#[derive(Debug)]
pub struct Sockets {
    /// Who listens: the plane's name; empty when a service manager opened them.
    pub plane: String,
    /// The address as that plane was told, port 0 included; empty when a service manager opened them.
    pub configured: String,
    /// All of them listen.
    pub sockets: Vec<OwnedFd>,
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// On an address and port.
    Tcp(SocketAddr),
    /// On a file.
    Unix(PathBuf),
}

impl Bound {
    /// Asks the system; none for a socket of another kind.
    pub fn of(socket: &OwnedFd) -> Option<Self> {
        let copy = || socket.try_clone().ok();
        match TcpListener::from(copy()?).local_addr() {
            Ok(address) => Some(Self::Tcp(address)),
            Err(_) => {
                let address = UnixListener::from(copy()?).local_addr().ok()?;
                Some(Self::Unix(address.as_pathname()?.to_owned()))
            }
        }
    }

    /// Whether a socket here takes what one there would: `[::]:80` takes `0.0.0.0:80`'s connections, too.
    fn serves(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Tcp(here), Self::Tcp(wanted)) => {
                let all = here.ip().is_unspecified() && here.is_ipv6() && wanted.ip().is_unspecified();
                wanted.port() != 0 && (here == wanted || here.port() == wanted.port() && all)
            }
            (here, wanted) => here == wanted,
        }
    }
}

/// How far this process is in taking over and leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Another still serves: nothing may be accepted.
    Waiting,
    /// Connections are accepted.
    Open,
    /// A successor has all sockets and accepts.
    Left,
}

/// What is handed from process to process. Clones share it.
#[derive(Debug, Clone)]
pub struct Handover {
    state: Arc<Mutex<State>>,
    stage: watch::Sender<Stage>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether there may be a successor: else what is lent would only keep closed sockets open.
    lends: bool,
    inherited: Vec<Sockets>,
    lent: BTreeMap<u64, Sockets>,
    next: u64,
    kept: BTreeMap<String, Vec<u8>>,
    passage: Passage,
}

impl Default for Handover {
    fn default() -> Self {
        Self { state: Arc::default(), stage: watch::Sender::new(Stage::Open) }
    }
}

impl Handover {
    /// Of a process that may have a successor, with the sockets a service manager has opened, if any: connections may be
    /// accepted at once. (By default there is no successor.)
    pub fn activated(sockets: Vec<Sockets>) -> Self {
        let state = State { lends: true, inherited: sockets, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), ..Self::default() }
    }

    /// What a process that still serves has sent: nothing is accepted until [`Handover::open`].
    pub fn inherited(sockets: Vec<Sockets>, kept: BTreeMap<String, Vec<u8>>) -> Self {
        let state = State { lends: true, inherited: sockets, kept, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), stage: watch::Sender::new(Stage::Waiting) }
    }

    /// Sockets that listen on an address already; none if the plane must open its own.
    pub fn take(&self, plane: &str, configured: &str, wanted: &Bound) -> Vec<OwnedFd> {
        let mut state = self.state();
        let same = |sockets: &Sockets| sockets.plane == plane && sockets.configured == configured;
        let bound = |sockets: &Sockets| sockets.sockets.first().and_then(Bound::of);
        let serving = |sockets: &Sockets| bound(sockets).is_some_and(|bound| bound.serves(wanted));
        let exact = |sockets: &Sockets| serving(sockets) && bound(sockets).as_ref() == Some(wanted);
        let inherited = &state.inherited;
        let found = inherited.iter().position(same).or_else(|| inherited.iter().position(exact));
        match found.or_else(|| inherited.iter().position(serving)) {
            Some(at) => state.inherited.remove(at).sockets,
            None => Vec::new(),
        }
    }

    /// Closes inherited sockets that no plane has taken; where they listened.
    pub fn close_rest(&self) -> Vec<Bound> {
        let rest = std::mem::take(&mut self.state().inherited);
        rest.iter().filter_map(|sockets| sockets.sockets.first().and_then(Bound::of)).collect()
    }

    /// Lends what a plane listens on, until the guard is dropped or a successor has it.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn lend<'a>(
        &self,
        plane: &str,
        configured: &str,
        sockets: impl IntoIterator<Item = &'a (impl AsFd + 'a)>,
    ) -> io::Result<Lent> {
        let mut state = self.state();
        let id = state.next;
        if state.lends {
            let copies = sockets.into_iter().map(|socket| socket.as_fd().try_clone_to_owned());
            let sockets = copies.collect::<io::Result<_>>()?;
            state.lent.insert(id, Sockets { plane: plane.into(), configured: configured.into(), sockets });
        }
        state.next += 1;
        drop(state);
        Ok(Lent { handover: self.clone(), id })
    }

    /// There will be no successor: nothing is lent any more, so that what the planes close is closed.
    pub fn withdraw(&self) {
        let mut state = self.state();
        state.lends = false;
        state.lent.clear();
    }

    /// Everything that is lent, in the order in which it was.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn copies(&self) -> io::Result<Vec<Sockets>> {
        let copy = |lent: &Sockets| {
            let sockets = lent.sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
            Ok(Sockets { plane: lent.plane.clone(), configured: lent.configured.clone(), sockets })
        };
        self.state().lent.values().map(copy).collect()
    }

    /// What was remembered under a name, by this process or one before it; else what is made now.
    pub fn keep(&self, name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        self.state().kept.entry(name.to_owned()).or_insert_with(make).clone()
    }

    /// Everything that was remembered.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().kept.clone()
    }

    /// Lets connections be accepted.
    pub fn open(&self) {
        self.stage.send_if_modified(|stage| {
            let waiting = *stage == Stage::Waiting;
            if waiting {
                *stage = Stage::Open;
            }
            waiting
        });
    }

    fn leave(&self) {
        self.stage.send_replace(Stage::Left);
    }

    /// Whether another process still serves.
    pub fn is_waiting(&self) -> bool {
        *self.stage.borrow() == Stage::Waiting
    }

    /// Whether a successor has taken over.
    pub fn has_left(&self) -> bool {
        *self.stage.borrow() == Stage::Left
    }

    /// Resolves when connections may be accepted.
    pub fn opened(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Stage::Open)
    }

    /// Resolves when a successor has taken over.
    pub fn left(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Stage::Left)
    }

    fn reached(&self, wanted: Stage) -> impl Future<Output = ()> + Send + use<> {
        let mut stage = self.stage.subscribe();
        // Held: while it is waited for, there is somebody who may say so.
        let sender = self.stage.clone();
        async move {
            let _ = stage.wait_for(|stage| *stage == wanted).await;
            drop(sender);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the sockets are held")
    }
}

/// Takes back what was lent when it is dropped: a socket that is closed must not be kept open by its copy.
#[derive(Debug)]
#[must_use = "dropping it takes back what was lent"]
pub struct Lent {
    handover: Handover,
    id: u64,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.handover.state().lent.remove(&self.id);
    }
}

/// Deals sockets out to cores, so that each core has one at least and none is left without a core: a successor may run
/// on more cores or on fewer.
///
/// # Errors
/// When the process may open no more files.
pub fn deal(sockets: Vec<OwnedFd>, cores: usize) -> io::Result<Vec<Vec<OwnedFd>>> {
    let mut dealt: Vec<Vec<OwnedFd>> = (0..cores).map(|_| Vec::new()).collect();
    // More cores than sockets: some accept from the same one.
    for (core, shared) in dealt.iter_mut().zip(sockets.iter().cycle()).skip(sockets.len()) {
        core.push(shared.try_clone()?);
    }
    for (at, socket) in sockets.into_iter().enumerate() {
        dealt[at % cores].push(socket);
    }
    Ok(dealt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn group(plane: &str, configured: &str, listener: TcpListener) -> Sockets {
        Sockets { plane: plane.into(), configured: configured.into(), sockets: vec![listener.into()] }
    }

    #[test]
    fn a_connection_in_the_queue_is_served_by_the_successor() {
        let before = Handover::activated(Vec::new());
        let (listener, address) = listener();
        let lent = before.lend("edge", "127.0.0.1:0", [&listener]).unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello").unwrap();

        let after = Handover::inherited(before.copies().unwrap(), before.kept());
        drop((listener, lent));
        let wanted = Bound::Tcp("127.0.0.1:0".parse().unwrap());
        assert!(after.take("console", "127.0.0.1:0", &wanted).is_empty(), "any port is not the same port");
        let mut taken = after.take("edge", "127.0.0.1:0", &wanted);
        let (mut stream, _) = TcpListener::from(taken.pop().unwrap()).accept().unwrap();
        let mut said = [0; 5];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"hello");
    }

    #[test]
    fn what_is_taken_back_is_closed() {
        type End = fn(&Handover, Lent);
        let ends: [End; 2] = [|_, lent| drop(lent), |handover, _lent| handover.withdraw()];
        for end in ends {
            let handover = Handover::activated(Vec::new());
            let (listener, address) = listener();
            let lent = handover.lend("edge", &address.to_string(), [&listener]).unwrap();
            drop(listener);
            assert!(TcpStream::connect(address).is_ok(), "the copy listens still");
            end(&handover, lent);
            assert!(TcpStream::connect(address).is_err());
            assert!(handover.copies().unwrap().is_empty());
        }
    }

    #[test]
    fn without_a_successor_nothing_is_copied() {
        let handover = Handover::default();
        let (listener, address) = listener();
        let _lent = handover.lend("edge", &address.to_string(), [&listener]).unwrap();
        drop(listener);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn sockets_of_a_service_manager_are_found_by_their_address() {
        let ((first, one), (second, two)) = (listener(), listener());
        let handover = Handover::activated(vec![group("", "", first), group("", "", second)]);
        let take = |address: SocketAddr| handover.take("edge", &address.to_string(), &Bound::Tcp(address));
        assert_eq!(Bound::of(&take(two)[0]), Some(Bound::Tcp(two)));
        assert!(take(two).is_empty(), "each is taken once");
        assert_eq!(handover.close_rest(), [Bound::Tcp(one)]);
        assert!(TcpStream::connect(one).is_err());
    }

    #[test]
    fn a_file_is_an_address() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let sockets = vec![listener.into()];
        let handover =
            Handover::activated(vec![Sockets { plane: String::new(), configured: String::new(), sockets }]);
        let wanted = Bound::Unix(path);
        assert!(handover.take("pool", "a", &Bound::Unix("/elsewhere".into())).is_empty());
        assert_eq!(handover.take("pool", "a", &wanted).len(), 1);
    }

    #[test]
    fn all_addresses_of_ipv6_are_those_of_ipv4_too() {
        let bound = |text: &str| Bound::Tcp(text.parse().unwrap());
        assert!(bound("[::]:80").serves(&bound("0.0.0.0:80")));
        assert!(!bound("0.0.0.0:80").serves(&bound("[::]:80")), "that has no IPv6");
        assert!(!bound("[::]:80").serves(&bound("0.0.0.0:81")));
        assert!(!bound("[::]:80").serves(&bound("127.0.0.1:80")), "more would be served than is wanted");
        assert!(!bound("127.0.0.1:0").serves(&bound("127.0.0.1:0")));
    }

    #[test]
    fn every_core_has_a_socket_and_every_socket_a_core() {
        for (sockets, cores) in [(1, 1), (1, 4), (4, 1), (3, 2), (2, 5), (4, 4)] {
            let open = (0..sockets).map(|_| listener().0.into()).collect();
            let dealt = deal(open, cores).unwrap();
            assert_eq!(dealt.len(), cores);
            assert!(dealt.iter().all(|core| !core.is_empty()), "{sockets} on {cores}");
            assert_eq!(dealt.iter().map(Vec::len).sum::<usize>(), sockets.max(cores));
        }
        assert!(deal(Vec::new(), 2).unwrap().iter().all(Vec::is_empty));
    }

    #[test]
    fn what_is_kept_outlives_the_process() {
        let before = Handover::default();
        assert_eq!(before.keep("key", || vec![1]), [1]);
        assert_eq!(before.keep("key", || vec![2]), [1]);
        let after = Handover::inherited(Vec::new(), before.kept());
        assert_eq!(after.keep("key", || vec![3]), [1]);
    }

    #[tokio::test]
    async fn nothing_is_accepted_before_it_is_ones_turn() {
        let handover = Handover::inherited(Vec::new(), BTreeMap::new());
        let opened = tokio::spawn(handover.opened());
        tokio::task::yield_now().await;
        assert!(!opened.is_finished() && !handover.has_left());
        handover.open();
        opened.await.unwrap();
        handover.leave();
        handover.left().await;
        handover.open();
        assert!(handover.has_left(), "there is no way back");
    }
}
