//! The cache of the edge. `deepwater_cache` decides and stores; here is what all cores share of it, what is stored,
//! and how it is purged. [`crate::exchange`] serves from it and fetches for it.

mod console;
mod entry;
mod head;
mod lines;
mod plan;
mod purge;
mod terms;
mod told;

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use deepwater_cache::flight::Flights;
use deepwater_cache::purge::{Epochs, Kind, Mode, Slot, Validity, Versions};
use deepwater_cache::rules::{KeyOptions, NotStored, Target, Vary, write_key};
use deepwater_cache::store::Store;
use deepwater_upstream::Target as Server;
use smallvec::SmallVec;

use crate::config;
use crate::failure::Failure;
use crate::head::Request;
use crate::peer::Peer;
use crate::route::name_of;

pub(crate) use console::{collect, endpoints};
pub(crate) use entry::{Entry, Notes, Object};
pub(crate) use head::{Freshened, union};
pub(crate) use lines::{Lines, write_line};
pub(crate) use plan::CachePlan;
pub(crate) use terms::Terms;
pub(crate) use told::{says_scheme, target_of};

/// The fetches under way.
pub(crate) type Fetches = Flights<Answer, Fault>;

/// The cache, shared by all cores.
pub(crate) struct HttpCache {
    /// Its name in `Cache-Status`.
    pub name: String,
    pub store: Store<Entry>,
    pub epochs: Epochs,
    pub versions: Versions,
    pub fetches: Arc<Fetches>,
    /// Whether clients get to see the fields that carry tags: they are caches themselves.
    pub shows_tags: bool,
    pub purges: purge::Counts,
    terms: ArcSwap<Terms>,
    /// Asked at every request.
    knows_purge: AtomicBool,
    refreshes: AtomicUsize,
    uncoalesced: AtomicU64,
    /// Fetches under way by another key than that of their URL.
    unlisted: AtomicUsize,
    /// Keys have been written that tell more than the URL: what is stored under them is found by nothing else.
    contradicted: AtomicBool,
    started: (Instant, u64),
}

/// What a fetch brings, before its body.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub status: u16,
    /// Its field lines as all may see them.
    pub lines: Box<[u8]>,
    /// Lines for the one who asked first only, such as cookies.
    pub withheld: Box<[u8]>,
    /// The response in the store that answers, body and all: after a 304, or when the origin fails.
    pub stored: Option<Arc<Entry>>,
    /// Its times, if it may be stored.
    pub meta: Option<deepwater_cache::rules::Meta>,
    /// Whether it is.
    pub kept: bool,
    /// Why it may not be stored.
    pub refused: Option<NotStored>,
    /// Length of the body, bytes, if it was stated.
    pub length: Option<u64>,
    /// The request fields it depends on, and what they were.
    pub vary: Vary,
    /// The secondary key of the request that was fetched for.
    pub variant: Box<[u8]>,
    /// What it is purged by.
    pub slots: Vec<Slot>,
    /// The origin's status, where the client gets another.
    pub origin_status: Option<u16>,
    /// Whether it is served for want of a better one.
    pub is_stale: bool,
    /// How long the origin took to its head.
    pub upstream: Option<Duration>,
    /// The target asked.
    pub target: Option<Arc<Server>>,
}

/// Why a fetch has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It failed, for everybody who waits.
    Failed(Failure),
    /// It ended without a word, or what it found is stored now: look again.
    Again,
}

impl HttpCache {
    /// The cache of a configuration.
    pub fn new(config: &config::Cache, terms: Terms, now: (Instant, SystemTime)) -> Self {
        let memory = usize::try_from(config.memory.bytes()).unwrap_or(usize::MAX);
        Self {
            name: format!("deepwater-{}", config.tier.as_str()),
            store: Store::new(memory),
            epochs: Epochs::new(),
            versions: Versions::new(),
            fetches: Flights::new(config.max_waiters),
            shows_tags: config.tier != config::Tier::Edge,
            purges: purge::Counts::default(),
            knows_purge: AtomicBool::new(!terms.purge_from.is_empty()),
            terms: ArcSwap::from_pointee(terms),
            refreshes: AtomicUsize::new(0),
            uncoalesced: AtomicU64::new(0),
            unlisted: AtomicUsize::new(0),
            contradicted: AtomicBool::new(false),
            started: (now.0, unix_ms(now.1)),
        }
    }

    /// The time by which stored responses age, Unix milliseconds: it does not step when the system's clock does.
    pub fn now_ms(&self, now: Instant) -> u64 {
        self.started.1 + now.saturating_duration_since(self.started.0).as_millis() as u64
    }

    /// Writes the key of a request, as its route writes keys.
    pub fn write_key(&self, out: &mut Vec<u8>, request: &Request, peer: &Peer, plan: &CachePlan) {
        self.write_url(out, target_of(request, peer), &plan.key);
        let url_end = out.len();
        told::write_contradictions(out, request, peer);
        if out.len() > url_end && !self.contradicted.load(Relaxed) {
            self.contradicted.store(true, SeqCst);
        }
    }

