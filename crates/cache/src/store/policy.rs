//! Who is dropped: S3-FIFO (Yang et al., "FIFO Queues Are All You Need for Cache Eviction", SOSP 2023),
//! weighted by bytes, with a share of the small queue that follows the traffic ([`share`](super::share)).
//!
//! What is new goes to the small queue, a tenth of the bytes at first. What is asked for again before it reaches
//! the small queue's head moves to the main queue; the rest, most of the web's objects, is dropped there,
//! leaves its fingerprint in the ghost and has displaced nothing of worth. What comes back while the ghost
//! knows it goes to the main queue at once. At the main queue's head an object goes round again as long as it
//! was asked for.

use std::sync::Arc;

use smallvec::SmallVec;

use super::ghost::Ghost;
use super::links::{Links, List};
use super::node::{Node, Place};
use super::share::{Share, Vote};

/// Accesses since it came that move an object from the small to the main queue.
const PROMOTE_HITS: u8 = 1;

/// What one hold of the lock has evicted.
pub(super) type Evicted<V> = SmallVec<[Arc<Node<V>>; 4]>;

/// What looking at the object next in line came to.
pub(super) enum Step<V> {
    /// It is dropped: dead, its value still in place.
    Evicted(Arc<Node<V>>),
    /// It was asked for, and stays.
    Spared,
    /// There is none.
    Empty,
}

/// Both queues and the ghost. Every call leaves them whole.
pub(super) struct Queues<V> {
    links: Links<Arc<Node<V>>>,
    small: Queue,
    main: Queue,
    /// What the small queue dropped.
    ghost: Ghost,
    /// What the main queue dropped: it counts as a vote only.
    main_ghost: Ghost,
    share: Share,
}

struct Queue {
    list: List,
    bytes: usize,
}

impl Queue {
    const fn new() -> Self {
        Self { list: List::new(), bytes: 0 }
    }
}

impl<V> Queues<V> {
    pub(super) const fn new() -> Self {
        Self {
            links: Links::new(),
            small: Queue::new(),
            main: Queue::new(),
            ghost: Ghost::new(),
            main_ghost: Ghost::new(),
            share: Share::new(),
        }
    }

    /// The weights of all linked nodes.
    pub(super) fn bytes(&self) -> usize {
        self.small.bytes + self.main.bytes
    }

    /// How many nodes are linked.
    pub(super) fn len(&self) -> usize {
        self.small.list.len() + self.main.list.len()
    }

    /// Links a new node, and says whether the ghost knew it. A node that died on its way here stays out.
    pub(super) fn link(&mut self, node: &Arc<Node<V>>) -> bool {
        if node.place() != Place::New {
            return false;
        }
        let window = Share::window(self.len());
        let age = self.ghost.take(node.fingerprint, self.len());
        if age.is_some_and(|age| age < window) {
            self.share.vote(Vote::Small);
        }
        if self.main_ghost.take(node.fingerprint, window).is_some() {
            self.share.vote(Vote::Main);
        }
        let known = age.is_some();
        self.push(node, if known { Place::Main } else { Place::Small });
        known
    }

    /// Takes a node out, wherever it is, for good.
    pub(super) fn unlink(&mut self, node: &Arc<Node<V>>) {
        self.pull(node);
        node.set_place(Place::Dead);
    }

    /// Gives a node another weight. One that grew goes to the back of its queue, lest the room made for it is
    /// its own. `false` for a dead node.
    pub(super) fn reweigh(&mut self, node: &Arc<Node<V>>, weight: usize) -> bool {
        match node.place() {
            Place::Dead => return false,
            Place::New => node.set_weight(weight),
            place => {
                let grows = weight > node.weight();
                let queue = self.queue(place);
                queue.bytes = queue.bytes - node.weight() + weight;
                node.set_weight(weight);
                if grows {
                    self.pull(node);
                    self.push(node, place);
                }
            }
        }
        true
    }

    /// Looks at the object that is next to go from a cache of `capacity` bytes. With `mercy` it is spared if it
    /// was asked for.
    pub(super) fn evict(&mut self, capacity: usize, mercy: bool) -> Step<V> {
        let small_is_full = self.small.bytes >= self.share.of(capacity);
        let (first, second) =
            if small_is_full { (&self.small, &self.main) } else { (&self.main, &self.small) };
        let front = self.links.front(&first.list).or_else(|| self.links.front(&second.list));
        let Some(node) = front.map(Arc::clone) else { return Step::Empty };
        match node.place() {
            Place::Small if mercy && node.hits() >= PROMOTE_HITS => {
                self.pull(&node);
                node.set_hits(0);
                self.push(&node, Place::Main);
                return Step::Spared;
            }
            Place::Main if mercy && node.hits() > 0 => {
                node.set_hits(node.hits() - 1);
                self.links.rotate(&mut self.main.list);
                return Step::Spared;
            }
            Place::Small => self.ghost.insert(node.fingerprint, self.len()),
            _ => self.main_ghost.insert(node.fingerprint, Share::window(self.len())),
        }
        self.unlink(&node);
        Step::Evicted(node)
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        if place == Place::Main { &mut self.main } else { &mut self.small }
    }

    fn push(&mut self, node: &Arc<Node<V>>, place: Place) {
        let queue = if place == Place::Main { &mut self.main } else { &mut self.small };
        let Some(link) = self.links.push_back(&mut queue.list, Arc::clone(node)) else {
            node.set_place(Place::Dead);
            return;
        };
        queue.bytes += node.weight();
        node.set_link(link);
        node.set_place(place);
    }

    fn pull(&mut self, node: &Arc<Node<V>>) {
        let queue = match node.place() {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
            Place::New | Place::Dead => return,
        };
        if self.links.remove(&mut queue.list, node.link()).is_some() {
            queue.bytes -= node.weight();
        }
    }
}
