//! Writers, readers and purgers at random: nothing older than its last purge is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use deepwater_core::random::Random;
use serde_json::json;

use super::{config, get, purge, with};
use crate::support::{Deepwater, Origin};

const PAGES: usize = 12;
const WRITERS: u64 = 4;
const READERS: u64 = 8;
const WRITES: usize = 250;

/// One page: the version its origin has, and the one that was current when it was purged last.
#[derive(Default)]
struct Page {
    current: AtomicU64,
    purged: AtomicU64,
}

type Pages = Arc<[Page; PAGES]>;

/// An origin that has read the version long before it says it.
async fn slow_origin(pages: &Pages) -> Origin {
    let pages = Arc::clone(pages);
    Origin::scripted(move |mut visit| {
        let pages = Arc::clone(&pages);
        async move {
            let mut random = Random::from_seed(visit.number as u64);
            while let Some(request) = visit.request().await {
                let page = page_of(request.target());
                let version = pages[page].current.load(Ordering::SeqCst);
                for _ in 0..random.below(40) {
                    tokio::task::yield_now().await;
                }
                // Some pages are revalidated, some are served stale where that is allowed.
                let control = ["max-age=60", "max-age=0", "no-cache", "max-age=60"][random.below(4)];
                let etag = format!("\"{version}\"");
                let fields = format!("Cache-Control: {control}\nETag: {etag}\nCache-Tag: page{page}, all");
                let current = request.get("if-none-match") == Some(&etag);
                visit
                    .send(if current {
                        format!("HTTP/1.1 304 Not Modified\r\n{}\r\n\r\n", fields.replace('\n', "\r\n"))
                    } else {
                        with(&fields, &version.to_string())
                    })
                    .await;
            }
        }
    })
    .await
}

fn page_of(target: &str) -> usize {
    target.trim_start_matches("/page/").parse().unwrap()
}

/// Changes pages, and purges them by one name or another.
async fn write(edge: Arc<Deepwater>, pages: Pages, mut random: Random) {
    for _ in 0..WRITES {
        let page = random.below(PAGES);
        let before: Vec<u64> = pages.iter().map(|page| page.current.load(Ordering::SeqCst)).collect();
        let version = pages[page].current.fetch_add(1, Ordering::SeqCst) + 1;
        let (what, all) = match random.below(12) {
            0 => (json!({ "all": true }), true),
            1 => (json!({ "tag": "all" }), true),
            2 => (json!({ "host": "shop.example" }), true),
            3 => (json!({ "prefix": "shop.example/page/" }), true),
            4 => (json!({ "prefix": format!("shop.example/page/{page}") }), false),
            5..8 => (json!({ "tag": format!("page{page}") }), false),
            _ => (json!({ "url": format!("shop.example/page/{page}") }), false),
        };
        purge(&edge, what).await;
        pages[page].purged.fetch_max(version, Ordering::SeqCst);
        if all {
            for (page, version) in pages.iter().zip(before) {
                page.purged.fetch_max(version, Ordering::SeqCst);
            }
        }
    }
}

/// Reads pages; what was served though it was purged before it was asked for.
async fn read(
    edge: Arc<Deepwater>,
    pages: Pages,
    mut random: Random,
    goes_on: impl Fn(usize) -> bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut client = edge.client().await;
    for _ in (0..).take_while(|reads| goes_on(*reads)) {
        let page = random.below(PAGES);
        let purged = pages[page].purged.load(Ordering::SeqCst);
        let answer = client.ask(get(&format!("/page/{page}"), "")).await;
        let version: u64 = answer.text().parse().unwrap();
        if version < purged {
            faults.push(format!(
                "page {page} is {version}, purged at {purged}: {:?}",
                answer.get("cache-status")
            ));
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_older_than_its_last_purge_is_served() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let pages: Pages = Arc::new(std::array::from_fn(|_| Page::default()));
    let origin = slow_origin(&pages).await;
    let config = config(&origin, "true").replace("workers = 1", "workers = 2");
    let edge = Arc::new(Deepwater::start(&config).await);
    let random = |number| Random::from_seed(seed.wrapping_add(number));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&edge), Arc::clone(&pages), random(writer))))
        .collect();
    let written = Arc::<AtomicBool>::default();
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let written = Arc::clone(&written);
            let goes_on = move |_| !written.load(Ordering::SeqCst);
            tokio::spawn(read(Arc::clone(&edge), Arc::clone(&pages), random(100 + reader), goes_on))
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    written.store(true, Ordering::SeqCst);
    let mut faults = Vec::new();
    for reader in readers {
        faults.extend(reader.await.unwrap());
    }
    // When all is quiet: what is stored by now is as new as what was purged.
    faults.extend(read(Arc::clone(&edge), Arc::clone(&pages), random(1_000), |reads| reads < 200).await);
    assert!(faults.is_empty(), "seed {seed}: {} stale answers:\n{}", faults.len(), faults.join("\n"));
    let hits = &edge.json("/api/cache").await["routes"][0]["hits"];
    assert!(hits.as_u64().is_some_and(|hits| hits > 0), "the cache was in use: {hits}");
}