    fn write_url(&self, out: &mut Vec<u8>, url: Target<'_>, form: &KeyForm) {
        let Target { scheme, authority, path, query } = url;
        // What one route has stored is not for another: it may come from elsewhere.
        let route = ("", form.route);
        match &form.version {
            None => write_key(out, scheme, authority, path, query, &form.options, &[route]),
            Some(name) => {
                let parts = [route, (name.as_str(), self.versions.current(name))];
                write_key(out, scheme, authority, path, query, &form.options, &parts);
            }
        }
    }

    /// Invalidates a URL after a write (RFC 9111 §4.4), if anything is stored or being fetched for it: writes to what
    /// is never cached would purge by accident what shares a slot with them.
    pub fn invalidate(&self, url: Target<'_>) {
        let mut slots = SmallVec::<[Slot; 2]>::new();
        let mut held = self.contradicted.load(SeqCst) || self.unlisted.load(SeqCst) > 0;
        let mut key = Vec::new();
        for form in &self.terms.load().keys {
            key.clear();
            self.write_url(&mut key, url, form);
            // In this order: what has landed is in the store before it leaves the table.
            held = held || self.fetches.contains(&key) || self.store.peek(&key).is_some();
            slots.push(self.epochs.slot(Kind::Url, url_of(&key)));
        }
        if held {
            self.epochs.purge_slots(&slots, Mode::Hard);
        }
    }

    /// Counts a fetch as one by another key than that of its URL, until the guard is dropped.
    pub fn unlisted(self: &Arc<Self>) -> Unlisted {
        self.unlisted.fetch_add(1, SeqCst);
        Unlisted(Arc::clone(self))
    }

    /// Where purges of a key's URL and host are noted.
    pub fn slots(&self, key: &[u8]) -> [Slot; 2] {
        let url = url_of(key);
        let host = name_of(url.split(|b| *b == 0).next().unwrap_or_default());
        [self.epochs.slot(Kind::Url, url), self.epochs.slot(Kind::Host, host)]
    }

    /// What purges have left of an object under a key.
    #[inline]
    pub fn validity(&self, object: &Object, key: &[u8]) -> Validity {
        let mut joined = SmallVec::<[u8; 128]>::new();
        let url = &mut joined;
        object.stamp.state(&self.epochs, move || {
            url.extend(url_of(key).iter().copied().filter(|b| *b != 0));
            url
        })
    }

    /// A place among the background refreshes, if one is free.
    pub fn refresh(self: &Arc<Self>) -> Option<Refreshing> {
        let counted = self.refreshes.fetch_add(1, Relaxed);
        let refreshing = Refreshing(Arc::clone(self));
        (counted < self.terms.load().max_refreshes).then_some(refreshing)
    }

    /// How many background refreshes are under way.
    pub fn refreshing(&self) -> usize {
        self.refreshes.load(Relaxed)
    }

    /// Makes a key nobody else has, for a fetch that is not shared.
    pub fn alone(&self, key: &[u8]) -> Vec<u8> {
        let mut own = key.to_vec();
        own.extend_from_slice(b"\xff\xffalone");
        own.extend_from_slice(&self.uncoalesced.fetch_add(1, Relaxed).to_le_bytes());
        own
    }
}

/// How a route writes keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyForm {
    /// How the query takes part.
    pub options: KeyOptions,
    /// The named version that takes part.
    pub version: Option<String>,
    /// The route, as a hash of all that tells where its answers come from.
    pub route: u64,
}

/// A fetch under way by another key than that of its URL.
pub(crate) struct Unlisted(Arc<HttpCache>);

impl Drop for Unlisted {
    fn drop(&mut self) {
        self.0.unlisted.fetch_sub(1, SeqCst);
    }
}

/// A background refresh under way.
pub(crate) struct Refreshing(Arc<HttpCache>);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.refreshes.fetch_sub(1, Relaxed);
    }
}

/// The URL in a key without its scheme: host, path and query, each ended by a byte 0 but the last.
pub(crate) fn url_of(key: &[u8]) -> &[u8] {
    let start = memchr::memchr(0, key).map_or(0, |end| end + 1);
    let mut ends = memchr::memchr_iter(0, &key[start..]);
    let end = ends.nth(2).unwrap_or(key.len() - start);
    &key[start..start + end]
}

/// Unix milliseconds.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_key_has_no_scheme_and_no_version() {
        let key = |scheme: &[u8], query, versions: &[(&str, u64)]| {
            let mut key = Vec::new();
            write_key(&mut key, scheme, b"Shop:80", b"/a", query, &KeyOptions::default(), versions);
            key
        };
        assert_eq!(url_of(&key(b"http", Some(b"b=c"), &[])), b"shop\0/a\0?b=c");
        assert_eq!(url_of(&key(b"https", None, &[("v", 7)])), b"shop:80\0/a\0");
        assert_eq!(url_of(&key(b"http", None, &[("v", 7)])), b"shop\0/a\0");
        assert_eq!(url_of(b""), b"");
    }
}
