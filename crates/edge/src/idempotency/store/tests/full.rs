//! A memory that is full.

use super::*;

async fn begin(rig: &MemoryRig, key: &str) -> String {
    word(&rig.store().begin(&digest(key), &digest("f"), owner(1), TERMS).await.unwrap())
}

async fn finish(rig: &MemoryRig, key: &str, bytes: usize) {
    let kept = kept(&"x".repeat(bytes));
    assert_eq!(rig.store().finish(&digest(key), owner(1), kept, TERMS.keep).await, Ok(Hold::Held));
}

#[tokio::test]
async fn the_oldest_answers_go_first_and_the_memory_is_never_exceeded() {
    let capacity = 100_000;
    let rig = MemoryRig::new(capacity);
    for number in 0..1_000 {
        let key = number.to_string();
        assert_eq!(begin(&rig, &key).await, "fresh");
        finish(&rig, &key, 1_000).await;
        rig.pass(Duration::from_millis(1)).await;
        assert!(rig.memory().counts().bytes <= capacity);
    }
    let counts = rig.memory().counts();
    assert_eq!(counts.keys as u64 + counts.evicted, 1_000);
    assert!(counts.keys > 60, "{counts:?}");
    assert!(begin(&rig, "999").await.starts_with("done"));
    let oldest = 1_000 - counts.keys;
    assert!(begin(&rig, &oldest.to_string()).await.starts_with("done"));
    assert_eq!(begin(&rig, &(oldest - 1).to_string()).await, "fresh");
}

#[tokio::test]
async fn what_is_under_way_is_never_forgotten() {
    let rig = MemoryRig::new(10_000);
    assert_eq!(begin(&rig, "done").await, "fresh");
    finish(&rig, "done", 1_000).await;
    let mut held = 0;
    while begin(&rig, &format!("held {held}")).await == "fresh" {
        held += 1;
        assert!(held < 1_000);
    }
    assert_eq!(begin(&rig, "one more").await, "full");
    assert_eq!(rig.memory().counts().evicted, 1, "the answer made room for one under way");
    for number in 0..held {
        let found =
            rig.store().begin(&digest(&format!("held {number}")), &digest("f"), owner(2), TERMS).await;
        assert_eq!(word(&found.unwrap()), "in flight", "{number}");
    }
    // An answer that finds no room is remembered as one that was too large.
    finish(&rig, "held 0", 9_000).await;
    assert_eq!(begin(&rig, "held 0").await, "too large: 201 Created");
    rig.pass(11 * SECOND).await;
    assert_eq!(begin(&rig, "one more").await, "fresh", "leases end");
}

#[tokio::test]
async fn a_smaller_memory_forgets_at_once() {
    let rig = MemoryRig::new(100_000);
    for number in 0..20 {
        let key = number.to_string();
        begin(&rig, &key).await;
        finish(&rig, &key, 1_000).await;
        rig.pass(Duration::from_millis(1)).await;
    }
    rig.memory().resize(10_000);
    let counts = rig.memory().counts();
    assert!(counts.bytes <= 10_000 && counts.keys > 3, "{counts:?}");
    assert!(begin(&rig, "19").await.starts_with("done"));
}
