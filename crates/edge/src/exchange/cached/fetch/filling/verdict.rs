//! The head is here: what is stored is current, or the answer is to be stored, or it is for the one who asked.

use std::sync::Arc;

use deepwater_cache::flight::Audience;
use deepwater_cache::purge::Stamp;
use deepwater_cache::rules::{self, Meta, NotStored, Storable, Times, Validators, Vary};
use http::StatusCode;

use super::landing::Storing;
use super::{Filling, State};
use crate::cache::{Answer, Entry, Freshened, Object, union, write_line};
use crate::head::{Fields, Name};

impl Filling<'_> {
    /// The origin says that what is stored is current.
    pub(super) fn not_modified(
        &mut self,
        object: &Object,
        key: &[u8],
        fields: &Fields,
        times: Times,
        now_ms: u64,
    ) {
        let fetch = self.fetch;
        let lines = object.lines();
        let stored = (Validators::of(&lines, times.received_ms), object.meta.response_ms);
        if rules::validates(std::iter::once(stored), &Validators::of(fields, times.received_ms)).is_empty() {
            self.again = true;
            return;
        }
        let born = fetch.lead.flight().born();
        let policy = &fetch.plan().policy;
        let newer = fetch.for_all(fields);
        let (entry, stays) = match fetch.cache.freshened(object, &newer, policy, times, now_ms) {
            Ok(Freshened { vary, .. }) if Vary::of(&lines).is_ok_and(|stored| stored != vary) => {
                // It is for other requests than it was: where it lies it would answer all.
                fetch.cache.store.remove(key);
                self.again = true;
                return;
            }
            Ok(new) => (object.with_head(new.meta, Stamp::new(born, new.slots), &new.lines), true),
            // It answers whom it was validated for, and nobody after.
            Err(_) => {
                let mut merged = Vec::new();
                fetch.cache.write_lines(&mut merged, &rules::freshen(&lines, &newer), |_| true);
                let meta = Meta { response_ms: now_ms, ..object.meta };
                let stamp = Stamp::new(born, object.stamp.slots().iter().copied());
                (object.with_head(meta, stamp, &merged), false)
            }
        };
        let entry = Arc::new(Entry::Object(entry));
        let audience = if stays {
            fetch.insert(key, &entry);
            Audience::Everybody
        } else {
            fetch.cache.store.remove(key);
            Audience::Leader
        };
        let answer = Answer { stored: Some(entry), origin_status: Some(304), ..self.blank() };
        self.publish(answer, audience);
        self.over(Ok(()));
    }

    /// The response may be stored.
    pub(super) fn storable(
        &mut self,
        storable: Storable,
        status: StatusCode,
        fields: &Fields,
        length: Option<u64>,
        now_ms: u64,
    ) {
        let fetch = self.fetch;
        let mut variant = Vec::new();
        let varies = fetch.check_vary(&storable.vary, &mut variant);
        let tags = fetch.cache.tag_slots(fields);
        let (Ok(()), Ok(tags)) = (varies, tags) else {
            return self.unstorable(varies.err().unwrap_or(NotStored::Tags), status, fields, length, now_ms);
        };
        let completes = match (&fetch.completes, &storable.part) {
            (Some(gap), Some(part))
                if part.range == *gap && part.combinable && self.is_same_version(fields) =>
            {
                true
            }
            (Some(_), Some(_)) => {
                self.again = true;
                return;
            }
            _ => false,
        };
        let of_part = status == StatusCode::PARTIAL_CONTENT;
        let mut lines = Vec::new();
        // Parts are joined, and cut.
        let keeps = |name: &[u8]| storable.excluded.keeps(name) && !(of_part && rules::is_digest(name));
        fetch.cache.write_lines(&mut lines, fields, |name| {
            keeps(name) && !(of_part && Name::of(name) == Name::ContentRange)
        });
        let mut withheld = Vec::new();
        fetch
            .cache
            .write_lines(&mut withheld, fields, |name| !keeps(name) && !name.eq_ignore_ascii_case(b"age"));
        let slots = union(&fetch.slots, &tags);
        let meta = Meta { response_ms: now_ms, ..storable.meta };
        let unknown_part = storable.part.as_ref().is_some_and(|part| part.len.is_none());
        let too_large = length.is_some_and(|length| length > fetch.cache.store.max_weight() as u64);
        let mut shown = lines.clone();
        if let Some(range) = fields.get_known(Name::ContentRange).filter(|_| of_part) {
            write_line(&mut shown, b"content-range", range);
        }
        let answer = Answer {
            status: status.as_u16(),
            lines: shown.into(),
            withheld: withheld.into(),
            meta: Some(meta),
            kept: !(unknown_part || too_large),
            length,
            vary: storable.vary.clone(),
            variant: variant.clone().into(),
            slots: slots.clone(),
            ..self.blank()
        };
        if unknown_part || too_large {
            // Shared, a body that is not kept would go at the pace of the slowest.
            fetch.note_pass(now_ms, status);
            self.publish(answer, Audience::Leader);
            self.state = State::Passing;
            return;
        }
        if !completes {
            self.publish(answer, Audience::Everybody);
        }
        self.state = State::Storing(Box::new(Storing {
            completes,
            meta,
            slots,
            lines,
            vary: storable.vary,
            variant: variant.into(),
            part: storable.part,
            chunks: Vec::new(),
            bytes: 0,
        }));
    }

    /// The response is for the one who asked.
    pub(super) fn unstorable(
        &mut self,
        why: NotStored,
        status: StatusCode,
        fields: &Fields,
        length: Option<u64>,
        now_ms: u64,
    ) {
        let fetch = self.fetch;
        // A failing origin is not to be asked by each of those who wait, unless its page may be for the one who asked.
        let fails = rules::is_error(status.as_u16()) && why == NotStored::NoFreshness;
        let personal =
            [Name::Cookie, Name::Authorization].map(|name| fetch.asked.fields.get_known(name).is_some());
        let personal = personal.contains(&true)
            || fields.get_known(Name::SetCookie).is_some()
            || fields.get_known(Name::Vary).is_some();
        let audience = if fails && !personal {
            self.back_off(now_ms);
            Audience::Present
        } else {
            if fetch.object().is_some() && (fetch.interims.is_none() || is_of_the_asker(why)) {
                // What is stored is still for the others.
                self.back_off(now_ms);
            } else {
                fetch.note_pass(now_ms, status);
            }
            Audience::Leader
        };
        let mut lines = Vec::new();
        fetch.cache.write_lines(&mut lines, fields, |_| true);
        let answer = Answer {
            status: status.as_u16(),
            lines: lines.into(),
            refused: Some(why),
            length,
            ..self.blank()
        };
        self.publish(answer, audience);
        self.state = State::Passing;
    }
}

/// Whether an answer may not be stored for the sake of who has asked: to others it may be another one.
fn is_of_the_asker(why: NotStored) -> bool {
    matches!(why, NotStored::Authorization | NotStored::Cookie | NotStored::ClientNoStore)
}
