//! Requests that go past the cache: what their answers tell it nevertheless.

use std::sync::Arc;

use deepwater_cache::purge::Stamp;
use deepwater_cache::rules::status::{Fwd, Member};
use deepwater_cache::rules::{self, HeadEffect, Target, Times, surrogate};
use http::Method;

use crate::cache::{Entry, HttpCache, target_of, unix_ms};
use crate::head::{Fields, Name, Request, Response};
use crate::peer::Peer;

use super::{Caching, facts};

/// What is kept of a request to learn from its answer: the request itself is changed on its way.
pub(in crate::exchange) struct Passing {
    method: Method,
    /// The key of its URL, if its route caches.
    key: Vec<u8>,
    /// Its URL, if it may write.
    url: Option<Url>,
    asked: Fields,
    /// Its answer is one for everybody, as far as the request goes.
    anonymous: bool,
    /// What `Cache-Status` says, if its route caches.
    pub status: Option<Vec<u8>>,
}

/// A URL's parts.
struct Url {
    scheme: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    query: Option<Vec<u8>>,
}

impl Url {
    /// Of a request that may write.
    fn of(request: &Request, peer: &Peer) -> Option<Self> {
        let Target { scheme, authority, path, query } = target_of(request, peer);
        (!rules::is_safe(&request.method)).then(|| Self {
            scheme: scheme.to_vec(),
            authority: authority.to_vec(),
            path: path.to_vec(),
            query: query.map(<[u8]>::to_vec),
        })
    }

    fn target(&self) -> Target<'_> {
        let Self { scheme, authority, path, query, .. } = self;
        Target { scheme, authority, path, query: query.as_deref() }
    }
}

impl Caching<'_> {
    /// Prepares to learn from the answer of a request that goes to the origin by itself.
    pub(super) fn passing(&self, key: &[u8], fwd: Fwd, detail: Option<&'static str>) -> Passing {
        self.metrics.bypassed.increment();
        let mut text = Vec::new();
        Member { fwd: Some(fwd), detail, ..Member::default() }.write(&self.cache.name, &mut text);
        let request = self.request;
        Passing {
            method: request.method.clone(),
            key: key.to_vec(),
            url: Url::of(request, self.peer),
            asked: if request.method == Method::GET { self.asked().fields } else { Fields::default() },
            anonymous: self.facts.bypass.is_none() && !self.facts.authorized && facts::is_anonymous(request),
            status: Some(text),
        }
    }
}

impl Passing {
    /// Of a request on a route that does not cache: if it may write, others may have stored what it writes.
    pub fn of_write(request: &Request, peer: &Peer) -> Option<Self> {
        let url = Url::of(request, peer)?;
        let (method, asked) = (request.method.clone(), Fields::default());
        Some(Self { method, key: Vec::new(), url: Some(url), asked, anonymous: false, status: None })
    }

    /// Learns from the head of the answer, and writes into it what the cache did.
    pub fn note(
        &self,
        cache: &HttpCache,
        policy: Option<&rules::Policy>,
        (now_ms, times): (u64, Times),
        response: &mut Response,
    ) {
        if let Some(url) = &self.url {
            self.invalidate(cache, url, response);
        }
        let (Some(policy), Some(status)) = (policy, &self.status) else { return };
        if self.method == Method::HEAD && self.anonymous {
            self.freshen(cache, policy, now_ms, times, response);
        } else if self.method == Method::GET
            && let Some(entry) = cache.store.peek(&self.key)
            && let Entry::Notes(notes) = &*entry
            && notes.passes(now_ms)
        {
            let asked = rules::Request { method: &self.method, fields: &self.asked };
            let told = rules::Response { status: response.status.as_u16(), fields: &response.fields };
            if rules::store(asked, told, policy, times).is_ok() {
                // It may be stored after all: the next one fetches it for everybody.
                let new = Arc::new(Entry::Notes(Box::new(notes.passing_until(0))));
                let weight = new.weight() + self.key.len();
                cache.store.swap(&self.key, &entry, new, weight);
            }
        }
        if !cache.shows_tags {
            response.fields.remove_where(|_, name, _| surrogate::is_tag_field(name));
        }
        response.fields.add_known(Name::CacheStatus, status);
    }

    /// A write makes what is stored of its URL invalid, and of those its answer names (RFC 9111 §4.4).
    fn invalidate(&self, cache: &HttpCache, url: &Url, response: &Response) {
        let target = url.target();
        let told = rules::Response { status: response.status.as_u16(), fields: &response.fields };
        for invalid in rules::invalidated(&self.method, target, told) {
            let invalid = Target { path: &invalid.path, query: invalid.query.as_deref(), ..target };
            cache.invalidate(invalid);
        }
    }

    /// The answer to a HEAD updates what is stored of a GET, or tells that it is out of date (RFC 9111 §4.3.5).
    fn freshen(
        &self,
        cache: &HttpCache,
        policy: &rules::Policy,
        now_ms: u64,
        times: Times,
        response: &Response,
    ) {
        let Some(entry) = cache.store.peek(&self.key) else { return };
        let Entry::Object(object) = &*entry else { return };
        let Some(len) = object.len().filter(|_| !object.is_partial()) else { return };
        let lines = object.lines();
        let told = rules::Response { status: response.status.as_u16(), fields: &response.fields };
        let new = match rules::head(&lines, len, told, now_ms) {
            HeadEffect::Nothing => return,
            HeadEffect::Expire => {
                let mut meta = object.meta;
                meta.expire(now_ms);
                object.with_head(meta, Stamp::clone(&object.stamp), lines.0)
            }
            HeadEffect::Update => match cache.freshened(object, &response.fields, policy, times, now_ms) {
                Ok(new) if new.vary.is_empty() => {
                    object.with_head(new.meta, Stamp::new(object.stamp.born(), new.slots), &new.lines)
                }
                // Nor may it stay here, where it answers all, if it is for some only.
                Ok(_) | Err(_) => {
                    cache.store.remove(&self.key);
                    return;
                }
            },
        };
        let new = Arc::new(Entry::Object(new));
        let weight = new.weight() + self.key.len();
        cache.store.swap(&self.key, &entry, new, weight);
    }
}

/// When an answer came: by the cache's time, and by the system's clock.
pub(in crate::exchange) fn times(
    cache: &HttpCache,
    clock: &dyn deepwater_core::clock::Clock,
) -> (u64, Times) {
    let now = unix_ms(clock.wall());
    (cache.now_ms(clock.now()), Times { sent_ms: now, received_ms: now })
}
