//! Breakers: nothing is sent to what has failed too often.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, ok, pool, soon};

const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nerror";
/// One server is never ejected: what is seen is the breaker.
const SETTINGS: &str = "min_requests = 5\nopen_for = \"500ms\"\nprobes = 2\n";

/// An origin that fails while it is told to.
async fn moody() -> (Origin, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (fails, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (mood, counter) = (Arc::clone(&fails), Arc::clone(&asked));
    let origin = Origin::answering(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        if mood.load(Ordering::SeqCst) { ERROR.into() } else { ok("well") }
    })
    .await;
    (origin, fails, asked)
}

#[tokio::test]
async fn a_breaker_opens_probes_and_closes() {
    for table in ["breaker", "target_breaker"] {
        let (origin, fails, asked) = moody().await;
        let targets = pool("app", &[origin.address]);
        let edge =
            Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}[pools.app.{table}]\n{SETTINGS}")).await;
        let mut client = edge.client().await;
        for _ in 0..5 {
            assert_eq!(client.get("/").await.status(), 500, "{table}");
        }
        edge.log_line("breaker_opened").await;
        let refused = client.get("/").await;
        assert_eq!(refused.status(), 503, "{table}");
        assert_eq!(refused.get("retry-after"), Some("1"));
        assert_eq!(refused.get("proxy-status"), Some("deepwater; error=destination_unavailable"));
        assert_eq!(asked.load(Ordering::SeqCst), 5, "{table}: an open breaker let a request through");
        fails.store(false, Ordering::SeqCst);
        soon("the breaker to close", async {
            while client.get("/").await.status() != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // Two probes close it; with requests one after the other the second is the next.
        assert_eq!(client.get("/").await.text(), "well", "{table}");
        edge.log_line("breaker_probing").await;
        edge.log_line("breaker_closed").await;
        assert_eq!(client.get("/").await.text(), "well", "{table}");
        let page = edge.json("/api/edge/pools").await;
        let breakers = &page["pools"][0]["breakers"];
        let state = if table == "breaker" {
            breakers["pool"]["state"].clone()
        } else {
            breakers["targets"].as_object().unwrap().values().next().unwrap()["state"].clone()
        };
        assert_eq!(state, "closed", "{page}");
    }
}

#[tokio::test]
async fn a_breaker_opens_again_when_its_probes_fail() {
    let (origin, _, asked) = moody().await;
    let targets = pool("app", &[origin.address]);
    let config = format!("{LISTEN}{ROUTE}{targets}[pools.app.breaker]\n{SETTINGS}");
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    soon("the breaker to open a second time", async {
        while edge.json("/api/edge/pools").await["pools"][0]["breakers"]["pool"]["opened"] != 2 {
            client.get("/").await;
        }
    })
    .await;
    // Five that opened it, then probes: one bad one of two is enough.
    assert!((6..=7).contains(&asked.load(Ordering::SeqCst)), "{asked:?}");
}

#[tokio::test]
async fn the_other_server_gets_what_a_broken_one_does_not() {
    let (bad, _, asked) = moody().await;
    let good = Origin::named("good").await;
    let targets = pool("app", &[bad.address, good.address]);
    let config = format!(
        "{LISTEN}{ROUTE}{targets}outlier = {{ consecutive_failures = 0 }}\n\
         [pools.app.target_breaker]\nmin_requests = 5\nopen_for = \"60s\"\n"
    );
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    for _ in 0..60 {
        client.get("/").await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    for _ in 0..20 {
        assert_eq!(client.get("/").await.text(), "good");
    }
}
