use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use deepwater_core::random::Random;

use super::*;

/// Notes requests for numbered pages, and counts the requests that came again and all, as they stand for others.
struct Watch {
    repeats: Repeats,
    began: Instant,
    again: u64,
    all: u64,
}

impl Watch {
    fn new() -> Self {
        let began = Instant::now();
        Self { repeats: Repeats::new(began), began, again: 0, all: 0 }
    }

    fn ask(&mut self, second: f64, page: usize) {
        let now = self.began + Duration::from_secs_f64(second);
        if let Some(seen) = self.repeats.note(now, b"shop.example", format!("/pages/{page}").as_bytes()) {
            self.all += seen.weight;
            self.again += if seen.again { seen.weight } else { 0 };
        }
    }
}

#[test]
fn a_page_comes_again_for_a_minute_after_it_came_first() {
    let mut watch = Watch::new();
    watch.ask(0.0, 1);
    assert_eq!((watch.all, watch.again), (1, 0));
    watch.ask(30.0, 1);
    watch.ask(30.0, 2);
    watch.ask(59.0, 1);
    assert_eq!((watch.all, watch.again), (4, 2));
    // As with a stored answer, being asked for does not prolong it.
    watch.ask(61.0, 1);
    assert_eq!((watch.all, watch.again), (5, 2));
    let now = watch.began + Duration::from_secs(61);
    let other = watch.repeats.note(now, b"other.example", b"/pages/1").unwrap();
    assert!(!other.again, "another host is another page");
}

#[test]
fn many_pages_are_sampled_and_their_share_is_still_right() {
    for seed in [1, 2, 3] {
        let (mut watch, mut random) = (Watch::new(), Random::from_seed(seed));
        // Of 1,000 requests a second for 20,000 pages each page is asked for 3 times a minute: with a lifetime of T after
        // the first, λT of 1 + λT come again.
        let mut real: HashMap<usize, u32> = HashMap::new();
        let (mut again, mut all) = (0_u64, 0_u64);
        for request in 0..400_000_u32 {
            let second = f64::from(request) / 1_000.0;
            let page = (random.unit() * 20_000.0) as usize;
            watch.ask(second, page);
            let whole = second as u32;
            match real.entry(page) {
                Entry::Occupied(first) if whole - first.get() < LIFETIME_S => again += 1,
                Entry::Occupied(mut first) => *first.get_mut() = whole,
                Entry::Vacant(none) => {
                    none.insert(whole);
                }
            }
            all += 1;
        }
        let (share, truth) = (watch.again as f64 / watch.all as f64, again as f64 / all as f64);
        assert!((share - truth).abs() < 0.05, "seed {seed}: {share} of {truth}");
        assert!((watch.all as f64 / all as f64 - 1.0).abs() < 0.2, "seed {seed}: {} of {all}", watch.all);
        let thinning = watch.repeats.thinning.load(Relaxed);
        assert!((4..=8).contains(&thinning), "seed {seed}: {thinning}");
    }
}

#[test]
fn a_flood_of_pages_that_never_come_again_says_so_and_passes() {
    let mut watch = Watch::new();
    for request in 0..200_000 {
        watch.ask(f64::from(request) / 2_000.0, request as usize);
    }
    assert!(watch.again * 100 < watch.all, "{} of {}", watch.again, watch.all);
    assert!(watch.repeats.thinning.load(Relaxed) > 4);
    // Afterwards all of a few pages are looked at again.
    for second in 100..2_000 {
        watch.ask(f64::from(second), second as usize % 10);
    }
    assert_eq!(watch.repeats.thinning.load(Relaxed), 0);
}

/// The cost of a request, which must not matter: `cargo test --release -p deepwater-edge cost_of -- --ignored --nocapture`.
#[test]
#[ignore = "measures, in a release build"]
fn the_cost_of_noting_a_request() {
    for pages in [10, 500, 100_000] {
        let targets: Vec<String> =
            (0..pages).map(|page| format!("/api/products/{page}?lang=en&currency=eur")).collect();
        let (repeats, began) = (Repeats::new(Instant::now()), Instant::now());
        let rounds = 5_000_000;
        let (mut again, mut at) = (0_u64, 0);
        for _ in 0..rounds {
            at = if at + 1 == pages { 0 } else { at + 1 };
            let seen = repeats.note(began, b"shop.example", targets[at].as_bytes());
            again += u64::from(seen.is_some_and(|seen| seen.again));
        }
        let each = began.elapsed().as_nanos() as f64 / f64::from(rounds);
        println!("{pages} pages: {each:.1} ns a request, {again} came again");
    }
}
