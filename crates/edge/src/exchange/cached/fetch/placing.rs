//! Where what a fetch brings is stored, and what is noted beside it.

use std::sync::Arc;

use deepwater_cache::rules::{NotStored, Vary};
use http::StatusCode;

use crate::cache::{CachePlan, Entry, Notes};
use crate::head::{Fields, Name};

use super::super::keys;
use super::Fetch;

impl Fetch {
    pub(super) fn plan(&self) -> &CachePlan {
        // A fetch is made for a route that caches.
        self.route().cache.as_ref().expect("the route caches")
    }

    /// Whether responses that vary so can be told apart by what clients send; if so, their secondary key.
    pub(super) fn check_vary(&self, vary: &Vary, variant: &mut Vec<u8>) -> Result<(), NotStored> {
        // What we write into each request ourselves is another one each time.
        const OURS: [&str; 6] =
            ["forwarded", "traceparent", "tracestate", "x-forwarded-for", "x-real-ip", "x-request-id"];
        let edits = &self.route().request_edits;
        if vary.names().any(|name| OURS.contains(&name) || edits.varies(name.as_bytes())) {
            return Err(NotStored::VaryAny);
        }
        if vary.is_empty() || vary.write_key(&self.asked.fields, variant) {
            Ok(())
        } else {
            Err(NotStored::VaryTooLong)
        }
    }

    /// Stores a response, unless one is there that was asked for after a purge that this one was asked for before.
    pub(super) fn insert(&self, key: &[u8], entry: &Arc<Entry>) {
        let store = &self.cache.store;
        if let Some(Entry::Object(stored)) = store.peek(key).as_deref()
            && stored.stamp.born() > self.lead.flight().born()
        {
            return;
        }
        store.insert(key, Arc::clone(entry), entry.weight() + key.len());
    }

    /// The fields of a 304 that are for everybody: where it was asked for with a cookie or a password only those that
    /// tell its version, its times and its tags.
    pub(super) fn for_all(&self, fields: &Fields) -> Fields {
        let asked = &self.asked.fields;
        let anonymous =
            asked.get_known(Name::Cookie).is_none() && asked.get_known(Name::Authorization).is_none();
        let mut kept = fields.clone();
        kept.remove_where(|id, name, _| {
            let of_version = matches!(
                id,
                Name::Age
                    | Name::CacheControl
                    | Name::Date
                    | Name::Etag
                    | Name::Expires
                    | Name::LastModified
                    | Name::SurrogateKey
                    | Name::CacheTag
                    | Name::Xkey
                    | Name::Vary
            );
            !anonymous && !of_version && !name.eq_ignore_ascii_case(b"cdn-cache-control")
        });
        kept
    }

    /// Where a response is stored.
    pub(super) fn place(&self, vary: &Vary, variant: &[u8]) -> Box<[u8]> {
        if vary.is_empty() { self.key.clone() } else { keys::variant(&self.key, vary, variant).into() }
    }

    pub(super) fn note_variant(&self, vary: &Vary, key: &[u8]) {
        let known = self.cache.store.peek(&self.key);
        let none = Notes::new(self.lead.flight().born());
        let notes = match known.as_deref() {
            Some(Entry::Notes(notes)) => notes,
            _ => &none,
        };
        if !notes.knows(vary, key) {
            let (notes, dropped) = notes.with(vary, key);
            self.note(known.as_ref(), notes);
            dropped.iter().for_each(|key| drop(self.cache.store.remove(key)));
        }
    }

    /// Notes what has become of what was seen. Lost if that has changed meanwhile: it is found out again.
    fn note(&self, seen: Option<&Arc<Entry>>, notes: Notes) {
        let entry = Arc::new(Entry::Notes(Box::new(notes)));
        let (store, weight) = (&self.cache.store, entry.weight() + self.key.len());
        match seen {
            Some(seen) => {
                store.swap(&self.key, seen, entry, weight);
            }
            None => {
                store.insert(&self.key, entry, weight);
            }
        }
    }

    /// Lets requests for what may not be stored go side by side for a while.
    pub(super) fn note_pass(&self, now_ms: u64, status: StatusCode) {
        let plan = self.plan();
        let of_range = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
        if !plan.coalesce || plan.hit_for_miss.is_zero() || of_range {
            return;
        }
        let until_ms = now_ms + plan.hit_for_miss.as_millis() as u64;
        // A variant that turns out so is fetched by itself: the others are still for all.
        let known = self.cache.store.peek(&self.key);
        let notes = match known.as_deref() {
            Some(Entry::Notes(notes)) => notes.passing_until(until_ms),
            _ => Notes::new(self.lead.flight().born()).passing_until(until_ms),
        };
        self.note(known.as_ref(), notes);
    }
}
