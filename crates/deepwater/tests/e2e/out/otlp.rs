//! Metrics sent to a collector, which is told where by the environment, as of every other program.

use serde_json::{Value, json};

use super::program::read;
use crate::support::{Authority, Deepwater, Home, LISTEN, Message, Origin, ROUTE, ok, pool, soon};

/// A collector, and an edge that sends to it ten times a second.
async fn exporting(collector: Origin, more: &[(&str, &str)]) -> (Origin, Origin, Deepwater) {
    let origin = Origin::answering(|_| ok("fine")).await;
    let mut home = Home::new();
    home.set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.address));
    home.set("OTEL_METRIC_EXPORT_INTERVAL", "100");
    for (name, value) in more {
        home.set(name, value);
    }
    let edge = Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]))).await;
    (collector, origin, edge)
}

/// What the OpenTelemetry project's own messages make of a post.
async fn decoded(post: &Message) -> Value {
    let mut read = read("otlp", &post.body).await;
    assert_eq!(read[0]["whole"], true, "fields that no message has");
    read.remove(0)["request"].take()
}

fn metric<'a>(request: &'a Value, name: &str) -> &'a Value {
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name} in {request}"))
}

fn attribute<'a>(attributes: &'a Value, name: &str) -> &'a Value {
    let attributes = attributes.as_array().unwrap();
    &attributes.iter().find(|attribute| attribute["key"] == name).unwrap()["value"]
}

#[tokio::test]
async fn a_collector_is_sent_what_happens() {
    let collector = Origin::answering(|_| ok("")).await;
    let more = [("OTEL_SERVICE_NAME", "front"), ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=open%20sesame")];
    let (collector, _origin, edge) = exporting(collector, &more).await;
    edge.get("/").await;
    let requests = [("route", "/*"), ("status", "2xx")];
    edge.counts("deepwater_edge_requests_total", &requests, 1.0).await;
    // One that is under way now may be older than the request; the one after it is not.
    let heard = collector.heard().len();
    collector.hears(heard + 2).await;
    let post = collector.heard().pop().unwrap();
    assert_eq!(post.start, "POST /v1/metrics HTTP/1.1");
    assert_eq!(post.get("content-type"), Some("application/x-protobuf"));
    assert_eq!(post.get("api-key"), Some("open sesame"));

    let request = decoded(&post).await;
    let resource = &request["resourceMetrics"][0]["resource"]["attributes"];
    assert_eq!(attribute(resource, "service.name"), &json!({ "stringValue": "front" }));
    assert_eq!(attribute(resource, "service.version"), &json!({ "stringValue": env!("CARGO_PKG_VERSION") }));
    assert_eq!(attribute(resource, "process.pid"), &json!({ "intValue": edge.pid().to_string() }));
    assert!(attribute(resource, "host.name")["stringValue"].is_string());

    let ours = &metric(&request, "deepwater_edge_requests_total")["sum"];
    assert_eq!(ours["aggregationTemporality"], "AGGREGATION_TEMPORALITY_CUMULATIVE");
    assert_eq!(ours["isMonotonic"], true);
    let points = ours["dataPoints"].as_array().unwrap();
    let point = points.iter().find(|point| {
        let label = |name| &attribute(&point["attributes"], name)["stringValue"];
        label("route") == "/*" && label("status") == "2xx"
    });
    let point = point.unwrap();
    assert_eq!(point["asDouble"], 1.0);
    let nanos = |name: &str| point[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos("startTimeUnixNano") < nanos("timeUnixNano"), "{point}");

    let convention = metric(&request, "http.server.request.duration");
    assert_eq!(convention["unit"], "s");
    let points = convention["histogram"]["dataPoints"].as_array().unwrap();
    let point = points.iter().find(|point| point["count"] == "1").unwrap();
    assert_eq!(attribute(&point["attributes"], "http.route"), &json!({ "stringValue": "/*" }));
}

#[tokio::test]
async fn a_collector_that_fails_gets_the_batch_later() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let posts = std::sync::atomic::AtomicUsize::new(0);
    let collector = Origin::answering(move |_| {
        let number = posts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number < 2 { busy.into() } else { ok("") }
    })
    .await;
    let (_collector, _origin, edge) = exporting(collector, &[]).await;
    assert!(edge.log_line("otlp_export_failed").await.contains("503"));
    edge.log_line("otlp_export_recovered").await;
    // It is counted when its answer is here, and told before that.
    let exported = [("outcome", "exported")];
    soon("a batch to be counted", async {
        while edge.metrics().await.sum("deepwater_lens_otlp_exports_total", &exported) < 1.0 {}
    })
    .await;
}

#[tokio::test]
async fn what_was_counted_last_is_sent_at_the_end() {
    let collector = Origin::answering(|_| ok("")).await;
    let more = [("OTEL_METRIC_EXPORT_INTERVAL", "3600000"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")];
    let (collector, _origin, mut edge) = exporting(collector, &more).await;
    edge.get("/").await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
    assert_eq!(collector.only_request().get("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_keeps_nothing_from_starting() {
    let nowhere = Origin::answering(|_| ok("")).await;
    let (collector, _origin, edge) = exporting(nowhere, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).await;
    assert!(edge.log_line("otlp_setting_ignored").await.contains("OTEL_EXPORTER_OTLP_PROTOCOL"));
    assert_eq!(edge.get("/").await.status(), 200);
    assert_eq!(collector.connections(), 0);
}

#[tokio::test]
async fn a_collector_over_tls_is_who_its_certificate_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let acceptor = authority.issue(&["localhost"]).acceptor(&["http/1.1"], None);
    let collector = Origin::secure(acceptor, |_| ok("")).await;
    for (trusted, taken) in [(&authority, true), (&stranger, false)] {
        let mut home = Home::new();
        home.write("ca.pem", trusted.pem());
        home.set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("https://localhost:{}", collector.address.port()));
        home.set("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem");
        home.set("OTEL_METRIC_EXPORT_INTERVAL", "100");
        let heard = collector.heard().len();
        let edge =
            Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{}", pool("app", &[collector.address]))).await;
        if taken {
            collector.hears(heard + 1).await;
        } else {
            let failed = edge.log_line("otlp_export_failed").await;
            assert!(failed.contains("TLS failed"), "{failed}");
        }
    }
}
