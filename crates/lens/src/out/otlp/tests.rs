//! The collector is a real one, on loopback.

use std::path::Path;
use std::time::Duration;

use deepwater_core::{Context, Events};
use prost::Message;

use super::message::{
    Data, ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse, KeyValue,
    Metric, Status, Value,
};
use super::{Handle, Settings, start};
use crate::console::Build;
use crate::out::testing::{Heard, PATIENCE, Receiver};

const BUILD: Build = Build { version: "1.2.3", commit: "abc" };
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
const EXPORTS: &str = "deepwater_lens_otlp_exports_total";

fn export(collector: &Receiver, more: &[(&str, &str)]) -> (Context, Handle) {
    let context = Context::new(7, Events::silent());
    let endpoint = format!("http://{}", collector.address);
    let get = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_METRIC_EXPORT_INTERVAL" if more.iter().all(|(set, _)| *set != name) => Some("100".into()),
        name => more.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()),
    };
    let handle = start(Settings::read(get, Path::new(".")), BUILD, &context);
    assert!(handle.running.is_some());
    (context, handle)
}

fn decoded(heard: &Heard) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(heard.body.as_slice()).unwrap()
}

fn metric<'a>(request: &'a ExportMetricsServiceRequest, name: &str) -> &'a Metric {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} in {metrics:?}"))
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::String(text) => Some(text),
        Value::Int(_) => None,
    }
}

async fn counts(context: &Context, outcome: &str, count: u64) {
    let reached = async {
        while context.metrics.sum(EXPORTS, &[("outcome", outcome)]) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{count} {outcome}"));
}

#[tokio::test]
async fn everything_is_sent_with_its_meaning() {
    let mut collector = Receiver::answering(&[TAKEN]).await;
    let more = [
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.version=9"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame"),
    ];
    let (context, handle) = export(&collector, &more);
    context.metrics.counter("x_bytes_total", "X.", &[("a", "1\"")]).add(3);
    context.metrics.gauge("y", "Y.", &[]).add(-2);
    let edge = |route| {
        let name = "deepwater_edge_request_duration_seconds";
        context.metrics.histogram(name, "How long requests took.", &[("route", route)])
    };
    let (path, api, none) = (edge("/shop/*"), edge("api"), edge("(none)"));
    for histogram in [&path, &path, &api, &none] {
        histogram.observe(Duration::from_millis(3));
    }
    let request = loop {
        let heard = collector.hears().await;
        let head = heard.head.to_ascii_lowercase();
        assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
        for field in
            ["content-type: application/x-protobuf", "user-agent: deepwater/1.2.3", "api-key: sesame"]
        {
            assert!(head.contains(field), "{field} in {head}");
        }
        let request = decoded(&heard);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        // The first batch may be older than what was counted above.
        if metrics.iter().any(|metric| metric.name == "http.server.request.duration") {
            break request;
        }
    };
    let resource = &request.resource_metrics[0].resource.as_ref().unwrap().attributes;
    assert_eq!(text(resource, "service.name"), Some("deepwater"));
    assert_eq!(text(resource, "service.version"), Some("9"), "the environment wins");
    assert_eq!(text(resource, "deployment.environment"), Some("test"));
    assert!(text(resource, "host.name").is_some());
    assert!(resource.contains(&KeyValue::int("process.pid", i64::from(std::process::id()))));

    let Some(Data::Sum(sum)) = &metric(&request, "x_bytes_total").data else { panic!("{request:?}") };
    assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true));
    let point = &sum.data_points[0];
    assert_eq!((point.as_double, text(&point.attributes, "a")), (Some(3.0), Some("1\"")));
    assert!(point.start_time_unix_nano > 0 && point.time_unix_nano > point.start_time_unix_nano);
    assert_eq!(metric(&request, "x_bytes_total").unit, "By");
    let Some(Data::Gauge(gauge)) = &metric(&request, "y").data else { panic!("{request:?}") };
    assert_eq!(gauge.data_points[0].as_double, Some(-2.0));

    let convention = metric(&request, "http.server.request.duration");
    assert_eq!(convention.unit, "s");
    let Some(Data::Histogram(histogram)) = &convention.data else { panic!("{convention:?}") };
    let points: Vec<_> = histogram
        .data_points
        .iter()
        .map(|point| (text(&point.attributes, "http.route"), point.count))
        .collect();
    assert_eq!(points.len(), 2, "{points:?}");
    assert!(points.contains(&(Some("/shop/*"), 2)) && points.contains(&(None, 2)), "{points:?}");
    for point in &histogram.data_points {
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert!(point.explicit_bounds.is_sorted());
        let bucket = point.bucket_counts.iter().position(|count| *count > 0).unwrap();
        let (low, high) = (point.explicit_bounds[bucket - 1], point.explicit_bounds[bucket]);
        assert!(low < 0.003 && 0.003 <= high, "3 ms between {low} and {high}");
        assert!(point.sum.is_some_and(|sum| (sum - 0.006).abs() < 1e-6));
    }
    handle.close().await;
}

