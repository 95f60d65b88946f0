//! What becomes of a request before anything is sent.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_request_needs_a_key_where_one_is_required() {
    in_local(async {
        let open = Scene::new(|_| ());
        assert_eq!(word(&open.ask_with(&[], "{}").await), "keyless");
        assert_eq!(word(&open.ask("a, b", "{}").await), "key_invalid");
        let twice = [("Idempotency-Key", "a"), ("idempotency-key", "a")];
        assert_eq!(word(&open.ask_with(&twice, "{}").await), "key_invalid");

        let strict = Scene::new(|table| {
            table.required = true;
            table.header = "X-Once".into();
        });
        assert_eq!(word(&strict.ask("a", "{}").await), "key_missing");
        assert_eq!(word(&strict.ask_with(&[("x-once", "a")], "{}").await), "begun");

        let other_methods = Scene::new(|table| {
            table.required = true;
            table.methods = vec!["PUT".into()];
        });
        assert_eq!(word(&other_methods.ask_with(&[], "{}").await), "keyless");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_in_use_is_told_from_a_key_misused() {
    in_local(async {
        let scene = Scene::new(|_| ());
        assert_eq!(word(&scene.ask("k", "{}").await), "begun");
        assert_eq!(word(&scene.ask("\"k\"", "{}").await), "in_flight", "quoted or bare");
        assert_eq!(word(&scene.ask("k", "{ }").await), "key_reused");
        assert_eq!(word(&scene.ask("K", "{}").await), "begun");
        let of_another = [("Idempotency-Key", "k"), ("Authorization", "Bearer b")];
        assert_eq!(word(&scene.ask_with(&of_another, "{}").await), "begun");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_compared_whole_or_refused() {
    in_local(async {
        let scene = Scene::new(|table| table.max_request = deepwater_core::config::Size::from_bytes(10));
        assert_eq!(word(&scene.ask("a", "0123456789").await), "begun");
        assert_eq!(word(&scene.ask("b", "0123456789x").await), "request_too_large");
        assert_eq!(word(&scene.ask("c", "").await), "begun");

        let scene = Scene::new(|table| table.max_request = deepwater_core::config::Size::from_kib(8 * 1024));
        assert_eq!(word(&scene.ask("d", &"x".repeat(5 << 20)).await), "unavailable", "more than all buffers");
        assert_eq!(scene.buffers.held_bytes(), 0);
    })
    .await;
}
