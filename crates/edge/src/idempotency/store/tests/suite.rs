//! What every store must do.

use super::*;

async fn begin(rig: &impl Rig, key: &str, fingerprint: &str, number: u8, terms: Terms) -> Begun {
    rig.store().begin(&digest(key), &digest(fingerprint), owner(number), terms).await.unwrap()
}

async fn finish(rig: &impl Rig, key: &str, number: u8, body: &str) -> Hold {
    rig.store().finish(&digest(key), owner(number), kept(body), TERMS.keep).await.unwrap()
}

async fn sending(rig: &impl Rig, key: &str, number: u8) -> Hold {
    rig.store().sending(&digest(key), owner(number), TERMS).await.unwrap()
}

async fn renew(rig: &impl Rig, key: &str, number: u8) -> Hold {
    rig.store().renew(&digest(key), owner(number), TERMS).await.unwrap()
}

async fn abandon(rig: &impl Rig, key: &str, number: u8) -> Hold {
    rig.store().abandon(&digest(key), owner(number)).await.unwrap()
}

/// What a repeat finds, in a word.
async fn found(rig: &impl Rig, key: &str, number: u8) -> String {
    word(&begin(rig, key, "f", number, TERMS).await)
}

async fn a_request_is_done_once(rig: &impl Rig) {
    assert_eq!(found(rig, "once", 1).await, "fresh");
    let Begun::InFlight(left) = begin(rig, "once", "f", 2, TERMS).await else { panic!("it is held") };
    assert!(left > 9 * SECOND && left <= 10 * SECOND, "{left:?}");
    assert_eq!(sending(rig, "once", 1).await, Hold::Held);
    assert_eq!(found(rig, "once", 2).await, "in flight");
    assert_eq!(finish(rig, "once", 1, "hello").await, Hold::Held);
    let Begun::Done(kept) = begin(rig, "once", "f", 2, TERMS).await else { panic!("it is done") };
    let Kept::Whole(answer) = &*kept else { panic!("it is whole") };
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (201, &b"hello"[..]));
    assert_eq!(answer.fields.get(b"Location"), Some(&b"/orders/7"[..]));
    rig.pass(59 * SECOND).await;
    assert_eq!(found(rig, "once", 2).await, "done: hello");
    rig.pass(SECOND).await;
    assert_eq!(found(rig, "once", 3).await, "fresh", "it is kept for so long, and no longer");
}

async fn a_key_is_of_one_request(rig: &impl Rig) {
    assert_eq!(found(rig, "mismatch", 1).await, "fresh");
    assert!(matches!(begin(rig, "mismatch", "g", 2, TERMS).await, Begun::Mismatch), "held");
    sending(rig, "mismatch", 1).await;
    assert!(matches!(begin(rig, "mismatch", "g", 2, TERMS).await, Begun::Mismatch), "sent");
    rig.pass(11 * SECOND).await;
    assert!(matches!(begin(rig, "mismatch", "g", 2, TERMS).await, Begun::Mismatch), "lapsed");
    finish(rig, "mismatch", 1, "late").await;
    assert!(matches!(begin(rig, "mismatch", "g", 2, TERMS).await, Begun::Mismatch), "done");
    assert_eq!(found(rig, "mismatch", 2).await, "done: late");
    assert_eq!(found(rig, "another", 2).await, "fresh");
}

async fn what_was_not_sent_is_free_when_its_lease_ends(rig: &impl Rig) {
    assert_eq!(found(rig, "held", 1).await, "fresh");
    rig.pass(9 * SECOND).await;
    assert_eq!(found(rig, "held", 2).await, "in flight");
    rig.pass(SECOND).await;
    assert!(matches!(begin(rig, "held", "g", 2, TERMS).await, Begun::Fresh), "even for another request");
    assert_eq!(sending(rig, "held", 1).await, Hold::Lost, "who slept through its lease sends nothing");
    assert_eq!(renew(rig, "held", 1).await, Hold::Lost);
    assert_eq!(finish(rig, "held", 1, "stale").await, Hold::Lost);
    assert_eq!(abandon(rig, "held", 1).await, Hold::Lost);
    assert!(matches!(begin(rig, "held", "g", 3, TERMS).await, Begun::InFlight(_)), "nothing of it counts");
}

async fn what_was_sent_is_unknown_when_its_lease_ends(rig: &impl Rig) {
    assert_eq!(found(rig, "sent", 1).await, "fresh");
    assert_eq!(sending(rig, "sent", 1).await, Hold::Held);
    rig.pass(11 * SECOND).await;
    assert_eq!(found(rig, "sent", 2).await, "unknown");
    rig.pass(58 * SECOND).await;
    assert_eq!(found(rig, "sent", 2).await, "unknown");
    rig.pass(2 * SECOND).await;
    assert_eq!(found(rig, "sent", 2).await, "fresh", "forgotten");
}

async fn the_unknown_is_done_again_where_that_is_wanted(rig: &impl Rig) {
    let again = Terms { unknown: UnknownOutcome::Retry, ..TERMS };
    assert_eq!(found(rig, "retry", 1).await, "fresh");
    assert_eq!(sending(rig, "retry", 1).await, Hold::Held);
    assert!(
        matches!(begin(rig, "retry", "f", 2, again).await, Begun::InFlight(_)),
        "not before its lease ends"
    );
    rig.pass(11 * SECOND).await;
    assert!(matches!(begin(rig, "retry", "g", 2, again).await, Begun::Mismatch), "nor for another request");
    assert!(matches!(begin(rig, "retry", "f", 2, again).await, Begun::Fresh));
    assert_eq!(finish(rig, "retry", 1, "first").await, Hold::Lost, "the key has another owner");
    assert_eq!(sending(rig, "retry", 2).await, Hold::Held);
    assert_eq!(finish(rig, "retry", 2, "second").await, Hold::Held);
    assert_eq!(found(rig, "retry", 3).await, "done: second");
}

