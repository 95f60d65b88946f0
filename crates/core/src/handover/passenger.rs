//! Connections that go on to the process that takes over, between two requests of theirs.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use serde_json::Value;
use tokio::sync::mpsc;

use super::Handover;

/// One connection.
#[derive(Debug)]
pub struct Passenger {
    /// The plane whose it is.
    pub plane: String,
    /// What that plane has to know of it.
    pub about: Value,
    /// Its socket. Nothing of a request has been read from it.
    pub socket: OwnedFd,
}

/// The way out to a successor, and the ways in of planes. Neither has a limit of its own: nothing but the clients that
/// were let in goes over them, each once.
#[derive(Debug, Default)]
pub(super) struct Passage {
    out: Option<mpsc::UnboundedSender<Passenger>>,
    planes: BTreeMap<String, mpsc::UnboundedSender<Passenger>>,
}

impl Handover {
    /// A successor accepts: nothing more is accepted here, and what waits in the sockets' queues is for it. It takes
    /// connections, too: whoever ends them here may put them onto the passage, until that is closed.
    pub fn leave_with(&self, passage: mpsc::UnboundedSender<Passenger>) {
        self.state().passage.out = Some(passage);
        self.leave();
    }

    /// The way for connections to a successor that takes them.
    pub fn passage(&self) -> Option<mpsc::UnboundedSender<Passenger>> {
        self.state().passage.out.clone()
    }

    /// No further connection goes on.
    pub fn close_passage(&self) {
        self.state().passage.out = None;
    }

    /// The connections of a plane that a predecessor sends, from now on.
    pub fn passengers(&self, plane: &str) -> mpsc::UnboundedReceiver<Passenger> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().passage.planes.insert(plane.to_owned(), sender);
        receiver
    }

    /// Gives a connection of a predecessor to its plane. One that is not there closes it.
    pub fn board(&self, passenger: Passenger) {
        if let Some(plane) = self.state().passage.planes.get(&passenger.plane) {
            // A plane that has ended closes it as well.
            let _ = plane.send(passenger);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn passenger(plane: &str) -> (UnixStream, Passenger) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, Passenger { plane: plane.into(), about: Value::Null, socket: theirs.into() })
    }

    #[test]
    fn a_connection_goes_to_its_plane_and_to_no_other() {
        let handover = Handover::default();
        let mut arrivals = handover.passengers("postgres");
        let ((_client, good), (mut lost, elsewhere)) = (passenger("postgres"), passenger("mail"));
        handover.board(elsewhere);
        handover.board(good);
        assert_eq!(arrivals.try_recv().unwrap().plane, "postgres");
        assert!(arrivals.try_recv().is_err());
        assert!(lost.write_all(b"?").is_err(), "nobody has it");
    }

    #[test]
    fn there_is_a_passage_until_it_is_closed() {
        let handover = Handover::default();
        assert!(handover.passage().is_none());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        handover.leave_with(sender);
        assert!(handover.has_left());
        let passage = handover.passage().unwrap();
        handover.close_passage();
        assert!(handover.passage().is_none());
        // Who has begun to leave may still do so.
        passage.send(passenger("postgres").1).unwrap();
        drop(passage);
        assert!(receiver.blocking_recv().is_some() && receiver.blocking_recv().is_none());
    }
}
