//! Looking into the store.

use std::sync::Arc;

use deepwater_cache::purge::{Epoch, Stamp, Validity};
use deepwater_cache::rules::status::Fwd;
use deepwater_cache::rules::{self, Reuse};

use crate::cache::{Entry, Object};

use super::{Caching, Want, keys};

/// What the store has for a request.
pub(super) enum Look {
    /// A response for it, and its own key.
    Object(Arc<Entry>, Box<[u8]>),
    /// A part of what it asks for.
    Part(Arc<Entry>, Box<[u8]>),
    /// What it asks for may not be stored.
    Pass,
    /// Nothing.
    Nothing(Fwd),
}

impl Caching<'_> {
    /// What the store has for the request.
    pub(super) fn look(&self, key: &[u8], now_ms: u64) -> Look {
        let Some(entry) = self.cache.store.get(key) else { return Look::Nothing(Fwd::UriMiss) };
        match &*entry {
            Entry::Object(object) => {
                self.judge(&entry, object, key, now_ms).unwrap_or(Look::Nothing(Fwd::UriMiss))
            }
            Entry::Notes(notes) => {
                for vary in notes.varies() {
                    let mut of_variant = key.to_vec();
                    if !keys::append_variant(&mut of_variant, vary, &self.request.fields) {
                        continue;
                    }
                    let Some(entry) = self.cache.store.get(&of_variant) else { continue };
                    if let Entry::Object(object) = &*entry
                        && notes.covers(object)
                        && let Some(look) = self.judge(&entry, object, &of_variant, now_ms)
                    {
                        return look;
                    }
                }
                if notes.passes(now_ms) {
                    return Look::Pass;
                }
                let varies = !notes.varies().is_empty();
                Look::Nothing(if varies { Fwd::VaryMiss } else { Fwd::UriMiss })
            }
        }
    }

    /// What a stored response is to the request, if purges have left anything of it.
    pub(super) fn judge(&self, entry: &Arc<Entry>, object: &Object, key: &[u8], now_ms: u64) -> Option<Look> {
        let epoch = self.cache.epochs.now();
        let entry = match self.cache.validity(object, key) {
            Validity::Hard => return None,
            Validity::Valid => Arc::clone(entry),
            Validity::Soft => self.soften(entry, object, key, epoch, now_ms),
        };
        let suffices = matches!(&*entry, Entry::Object(object) if self.suffices(object, now_ms));
        Some(if suffices { Look::Object(entry, key.into()) } else { Look::Part(entry, key.into()) })
    }

    /// What was purged softly is stale from now on, as seen first. `epoch` was read before the purge was found.
    pub(super) fn soften(
        &self,
        entry: &Arc<Entry>,
        object: &Object,
        key: &[u8],
        epoch: Epoch,
        now_ms: u64,
    ) -> Arc<Entry> {
        let mut meta = object.meta;
        meta.expire(now_ms);
        let stamp = Stamp::new(epoch, object.stamp.slots().iter().copied());
        let stale = Arc::new(Entry::Object(object.with_head(meta, stamp, object.lines().0)));
        let store = &self.cache.store;
        store.swap(key, entry, Arc::clone(&stale), stale.weight() + key.len());
        stale
    }

    /// Whether a stored response that no purge concerns answers.
    pub(super) fn reuse(&self, object: &Object, now_ms: u64) -> Reuse {
        // Not for what has landed since it was drawn.
        let due = self.due.get() && object.meta.response_ms <= self.cache.now_ms(self.tally.started);
        let random = if due { f64::MIN_POSITIVE } else { 1.0 - self.worker.random.borrow_mut().unit() };
        rules::reuse(&self.request.fields, &object.meta, now_ms, &self.plan.policy, random)
    }

    /// Whether a fetch has landed between the look and this.
    pub(super) fn has_changed(&self, url_key: &[u8], want: &Want<'_>) -> bool {
        match &want.stored {
            None => matches!(self.look(url_key, self.now_ms()), Look::Object(..)),
            Some((key, entry)) => {
                self.cache.store.peek(key).is_some_and(|stored| !Arc::ptr_eq(&stored, entry))
            }
        }
    }
}
