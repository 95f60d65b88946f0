//! Answers on their way to the client and into the store.

use crate::head::{Name, Response};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_repeat_gets_the_answer_of_the_first() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let tap = scene.run("k", async |origin| answer(origin, 201, "hello").await).await;
        let mut first = Client::default();
        assert_eq!(first.take(tap).await, Passed::Whole);
        assert_eq!((first.status, &first.text()[..], first.is_whole), (201, "hello", true));
        assert_eq!((first.field("Set-Cookie"), first.field("Idempotent-Replayed")), (Some("a=b"), None));

        for _ in 0..3 {
            let mut repeat = Client::default();
            repeat.take_again(&scene.ask("k", "{}").await).await;
            assert_eq!((repeat.status, &repeat.text()[..], repeat.is_whole), (201, "hello", true));
            assert_eq!((repeat.field("X-Origin"), repeat.field("Content-Length")), (Some("1"), Some("5")));
            assert_eq!(repeat.field("Idempotent-Replayed"), Some("true"));
            assert_eq!(repeat.field("Set-Cookie"), None);
            let dates: Vec<_> = repeat.fields.all_known(Name::Date).collect();
            assert_eq!(dates, [b"then"], "when it was made");
        }
        assert_eq!(scene.buffers.held_bytes(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_is_one() {
    in_local(async {
        let scene = Scene::new(|table| table.keep_cookies = true);
        for status in [204, 200] {
            let key = status.to_string();
            let tap = scene.run(&key, async move |origin| answer(origin, status, "").await).await;
            assert_eq!(Client::default().take(tap).await, Passed::Whole);
            let mut repeat = Client::default();
            repeat.take_again(&scene.ask(&key, "{}").await).await;
            assert_eq!((repeat.status, repeat.body.len(), repeat.is_whole), (status, 0, true));
            assert_eq!(repeat.field("Content-Length"), (status == 200).then_some("0"));
            assert_eq!(repeat.field("Set-Cookie"), Some("a=b"), "as was asked for");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn which_answers_free_their_key_is_a_setting() {
    in_local(async {
        for (status, by_default) in
            [(200, "200 x"), (404, "404 x"), (429, "begun"), (500, "begun"), (503, "begun")]
        {
            for (store, then) in
                [(StoredAnswers::Non5xx, by_default.to_owned()), (StoredAnswers::All, format!("{status} x"))]
            {
                let scene = Scene::new(|table| table.store = store);
                let tap = scene.run("k", async move |origin| answer(origin, status, "x").await).await;
                let mut client = Client::default();
                assert_eq!((client.take(tap).await, client.status), (Passed::Whole, status));
                assert_eq!(scene.repeat("k").await, then, "{status} {store:?}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_passed_on_as_it_comes_and_followed_for_a_lease_more() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let tap = scene
            .run("k", async |origin| {
                let early = Response { status: StatusCode::EARLY_HINTS, ..Response::default() };
                origin.interim(&early);
                origin.head(
                    StatusCode::OK,
                    &Fields::of(&[("Content-Type", "text/event-stream")]),
                    Framing::Chunked,
                );
                for number in 0..5 {
                    piece(origin, format!("{number};").as_bytes(), false).await.unwrap();
                    tokio::time::sleep(100 * SECOND).await;
                }
                let trailers = Fields::of(&[("grpc-status", "0")]);
                end(origin, Some(&trailers)).await;
            })
            .await;
        let mut client = Client::default();
        {
            let taking = client.take(tap);
            // Longer than its deadline and its lease: while the origin is silent, the client cannot stall.
            assert!(tokio::time::timeout(350 * SECOND, taking).await.is_err());
        }
        assert_eq!(
            (client.interims, &client.body[..], client.is_whole),
            (vec![103], &b"0;1;2;3;"[..], false)
        );
        assert_eq!(scene.repeat("k").await, "in_flight");
        tokio::time::sleep(300 * SECOND).await;
        assert_eq!(
            scene.repeat("k").await,
            "outcome_unknown",
            "it was cut off a lease after its client had left"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trailers_are_kept() {
    in_local(async {
        let scene = Scene::new(|_| ());
        let tap = scene
            .run("k", async |origin| {
                origin.head(StatusCode::OK, &Fields::of(&[]), Framing::Chunked);
                piece(origin, b"message", true).await.unwrap();
                let trailers = Fields::of(&[("grpc-status", "0")]);
                end(origin, Some(&trailers)).await;
            })
            .await;
        let mut first = Client::default();
        assert_eq!(first.take(tap).await, Passed::Whole);
        let mut repeat = Client::default();
        repeat.take_again(&scene.ask("k", "{}").await).await;
        for client in [first, repeat] {
            assert_eq!(client.text(), "message");
            let trailers = client.trailers.expect("there are trailers");
            assert_eq!(trailers.get(b"grpc-status"), Some(&b"0"[..]));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_passes_and_is_known_to_be_done() {
    in_local(async {
        let scene = Scene::new(|table| table.max_response = deepwater_core::config::Size::from_kib(100));
        let body = "x".repeat(300 << 10);
        let sent = body.clone();
        let tap = scene
            .run("k", async move |origin| {
                origin.head(StatusCode::OK, &Fields::of(&[]), Framing::Chunked);
                for chunk in sent.as_bytes().chunks(10_000) {
                    piece(origin, chunk, false).await.unwrap();
                }
                end(origin, None).await;
            })
            .await;
        let mut client = Client::default();
        assert_eq!(client.take(tap).await, Passed::Whole);
        assert!(client.text() == body);
        assert_eq!(scene.repeat("k").await, "answer_not_kept");
        assert_eq!(scene.buffers.held_bytes(), 0);
    })
    .await;
}
