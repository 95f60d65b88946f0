//! Clients that leave, origins that break off.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_finds_its_answer_when_it_returns() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let tap = scene
            .run("k", async |origin| {
                tokio::time::sleep(5 * SECOND).await;
                answer(origin, 200, "hello").await;
            })
            .await;
        let mut client = Client { is_gone: true, ..Client::default() };
        assert_eq!(client.take(tap).await, Passed::ClientLeft);
        assert_eq!(scene.repeat("k").await, "in_flight");
        tokio::time::sleep(6 * SECOND).await;
        assert_eq!(scene.repeat("k").await, "200 hello");
        assert_eq!(scene.buffers.held_bytes(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_does_not_hold_up_what_is_kept() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let body = "x".repeat(500_000);
        let sent = body.clone();
        let tap = scene.run("k", async move |origin| answer(origin, 200, &sent).await).await;
        let mut client = Client { takes: Some(10), ..Client::default() };
        assert_eq!(client.take(tap).await, Passed::ClientStalled);
        assert!(client.is_aborted && !client.is_whole);
        assert!(scene.repeat("k").await == format!("200 {body}"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_comes_at_the_pace_of_its_client() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let sent = Rc::new(Cell::new(0));
        let counted = Rc::clone(&sent);
        let tap = scene
            .run("k", async move |origin| {
                origin.head(StatusCode::INTERNAL_SERVER_ERROR, &Fields::of(&[]), Framing::Chunked);
                while piece(origin, &[b'x'; 1_000], false).await.is_ok() {
                    counted.set(counted.get() + 1_000);
                    tokio::task::yield_now().await;
                }
                origin.abort();
            })
            .await;
        let mut client = Client { takes: Some(10_000), ..Client::default() };
        assert_eq!(client.take(tap).await, Passed::ClientStalled);
        assert!((70_000..80_000).contains(&sent.get()), "{}", sent.get());
        tokio::task::yield_now().await;
        assert_eq!(scene.repeat("k").await, "begun", "a 500 frees its key, whole or not");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_after_it_was_sent_is_of_unknown_outcome() {
    in_local(async {
        for unknown in [UnknownOutcome::Conflict, UnknownOutcome::Retry] {
            let scene = Scene::new(|table| table.unknown = unknown);
            let tap = scene
                .run("k", async |origin| {
                    origin.head(StatusCode::OK, &Fields::of(&[]), Framing::Length(10));
                    piece(origin, b"hello", false).await.unwrap();
                    origin.abort();
                })
                .await;
            let mut client = Client::default();
            assert_eq!(client.take(tap).await, Passed::Broken);
            assert!(client.is_aborted && !client.is_whole);
            assert_eq!(scene.repeat("k").await, "in_flight", "the origin may still be at it");
            tokio::time::sleep(60 * SECOND).await;
            let then = if unknown == UnknownOutcome::Retry { "begun" } else { "outcome_unknown" };
            assert_eq!(scene.repeat("k").await, then);
        }
    })
    .await;
}

/// An exchange that fails with an answer of ours, after it was sent or before.
async fn fails(scene: &Scene, sends: bool) -> Client {
    let attempt = scene.begin("k").await;
    let (recorder, tap) = Recorder::new(Rc::clone(&attempt), || Some(Failure::ResponseTimeout));
    tokio::task::spawn_local(recorder.run(async move |origin| {
        if sends {
            attempt.sending().await.unwrap();
        }
        origin.close_after();
        answer(origin, 504, "too late").await;
    }));
    let mut client = Client::default();
    assert_eq!(client.take(tap).await, Passed::Whole);
    client
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_may_be_tried_again_at_once() {
    in_local(async {
        let scene = Scene::new(|table| table.store = StoredAnswers::All);
        let client = fails(&scene, false).await;
        assert_eq!((client.status, &client.text()[..], client.closes), (504, "too late", true));
        assert_eq!(fails(&scene, true).await.status, 504);
        assert_eq!(scene.repeat("k").await, "in_flight", "no answer of ours is ever stored");
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(scene.repeat("k").await, "outcome_unknown");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_holds_its_key_for_as_long_as_it_takes() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let tap = scene
            .run("k", async |origin| {
                tokio::time::sleep(3_600 * SECOND).await;
                answer(origin, 200, "at last").await;
            })
            .await;
        let waiting = tokio::task::spawn_local(async move { Client::default().take(tap).await });
        for _ in 0..100 {
            tokio::time::sleep(35 * SECOND).await;
            assert_eq!(scene.repeat("k").await, "in_flight");
        }
        assert_eq!(waiting.await.unwrap(), Passed::Whole);
        assert_eq!(scene.repeat("k").await, "200 at last");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_dropped_breaks_its_answer_off() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let attempt = scene.begin("k").await;
        let (recorder, tap) = Recorder::new(attempt, || None);
        let task = tokio::task::spawn_local(recorder.run(async |_| std::future::pending().await));
        tokio::task::yield_now().await;
        task.abort();
        assert_eq!(Client::default().take(tap).await, Passed::Broken);
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(scene.repeat("k").await, "begun", "nothing was sent: it is free when its lease ends");
    })
    .await;
}
