//! The body is here: it goes into the store, with the parts that were there before.

use std::sync::Arc;

use bytes::Bytes;
use deepwater_cache::flight::Audience;
use deepwater_cache::purge::{Slot, Stamp, Validity};
use deepwater_cache::rules::{Meta, Part, Validators, Vary};
use http::StatusCode;

use super::Filling;
use crate::cache::{Answer, Entry, Fault, Object, union};
use crate::head::Fields;

/// A body on its way into the store, and what is known of it.
pub(super) struct Storing {
    /// The answer is all of it, once this is here.
    pub completes: bool,
    pub meta: Meta,
    pub slots: Vec<Slot>,
    pub lines: Vec<u8>,
    pub vary: Vary,
    pub variant: Box<[u8]>,
    pub part: Option<Part>,
    pub chunks: Vec<Bytes>,
    pub bytes: u64,
}

impl Filling<'_> {
    /// All of the body is here. What is stored now, if it is.
    pub(super) fn land(&self, storing: Storing) -> Option<Arc<Entry>> {
        let fetch = self.fetch;
        let Storing { mut meta, slots, lines, vary, variant, part, chunks, bytes, .. } = storing;
        let whole_fetch = self.sent.elapsed().as_millis();
        meta.fetch_ms = u32::try_from(whole_fetch).unwrap_or(u32::MAX).max(meta.fetch_ms);
        let born = fetch.lead.flight().born();
        let key = fetch.place(&vary, &variant);
        let object = match part {
            None => Object::whole(meta, Stamp::new(born, slots), &lines, chunks),
            Some(part) if part.range.end - part.range.start == bytes => {
                let content = Bytes::from(chunks.concat());
                let object = |slots| {
                    let stamp = Stamp::new(born, slots);
                    Object::part(meta, stamp, &lines, part.range.start, content.clone(), part.len)
                };
                // What is there now, not what was there when this was asked for.
                let now = fetch.cache.store.peek(&key);
                match now.as_deref() {
                    Some(Entry::Object(older))
                        if part.combinable
                            && fetch.cache.validity(older, &key) != Validity::Hard
                            && same_version(
                                &Validators::of(&older.lines(), meta.response_ms),
                                &Validators::of(&object(Vec::new()).lines(), meta.response_ms),
                            ) =>
                    {
                        if !older.is_partial() {
                            // The whole of this version has come meanwhile.
                            return now;
                        }
                        let mut joined = object(union(&slots, older.stamp.slots()));
                        joined.join(older);
                        joined.settle();
                        joined
                    }
                    _ => object(slots),
                }
            }
            // Not what it said it is.
            Some(_) => return None,
        };
        let entry = Arc::new(Entry::Object(object));
        if let Entry::Object(object) = &*entry
            && fetch.cache.validity(object, &key) == Validity::Hard
        {
            return None;
        }
        fetch.insert(&key, &entry);
        if !vary.is_empty() {
            fetch.note_variant(&vary, &key);
        }
        Some(entry)
    }

    /// Answers with the whole that parts have become; where they have not, everybody looks again.
    pub(super) fn complete(&self, landed: Option<Arc<Entry>>) {
        let is_whole = |entry: &Arc<Entry>| matches!(&**entry, Entry::Object(object) if !object.is_partial());
        match landed.filter(is_whole) {
            Some(entry) => {
                let origin_status = Some(StatusCode::PARTIAL_CONTENT.as_u16());
                let answer = Answer { stored: Some(entry), origin_status, ..self.blank() };
                self.publish(answer, Audience::Everybody);
            }
            None => self.fetch.lead.flight().fail(Fault::Again),
        }
    }

    /// Whether a part is of the version that is stored.
    pub(super) fn is_same_version(&self, fields: &Fields) -> bool {
        let Some(object) = self.fetch.object() else { return false };
        let lines = object.lines();
        let now_ms = object.meta.response_ms;
        same_version(&Validators::of(&lines, now_ms), &Validators::of(fields, now_ms))
    }
}

/// Whether two parts are of one version, byte for byte (RFC 9110 §15.3.7.3).
fn same_version(one: &Validators<'_>, other: &Validators<'_>) -> bool {
    match (one.etag, other.etag) {
        (Some(one), Some(other)) => one.strong_eq(other),
        (None, None) => one.settled && other.settled && one.last_modified == other.last_modified,
        _ => false,
    }
}
