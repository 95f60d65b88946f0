//! The lens as a whole: it measures by itself, and ends without anybody noticing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deepwater_core::{Call, Context, Events};
use serde_json::Value;

use super::*;

/// Longer than anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

fn started(context: &Context) -> Lens {
    let webhook = Webhook::start(None, Path::new("."), context).unwrap();
    let ports = Ports { facts: Arc::new(Arc::default), ask: None, directory: PathBuf::new(), webhook };
    start(&Config::default(), context.clone(), ports).unwrap()
}

async fn page(endpoints: &[Endpoint], path: &str) -> Value {
    let endpoint = endpoints.iter().find(|endpoint| endpoint.path == path).unwrap();
    (endpoint.call)(Call::default()).await.body
}

#[tokio::test]
async fn who_counts_does_not_notice_that_the_lens_has_ended() {
    let context = Context::new(7, Events::silent());
    let duration =
        context.metrics.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", "shop")]);
    let lens = started(&context);
    let endpoints = lens.endpoints();
    let began = Instant::now();
    let measured = loop {
        duration.observe(Duration::from_millis(1));
        let signals = page(&endpoints, "/api/signals").await;
        let rate =
            signals["signals"].as_array().unwrap().iter().find(|one| one["name"] == "traffic.requests");
        if let Some(rate) = rate.and_then(|rate| rate["value"].as_f64()).filter(|rate| *rate > 0.0) {
            break rate;
        }
        assert!(began.elapsed() < PATIENCE, "nothing was measured: {signals:#}");
    };
    assert!(measured > 1.0, "{measured}");

    drop(lens);
    // Who counts goes on, and the pages show what was known last.
    duration.observe(Duration::from_millis(1));
    assert!(
        context.metrics.render().contains("deepwater_edge_request_duration_seconds_count{route=\"shop\"}")
    );
    assert!(page(&endpoints, "/api/cliffs").await["cliffs"].is_array());
}

#[tokio::test]
async fn the_first_load_is_told_as_soon_as_it_is_measured() {
    let context = Context::new(7, Events::silent());
    let duration =
        context.metrics.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", "shop")]);
    let lens = started(&context);
    let endpoints = lens.endpoints();
    loop {
        duration.observe(Duration::from_millis(1));
        let ticks = lens.shared.read().store.ticks();
        let cliffs = page(&endpoints, "/api/cliffs").await;
        if cliffs["load"].is_object() {
            break;
        }
        assert!(ticks < 5, "it waits for the judgement that is due every five seconds: {cliffs:#}");
        tokio::task::yield_now().await;
    }
    drop(lens);
}

#[tokio::test]
async fn who_counts_does_not_notice_that_the_lens_has_panicked() {
    let context = Context::new(7, Events::silent());
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    // Wherever it is when it reads: what it holds is poisoned.
    context.metrics.collect(move |sink| {
        let on_lens = std::thread::current().name() == Some("lens");
        assert!(!(on_lens && breaks.load(Ordering::Relaxed)), "as a mistake in the lens would");
        sink.gauge("deepwater_edge_connections", "C.", &[], 1.0);
    });
    let lens = started(&context);
    let (endpoints, status) = (lens.endpoints(), lens.status());
    broken.store(true, Ordering::Relaxed);
    let began = Instant::now();
    while !lens.thread.as_ref().unwrap().is_finished() {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        tokio::task::yield_now().await;
    }
    assert!(context.metrics.render().contains("deepwater_edge_connections 1"));
    assert!(page(&endpoints, "/api/cliffs").await["cliffs"].is_array());
    assert!(page(&endpoints, "/api/advice").await["summary"].is_string());
    assert!(status()["summary"].is_string());
    drop(lens);
}
