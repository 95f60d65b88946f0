//! A hundred threads with one key: one of them has it.

use std::sync::Barrier;

use super::*;

const THREADS: usize = 100;

/// Lets all threads begin at once, and says what they found.
fn all_begin(store: impl Fn() -> Box<dyn Store> + Sync) -> Vec<String> {
    let barrier = Barrier::new(THREADS);
    let begin = |number: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store();
            // Connected beforehand.
            store.abandon(&digest("nothing"), owner(0)).await.unwrap();
            barrier.wait();
            let begun = store.begin(&digest("crowd"), &digest("f"), owner(number as u8), TERMS).await;
            word(&begun.unwrap())
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || begin(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn one_has_it(found: &[String]) {
    let count = |word: &str| found.iter().filter(|found| *found == word).count();
    assert_eq!((count("fresh"), count("in flight")), (1, THREADS - 1), "{found:?}");
}

#[test]
fn one_of_many_threads_has_it_in_memory() {
    for _ in 0..20 {
        let rig = MemoryRig::new(1 << 20);
        one_has_it(&all_begin(|| Box::new(Arc::clone(rig.memory()))));
    }
}

#[test]
fn one_of_many_threads_has_it_in_redis() {
    let rig = RedisRig::new();
    one_has_it(&all_begin(|| Box::new(rig::redis(&rig.prefix))));
}
