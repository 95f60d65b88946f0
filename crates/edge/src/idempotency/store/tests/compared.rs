//! Any steps in any order: memory and Redis say the same.

use deepwater_core::random::Random;

use super::*;

/// A step, and what both must say to it.
async fn step(rig: &impl Rig, key: &Digest, number: u8, choice: usize, pick: usize) -> String {
    let store = rig.store();
    let unknown = [UnknownOutcome::Conflict, UnknownOutcome::Retry][pick % 2];
    let terms = Terms { unknown, ..TERMS };
    let held = |hold: Result<Hold, StoreError>| format!("{:?}", hold.unwrap());
    match choice {
        0..=3 => {
            let fingerprint = digest(["f", "f", "g"][pick % 3]);
            word(&store.begin(key, &fingerprint, owner(number), terms).await.unwrap())
        }
        4 | 5 => held(store.sending(key, owner(number), terms).await),
        6 => held(store.renew(key, owner(number), terms).await),
        7 => held(store.finish(key, owner(number), kept(&format!("by {number}")), terms.keep).await),
        8 => held(store.abandon(key, owner(number)).await),
        _ => {
            // Sums of these meet the ends of leases at most exactly, never within what a test takes.
            rig.pass([4, 7, 11, 31][pick % 4] * SECOND).await;
            "later".into()
        }
    }
}

#[tokio::test]
async fn stores_agree_on_any_steps() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut random = Random::from_seed(seed);
    let redis = RedisRig::new();
    for round in 0..60 {
        let memory = MemoryRig::new(1 << 20);
        let keys = [digest(&format!("one {round}")), digest(&format!("other {round}"))];
        let mut taken = Vec::new();
        for _ in 0..40 {
            let (key, number) = (&keys[random.below(2)], random.below(3) as u8);
            let (choice, pick) = (random.below(11), random.below(12));
            let said = step(&memory, key, number, choice, pick).await;
            taken.push(format!("{} {number} {choice} {pick}: {said}", &key.hex()[..4]));
            let other = step(&redis, key, number, choice, pick).await;
            assert_eq!(said, other, "seed {seed}, steps: {taken:#?}");
        }
    }
}