#[tokio::test]
async fn a_busy_collector_gets_the_batch_again() {
    let mut collector = Receiver::answering(&[BUSY, BUSY, TAKEN]).await;
    let (context, handle) = export(&collector, &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let heard = collector.hears().await;
        assert!(heard.head.to_ascii_lowercase().contains("content-encoding: gzip"), "{}", heard.head);
        bodies.push(heard.body);
    }
    counts(&context, "exported", 1).await;
    handle.close().await;
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bodies[0].as_slice()), &mut plain).unwrap();
    assert!(ExportMetricsServiceRequest::decode(plain.as_slice()).is_ok());
    let counts = context.events.counts();
    assert_eq!((counts["otlp_export_failed"], counts["otlp_export_recovered"]), (1, 1), "{counts:?}");
}

#[tokio::test]
async fn a_refusal_is_final_and_told_once() {
    let status = Status { message: "the api key\nis wrong".into() }.encode_to_vec();
    let mut refusal =
        format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n", status.len()).into_bytes();
    refusal.extend(status);
    let mut collector = Receiver::saying(vec![refusal]).await;
    let (context, handle) = export(&collector, &[]);
    for _ in 0..3 {
        collector.hears().await;
    }
    counts(&context, "failed", 2).await;
    handle.close().await;
    let events = context.events.recent(10);
    let failed: Vec<_> = events.iter().filter(|event| event.event == "otlp_export_failed").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(
        failed[0].message.contains("401") && failed[0].message.contains("the api keyis wrong"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_batch_is_given_up_when_the_next_is_due() {
    let mut collector = Receiver::answering(&[
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        TAKEN,
    ])
    .await;
    let (context, handle) = export(&collector, &[]);
    collector.hears().await;
    let first = tokio::time::Instant::now();
    collector.hears().await;
    assert!(first.elapsed() > Duration::from_millis(800), "it is left alone as long as it asks for");
    counts(&context, "exported", 1).await;
    assert!(context.metrics.sum(EXPORTS, &[("outcome", "failed")]) > 1, "batches replaced each other");
    handle.close().await;
}

#[tokio::test]
async fn rejected_points_are_counted() {
    let partial = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 5,
            error_message: "too old".into(),
        }),
    }
    .encode_to_vec();
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", partial.len()).into_bytes();
    answer.extend(partial);
    let collector = Receiver::saying(vec![answer]).await;
    let (context, handle) = export(&collector, &[]);
    counts(&context, "exported", 2).await;
    handle.close().await;
    assert!(context.metrics.sum("deepwater_lens_otlp_rejected_points_total", &[]) >= 10);
    assert_eq!(context.events.counts()["otlp_points_rejected"], 1);
}

#[tokio::test]
async fn the_last_batch_is_sent_when_it_ends() {
    let mut collector = Receiver::answering(&[TAKEN]).await;
    let (context, handle) = export(&collector, &[("OTEL_METRIC_EXPORT_INTERVAL", "3600000")]);
    context.metrics.counter("x_total", "X.", &[]).add(3);
    handle.close().await;
    assert!(matches!(&metric(&decoded(&collector.hears().await), "x_total").data, Some(Data::Sum(_))));
}

#[tokio::test]
async fn an_end_waits_for_nobody() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let context = Context::new(7, Events::silent());
    let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| format!("http://{address}"));
    let handle = start(Settings::read(get, Path::new(".")), BUILD, &context);
    tokio::time::timeout(PATIENCE, handle.close()).await.unwrap();
    let off = start(Settings::read(|_| None, Path::new(".")), BUILD, &context);
    assert!(off.running.is_none());
    off.close().await;
}
