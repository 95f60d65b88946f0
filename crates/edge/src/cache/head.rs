//! The head of a stored response: what of it is stored, and what a 304 or a HEAD makes of it.

use deepwater_cache::purge::{Kind, Slot};
use deepwater_cache::rules::{self, Meta, NotStored, Policy, Response, Times, Vary, surrogate};

use crate::head::{Fields, Name};

use super::{HttpCache, Object, write_line};

/// A stored head brought up to date.
pub(crate) struct Freshened {
    pub meta: Meta,
    pub lines: Vec<u8>,
    /// The request fields it depends on from now on.
    pub vary: Vary,
    /// Its slots and those of its new tags.
    pub slots: Vec<Slot>,
}

impl HttpCache {
    /// Writes the fields that are part of a stored head: length and age are written anew into each answer.
    pub fn write_lines<F: rules::Fields + ?Sized>(
        &self,
        out: &mut Vec<u8>,
        fields: &F,
        keeps: impl Fn(&[u8]) -> bool,
    ) {
        for (name, value) in fields.iter() {
            let written_anew = Name::of(name) == Name::ContentLength;
            let hidden = !self.shows_tags && surrogate::is_tag_field(name);
            if !written_anew && !hidden && keeps(name) {
                write_line(out, name, value);
            }
        }
    }

    /// Slots of the tags a response carries.
    ///
    /// # Errors
    /// When they are more, or longer, than are kept.
    pub fn tag_slots(&self, fields: &Fields) -> Result<Vec<Slot>, NotStored> {
        let tags = surrogate::tags(fields)?;
        Ok(tags.iter().map(|tag| self.epochs.slot(Kind::Tag, tag)).collect())
    }

    /// What a newer head of the same version makes of a stored one (RFC 9111 §3.2).
    ///
    /// # Errors
    /// When it may not be stored any longer.
    pub fn freshened(
        &self,
        object: &Object,
        newer: &Fields,
        policy: &Policy,
        times: Times,
        now_ms: u64,
    ) -> Result<Freshened, NotStored> {
        let tags = self.tag_slots(newer)?;
        let stored = object.lines();
        let merged = rules::freshen(&stored, newer);
        let merged = merged.as_slice();
        let told = Response { status: object.meta.status.as_u16(), fields: merged };
        let storable = rules::update(told, policy, times)?;
        let mut lines = Vec::with_capacity(stored.0.len());
        self.write_lines(&mut lines, merged, |name| storable.excluded.keeps(name));
        Ok(Freshened {
            meta: Meta { response_ms: now_ms, ..storable.meta },
            lines,
            vary: storable.vary,
            slots: union(object.stamp.slots(), &tags),
        })
    }
}

/// The slots of both.
pub(crate) fn union(one: &[Slot], other: &[Slot]) -> Vec<Slot> {
    let mut all = one.to_vec();
    all.extend(other.iter().filter(|slot| !one.contains(slot)));
    all
}