async fn a_lease_is_renewed(rig: &impl Rig) {
    assert_eq!(found(rig, "renewed", 1).await, "fresh");
    rig.pass(7 * SECOND).await;
    assert_eq!(renew(rig, "renewed", 1).await, Hold::Held);
    rig.pass(7 * SECOND).await;
    assert_eq!(found(rig, "renewed", 2).await, "in flight", "held");
    assert_eq!(sending(rig, "renewed", 1).await, Hold::Held);
    for _ in 0..20 {
        rig.pass(7 * SECOND).await;
        assert_eq!(found(rig, "renewed", 2).await, "in flight", "sent");
        assert_eq!(renew(rig, "renewed", 1).await, Hold::Held);
    }
    rig.pass(11 * SECOND).await;
    assert_eq!(found(rig, "renewed", 2).await, "unknown");
    assert_eq!(renew(rig, "renewed", 1).await, Hold::Held, "whoever was late and not replaced goes on");
    assert_eq!(found(rig, "renewed", 2).await, "in flight");
    assert_eq!(finish(rig, "renewed", 1, "at last").await, Hold::Held);
    assert_eq!(found(rig, "renewed", 2).await, "done: at last");
}

async fn what_is_abandoned_is_free(rig: &impl Rig) {
    for sends in [false, true] {
        assert_eq!(found(rig, "abandoned", 1).await, "fresh");
        if sends {
            sending(rig, "abandoned", 1).await;
        }
        assert_eq!(abandon(rig, "abandoned", 2).await, Hold::Lost, "only its owner may");
        assert_eq!(abandon(rig, "abandoned", 1).await, Hold::Held);
        assert!(matches!(begin(rig, "abandoned", "g", 2, TERMS).await, Begun::Fresh));
        assert_eq!(abandon(rig, "abandoned", 2).await, Hold::Held);
    }
    assert_eq!(abandon(rig, "abandoned", 2).await, Hold::Lost, "there is nothing");
}

async fn steps_may_be_repeated(rig: &impl Rig) {
    for _ in 0..2 {
        assert_eq!(found(rig, "steps", 1).await, "fresh");
    }
    for _ in 0..2 {
        assert_eq!(sending(rig, "steps", 1).await, Hold::Held);
    }
    for _ in 0..2 {
        assert_eq!(finish(rig, "steps", 1, "hello").await, Hold::Held);
    }
    // Late steps of its owner take nothing back.
    assert_eq!(sending(rig, "steps", 1).await, Hold::Held);
    assert_eq!(renew(rig, "steps", 1).await, Hold::Held);
    assert_eq!(abandon(rig, "steps", 1).await, Hold::Held);
    rig.pass(59 * SECOND).await;
    assert_eq!(found(rig, "steps", 2).await, "done: hello");
}

async fn answers_are_kept_to_the_last_byte(rig: &impl Rig) {
    let body: String = (0..1 << 20).map(|at| char::from(at as u8 & 0x7f)).collect();
    assert_eq!(found(rig, "large", 1).await, "fresh");
    assert_eq!(finish(rig, "large", 1, &body).await, Hold::Held);
    assert!(found(rig, "large", 2).await == format!("done: {body}"));
    assert_eq!(found(rig, "too large", 1).await, "fresh");
    let too_large = Arc::new(Kept::TooLarge(StatusCode::OK));
    let finished = rig.store().finish(&digest("too large"), owner(1), too_large, TERMS.keep).await;
    assert_eq!(finished, Ok(Hold::Held));
    assert_eq!(found(rig, "too large", 2).await, "too large: 200 OK");
}

async fn exercise(rig: &impl Rig) {
    a_request_is_done_once(rig).await;
    a_key_is_of_one_request(rig).await;
    what_was_not_sent_is_free_when_its_lease_ends(rig).await;
    what_was_sent_is_unknown_when_its_lease_ends(rig).await;
    the_unknown_is_done_again_where_that_is_wanted(rig).await;
    a_lease_is_renewed(rig).await;
    what_is_abandoned_is_free(rig).await;
    steps_may_be_repeated(rig).await;
    answers_are_kept_to_the_last_byte(rig).await;
}

#[tokio::test]
async fn memory_passes() {
    let rig = MemoryRig::new(16 << 20);
    exercise(&rig).await;
    rig.pass(1_000 * SECOND).await;
    let counts = rig.memory().counts();
    assert_eq!((counts.keys, counts.bytes, counts.evicted), (0, 0, 0));
}

#[tokio::test]
async fn redis_passes() {
    let rig = RedisRig::new();
    exercise(&rig).await;
    rig.pass(1_000 * SECOND).await;
    let mut keys = redis::cmd("KEYS");
    let left: Vec<String> =
        keys.arg(format!("{}*", rig.prefix)).query_async(&mut rig.admin().await).await.unwrap();
    assert_eq!(left, Vec::<String>::new(), "nothing stays for good");
}
