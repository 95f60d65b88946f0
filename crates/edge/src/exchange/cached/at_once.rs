//! The answer that needs no waiting: fresh, small and in memory.

use std::future::poll_fn;

use deepwater_cache::purge::Validity;
use deepwater_cache::rules::Reuse;
use http::{Method, StatusCode};
use smallvec::SmallVec;

use crate::cache::{Entry, Object};
use crate::downstream::Reply;
use crate::failure::Failure;

use super::{Caching, keys};

impl Caching<'_> {
    /// Answers at once if the answer is fresh, small and in memory. Whether it did; the answer is then still to be
    /// flushed.
    pub(super) fn at_once<R: Reply>(&self, key: &mut Vec<u8>, reply: &mut R) -> bool {
        self.cache.write_key(key, self.request, self.peer, self.plan);
        let plain = self.route.response_edits.is_empty() && self.tally.rate.get().is_none();
        if self.facts.conditional || self.facts.range || !plain {
            return false;
        }
        let store = &self.cache.store;
        let found = store.with(key, |entry| match entry {
            Entry::Object(object) => self.answer_at_once(object, key, reply),
            Entry::Notes(notes) => {
                for vary in notes.varies() {
                    let mut of_variant = key.clone();
                    if !keys::append_variant(&mut of_variant, vary, &self.request.fields) {
                        continue;
                    }
                    // The first that there is, the newest, decides: older lists are for what is not known by newer ones.
                    let answered = store.with(&of_variant, |entry| match entry {
                        Entry::Object(object)
                            if notes.covers(object)
                                && self.cache.validity(object, &of_variant) != Validity::Hard =>
                        {
                            Some(self.answer_at_once(object, &of_variant, reply))
                        }
                        _ => None,
                    });
                    if let Some(Some(answered)) = answered {
                        return answered;
                    }
                }
                false
            }
        });
        found.unwrap_or(false)
    }

    pub(super) fn answer_at_once<R: Reply>(&self, object: &Object, key: &[u8], reply: &mut R) -> bool {
        let Some(body) = object.small_body() else { return false };
        if object.is_partial() || self.cache.validity(object, key) != Validity::Valid {
            return false;
        }
        let now_ms = self.cache.now_ms(self.tally.started);
        match self.reuse(object, now_ms) {
            Reuse::Fresh => {}
            Reuse::FreshRefreshEarly => {
                self.due.set(true);
                return false;
            }
            _ => return false,
        }
        let meta = &object.meta;
        let mut extra = SmallVec::<[u8; 128]>::new();
        let mut digits = itoa::Buffer::new();
        extra.extend_from_slice(b"age: ");
        extra.extend_from_slice(digits.format(meta.age(now_ms)).as_bytes());
        extra.extend_from_slice(b"\r\ncache-status: ");
        extra.extend_from_slice(self.cache.name.as_bytes());
        extra.extend_from_slice(b"; hit; ttl=");
        extra.extend_from_slice(digits.format(meta.ttl(now_ms)).as_bytes());
        extra.extend_from_slice(b"\r\n");
        let status = object.status();
        if status != StatusCode::NO_CONTENT {
            extra.extend_from_slice(b"content-length: ");
            extra.extend_from_slice(digits.format(body.len()).as_bytes());
            extra.extend_from_slice(b"\r\n");
        }
        let is_head = self.request.method == Method::HEAD;
        reply.stored(status, [object.lines().0, &extra], if is_head { b"" } else { body });
        let sent = if is_head { 0 } else { body.len() as u64 };
        self.tally.status.set(Some(status));
        self.tally.sent_bytes.set(sent);
        let metrics = self.metrics();
        metrics.hits.increment();
        metrics.served_bytes.add(sent);
        true
    }

    /// Sends what [`at_once`](Self::at_once) has written.
    pub(super) async fn flush<R: Reply>(&self, reply: &mut R) {
        let stall = self.worker.limits().body_stall;
        self.deadline.set_from(self.tally.started, stall);
        let ended = self.deadline.guard(poll_fn(|cx| reply.poll_end(cx, None))).await;
        if !matches!(ended, Ok(Ok(()))) {
            let stalled = ended.is_err();
            let failure = if stalled { Failure::ClientStalled } else { Failure::ClientAborted };
            self.tally.failure.set(Some(failure));
            reply.abort();
        }
    }
}
