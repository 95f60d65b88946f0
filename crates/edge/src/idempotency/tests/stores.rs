//! Stores that are slow, fail, and come back.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use deepwater_core::clock::ManualClock;

use super::*;
use crate::idempotency::answer::Kept;
use crate::idempotency::digest::Digest;
use crate::idempotency::store::{Begun, Hold, Memory, Owner, Step, Store, StoreError, Terms};

/// A store that fails as often as it is told to, and takes its time.
struct Frail {
    memory: Arc<Memory>,
    fails: Cell<u32>,
    takes: Cell<Duration>,
    /// It does what it fails to confirm.
    does_it: Cell<bool>,
}

impl Frail {
    fn new() -> Rc<Self> {
        let clock = Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH));
        let memory = Arc::new(Memory::new(1 << 20, clock));
        let (fails, takes, does_it) = (Cell::new(0), Cell::new(Duration::ZERO), Cell::new(false));
        Rc::new(Self { memory, fails, takes, does_it })
    }

    fn step<'s, T: 's>(&'s self, step: Step<'s, T>) -> Step<'s, T> {
        Box::pin(async move {
            tokio::time::sleep(self.takes.get()).await;
            let left = self.fails.get();
            self.fails.set(left.saturating_sub(1));
            let fault = (left > 0).then(|| StoreError("it is down".into()));
            match fault {
                Some(fault) if !self.does_it.get() => Err(fault),
                Some(fault) => step.await.and(Err(fault)),
                None => step.await,
            }
        })
    }
}

impl Store for Frail {
    fn begin<'s>(
        &'s self,
        lookup: &'s Digest,
        fingerprint: &'s Digest,
        owner: Owner,
        terms: Terms,
    ) -> Step<'s, Begun> {
        self.step(Box::pin(async move { self.memory.begin(lookup, fingerprint, owner, terms).await }))
    }

    fn sending<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        self.step(Box::pin(async move { self.memory.sending(lookup, owner, terms).await }))
    }

    fn renew<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        self.step(Box::pin(async move { self.memory.renew(lookup, owner, terms).await }))
    }

    fn finish<'s>(
        &'s self,
        lookup: &'s Digest,
        owner: Owner,
        kept: Arc<Kept>,
        keep: Duration,
    ) -> Step<'s, Hold> {
        self.step(Box::pin(async move { self.memory.finish(lookup, owner, kept, keep).await }))
    }

    fn abandon<'s>(&'s self, lookup: &'s Digest, owner: Owner) -> Step<'s, Hold> {
        self.step(Box::pin(async move { self.memory.abandon(lookup, owner).await }))
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_store_fails_requests_are_refused_or_pass() {
    in_local(async {
        for (on_error, then) in [(OnStoreError::Fail, "unavailable"), (OnStoreError::Pass, "uncovered")] {
            let store = Frail::new();
            let scene = Scene::over(Rc::clone(&store) as _, on_error, |_| ());
            store.fails.set(u32::MAX);
            for _ in 0..3 {
                assert_eq!(scene.repeat("k").await, then);
            }
            assert_eq!(word(&scene.ask_with(&[], "{}").await), "keyless", "what has no key needs no store");
            tokio::time::sleep(SECOND).await;
            store.fails.set(0);
            assert_eq!(scene.repeat("k").await, "begun");
            let counts = scene.events.counts();
            assert_eq!((counts["idempotency_store_lost"], counts["idempotency_store_back"]), (1, 1));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_nobody_knows_of_is_given_back() {
    in_local(async {
        let store = Frail::new();
        let scene = Scene::over(Rc::clone(&store) as _, OnStoreError::Fail, |_| ());
        store.does_it.set(true);
        store.fails.set(1);
        assert_eq!(scene.repeat("k").await, "unavailable");
        tokio::time::sleep(SECOND).await;
        assert_eq!(scene.repeat("k").await, "begun");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_the_store_does_not_know_of() {
    in_local(async {
        for (on_error, may) in [(OnStoreError::Fail, false), (OnStoreError::Pass, true)] {
            let store = Frail::new();
            let scene = Scene::over(Rc::clone(&store) as _, on_error, |_| ());
            let attempt = scene.begin("k").await;
            store.fails.set(1);
            assert_eq!(attempt.sending().await.is_ok(), may);
            assert_eq!(attempt.sending().await.is_ok(), may, "it stays like that");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_has_its_whole_answer_once_the_store_has() {
    in_local(async {
        let store = Frail::new();
        let scene = Scene::over(Rc::clone(&store) as _, OnStoreError::Fail, |_| ());
        for (key, body) in [("full", "hello"), ("empty", "")] {
            store.takes.set(Duration::ZERO);
            let slow = Rc::clone(&store);
            let tap = scene
                .run(key, async move |origin| {
                    slow.takes.set(10 * SECOND);
                    answer(origin, 200, body).await;
                })
                .await;
            let mut client = Client::default();
            let taken = tokio::time::timeout(9 * SECOND, client.take(tap)).await;
            assert!(taken.is_err() && client.body.is_empty() && !client.is_whole);
            assert_eq!(client.status, if body.is_empty() { 0 } else { 200 }, "a head alone can be all of it");
            tokio::time::sleep(2 * SECOND).await;
            store.takes.set(Duration::ZERO);
            assert_eq!(scene.repeat(key).await, format!("200 {body}"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_offered_again_to_a_store_that_failed() {
    in_local(async {
        let store = Frail::new();
        let scene = Scene::over(Rc::clone(&store) as _, OnStoreError::Fail, |_| ());
        for (key, fails, then) in [("short", 3, "200 hello"), ("long", u32::MAX, "in_flight")] {
            store.fails.set(0);
            let failing = Rc::clone(&store);
            let tap = scene
                .run(key, async move |origin| {
                    failing.fails.set(fails);
                    answer(origin, 200, "hello").await;
                })
                .await;
            let mut client = Client::default();
            assert_eq!((client.take(tap).await, client.text().as_str()), (Passed::Whole, "hello"));
            tokio::time::sleep(30 * SECOND).await;
            store.fails.set(0);
            assert_eq!(scene.repeat(key).await, then);
        }
        assert_eq!(scene.events.counts()["idempotent_answer_lost"], 1);
    })
    .await;
}
