//! What all requests with keys share: the store, the memory for what is under way, the word about failures.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use deepwater_core::config::{Place, Size};
use deepwater_core::random::Random;
use deepwater_core::{Context, Events, event};

use crate::config::{Idempotency, OnStoreError};

use super::buffers::Buffers;
use super::store::{Memory, MemoryCounts, Owner, Redis, RedisPlan, Store, StoreError};

event! {
    /// Idempotency keys cannot be looked up any more.
    pub struct IdempotencyStoreLost { reason: String }
    idempotency_store_lost: Error, "idempotency keys cannot be looked up: {reason}"
}

event! {
    /// Idempotency keys can be looked up again.
    pub struct IdempotencyStoreBack {}
    idempotency_store_back: Info, "idempotency keys can be looked up again"
}

/// Shared by all cores.
pub(crate) struct KeyStore {
    kind: Kind,
    buffers: Arc<Buffers>,
    on_error: OnStoreError,
    /// Tells this process from every other.
    node: [u8; 16],
}

enum Kind {
    Memory(Arc<Memory>),
    Redis(Box<RedisPlan>),
}

impl KeyStore {
    /// Makes settings valid, or reports what is wrong with them. What the one in force remembers is kept. `secret` is
    /// this process's alone.
    pub fn build(
        place: &Place<'_>,
        config: &Idempotency,
        directory: &Path,
        context: &Context,
        secret: &[u8],
        old: Option<&Self>,
    ) -> Option<Arc<Self>> {
        let least = Size::from_kib(1024);
        if config.memory < least {
            place.at("memory").problem_with_fix(format!("it must be at least {least}"), "write \"64MiB\"");
            return None;
        }
        let bytes = |size: Size| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        let kind = match &config.redis {
            Some(_) => Kind::Redis(Box::new(redis(place, config, directory)?)),
            None => Kind::Memory(match old.map(|old| &old.kind) {
                Some(Kind::Memory(memory)) => {
                    memory.resize(bytes(config.memory));
                    Arc::clone(memory)
                }
                _ => Arc::new(Memory::new(bytes(config.memory), Arc::clone(&context.clock))),
            }),
        };
        let mut node = [0; 16];
        let named = digest(&SHA256, &[b"idempotency node\0", secret].concat());
        node.copy_from_slice(&named.as_ref()[..16]);
        Some(Arc::new(Self {
            kind,
            buffers: Buffers::new(bytes(config.buffers)),
            on_error: config.on_store_error,
            node,
        }))
    }

    /// One core's share of it.
    pub fn on_core(&self, events: &Events, seed: u64) -> Rc<Keeper> {
        let store: Rc<dyn Store> = match &self.kind {
            Kind::Memory(memory) => Rc::new(Arc::clone(memory)),
            Kind::Redis(plan) => Rc::new(Redis::new(RedisPlan::clone(plan))),
        };
        Rc::new(Keeper {
            store,
            buffers: Arc::clone(&self.buffers),
            on_error: self.on_error,
            node: self.node,
            random: RefCell::new(Random::from_seed(seed)),
            events: events.clone(),
            is_lost: Cell::new(false),
        })
    }

    /// What it holds, if it holds it itself.
    pub fn counts(&self) -> Option<MemoryCounts> {
        match &self.kind {
            Kind::Memory(memory) => Some(memory.counts()),
            Kind::Redis(_) => None,
        }
    }

    /// Bytes held by requests under way.
    pub fn buffered_bytes(&self) -> usize {
        self.buffers.held_bytes()
    }
}

fn redis(place: &Place<'_>, config: &Idempotency, directory: &Path) -> Option<RedisPlan> {
    if config.timeout.get().is_zero() {
        place.at("timeout").problem_with_fix("no Redis is that fast", "write \"500ms\"");
        return None;
    }
    let url = config.redis.as_ref()?.resolve(directory).map_err(|error| {
        place.at("redis").secret_problem(&error);
    });
    let authorities = config.redis_ca.as_ref().map(|file| {
        let read = std::fs::read(directory.join(file));
        read.map_err(|error| place.at("redis_ca").problem(format!("cannot read `{file}`: {error}")))
    });
    let (url, authorities) = (url.ok()?, authorities.transpose().ok()?);
    let plan = RedisPlan::new(url.expose(), authorities, &config.prefix, config.timeout.get());
    plan.map_err(|fault| {
        let fix = "write \"redis://host:6379\", or \"rediss://host:6379\" for TLS";
        place.at("redis").problem_with_fix(fault.to_string(), fix);
    })
    .ok()
}

/// One core's way to the keys.
pub(crate) struct Keeper {
    store: Rc<dyn Store>,
    buffers: Arc<Buffers>,
    on_error: OnStoreError,
    node: [u8; 16],
    random: RefCell<Random>,
    events: Events,
    is_lost: Cell<bool>,
}

impl Keeper {
    /// One over any store.
    #[cfg(test)]
    pub(super) fn over(
        store: Rc<dyn Store>,
        buffers: Arc<Buffers>,
        on_error: OnStoreError,
        events: Events,
    ) -> Rc<Self> {
        let random = RefCell::new(Random::from_seed(1));
        let (node, is_lost) = ([1; 16], Cell::new(false));
        Rc::new(Self { store, buffers, on_error, node, random, events, is_lost })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn buffers(&self) -> &Arc<Buffers> {
        &self.buffers
    }

    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// Whether requests go on as if they had no key when the store fails.
    pub(super) fn passes_uncovered(&self) -> bool {
        self.on_error == OnStoreError::Pass
    }

    /// A token that nobody else has.
    pub(super) fn owner(&self) -> Owner {
        let mut token = [0; 24];
        token[..16].copy_from_slice(&self.node);
        token[16..].copy_from_slice(&self.random.borrow_mut().next_u64().to_be_bytes());
        Owner(token)
    }

    /// Tells of a store that begins to fail, and of one that is back; not of each step between.
    pub(super) fn heard<T>(&self, step: Result<T, StoreError>) -> Result<T, StoreError> {
        let is_lost = step.is_err();
        if self.is_lost.replace(is_lost) != is_lost {
            match &step {
                Err(error) => self.events.emit(IdempotencyStoreLost { reason: error.to_string() }),
                Ok(_) => self.events.emit(IdempotencyStoreBack {}),
            }
        }
        step
    }
}
