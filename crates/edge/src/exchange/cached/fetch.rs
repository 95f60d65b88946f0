//! Fetching for the cache: one request to the origin whose answer many read, and which stays.
//!
//! A fetch is a task of its own. The client it was begun for may leave; the others, and the cache, still get it.

mod filling;
mod interims;
mod placing;

use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deepwater_cache::flight::Lead;
use deepwater_cache::purge::{Slot, Validity};
use deepwater_cache::rules::{self};

use crate::body::Nothing;
use crate::cache::{Answer, Entry, Fault, HttpCache, Object, Refreshing, Unlisted};
use crate::head::{Name, Request};
use crate::http1::framing::Framing;
use crate::io::Deadline;
use crate::peer::Peer;
use crate::plan::RoutePlan;
use crate::worker::{Local, Scratch, Worker};

use super::super::Tally;
use super::super::proxy::{Manner, Proxying};

use filling::Filling;
pub(super) use interims::Interims;

/// A fetch that is to be made.
pub(super) struct Fetch {
    pub worker: Rc<Worker>,
    pub local: Rc<Local>,
    pub cache: Arc<HttpCache>,
    /// The route's index, and its pool's.
    pub route: usize,
    pub pool: usize,
    pub peer: Peer,
    pub client_ip: IpAddr,
    /// The request as it came: what it depends on is taken from here.
    pub asked: Request,
    /// The request as it is sent, without the conditions that ask for a change.
    pub request: Request,
    /// The key of the URL.
    pub key: Box<[u8]>,
    /// Slots of the URL, the host and the route's tags.
    pub slots: Vec<Slot>,
    pub lead: Lead<Answer, Fault>,
    /// What is stored and stale, under its own key.
    pub stored: Option<(Box<[u8]>, Arc<Entry>)>,
    /// Until when that answers for an origin that fails.
    pub stale_until_ms: Option<u64>,
    /// What is missing of what is stored, if only that is to be fetched.
    pub completes: Option<Range<u64>>,
    pub interims: Option<Rc<Interims>>,
    /// A place among the background refreshes, if it is one: held while it is under way.
    pub _place: Option<Refreshing>,
    /// Held while it is under way, if it goes by another key than that of the URL.
    pub _unlisted: Option<Unlisted>,
}

impl Fetch {
    /// Makes it.
    pub async fn run(mut self) {
        let conditional = self.add_conditions();
        let again = self.once(conditional).await;
        if again {
            // What the answer was about is not what is stored: ask for all of it.
            self.completes = None;
            for name in [Name::IfNoneMatch, Name::IfModifiedSince, Name::Range, Name::IfRange] {
                self.request.fields.remove_known(name);
            }
            self.once(false).await;
        }
    }

    fn add_conditions(&mut self) -> bool {
        let Some((_, entry)) = &self.stored else { return false };
        let Entry::Object(object) = &**entry else { return false };
        let lines = object.lines();
        let asking = rules::revalidation(&lines, self.cache.now_ms(Instant::now()));
        let fields = &mut self.request.fields;
        if object.is_partial() {
            match (&self.completes, asking.if_none_match.filter(|tag| tag.starts_with(b"\""))) {
                (Some(gap), Some(tag)) => {
                    let to_the_end = object.len() == Some(gap.end);
                    let last = if to_the_end { String::new() } else { (gap.end - 1).to_string() };
                    fields.add_known(Name::Range, format!("bytes={}-{last}", gap.start).as_bytes());
                    fields.add_known(Name::IfRange, tag);
                }
                _ => self.completes = None,
            }
            return false;
        }
        if let Some(tag) = asking.if_none_match {
            fields.add_known(Name::IfNoneMatch, tag);
        }
        if let Some(date) = asking.if_modified_since {
            fields.add_known(Name::IfModifiedSince, date);
        }
        asking.if_none_match.is_some() || asking.if_modified_since.is_some()
    }

    /// One exchange with the origin; whether it is to be made again without conditions.
    async fn once(&self, conditional: bool) -> bool {
        let mut scratch = self.worker.scratch();
        let Scratch { response, origin_out, .. } = &mut *scratch;
        let deadline = Deadline::default();
        let tally = Tally::new(self.client_ip);
        let mut filling = Filling::new(self, &tally, conditional);
        if let Some(metrics) = &self.local.routes[self.route].cache {
            metrics.fetches.increment();
        }
        let proxying = Proxying {
            worker: &self.worker,
            local: &self.local,
            pool: &self.local.pools[self.pool],
            route: self.route(),
            peer: &self.peer,
            request: &self.request,
            framing: Framing::Empty,
            upgrade: None,
            manner: Manner::Cache,
            hold: None,
            deadline: &deadline,
            tally: &tally,
        };
        proxying.run(response, origin_out, &mut Nothing, &mut filling).await;
        let again = filling.is_to_be_made_again();
        self.worker.put_scratch(scratch);
        again
    }

    fn route(&self) -> &RoutePlan {
        &self.local.plan.routes[self.route]
    }

    fn stale(&self, now_ms: u64) -> Option<&Arc<Entry>> {
        let (_, entry) = self.stored.as_ref()?;
        let Entry::Object(object) = &**entry else { return None };
        let purged = self.cache.validity(object, &self.key) == Validity::Hard;
        self.stale_until_ms.filter(|until| now_ms < *until && !purged).map(|_| entry)
    }

    fn object(&self) -> Option<&Object> {
        match self.stored.as_ref().map(|(_, entry)| &**entry) {
            Some(Entry::Object(object)) => Some(object),
            _ => None,
        }
    }
}
