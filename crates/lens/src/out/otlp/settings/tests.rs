//! Which variables mean what.

use super::*;

const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

fn read(variables: &[(&str, &str)]) -> Settings {
    let get =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(get, Path::new("."))
}

fn url(variables: &[(&str, &str)]) -> Option<String> {
    read(variables).target.map(|target| target.destination.url())
}

#[test]
fn nothing_is_sent_unless_an_endpoint_is_set() {
    let metrics = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
    for (variables, expected) in [
        (&[][..], None),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None),
        (&[("OTEL_SERVICE_NAME", "shop")], None),
        (&[ALL], Some("http://collector:4318/v1/metrics")),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/mine/")], Some("http://c/mine/v1/metrics")),
        (&[(metrics, "http://c:9/write"), ALL], Some("http://c:9/write")),
        (&[(metrics, "http://c:9")], Some("http://c:9/")),
        (&[ALL, ("OTEL_SDK_DISABLED", "TRUE")], None),
        (&[ALL, ("OTEL_SDK_DISABLED", "no")], Some("http://collector:4318/v1/metrics")),
        (&[ALL, ("OTEL_METRICS_EXPORTER", "none")], None),
        (&[ALL, ("OTEL_METRICS_EXPORTER", "console, otlp")], Some("http://collector:4318/v1/metrics")),
    ] {
        assert_eq!(url(variables).as_deref(), expected, "{variables:?}");
        assert!(read(variables).ignored.is_empty(), "{variables:?}");
    }
}

#[test]
fn what_is_set_is_used() {
    let target = read(&[
        ALL,
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=all, x-scope=a%20b%3D,"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "Api-Key=metrics"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ("OTEL_SERVICE_NAME", "front"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment=t%C3%A9st"),
    ])
    .target
    .unwrap();
    assert_eq!((target.timeout, target.interval), (Duration::from_millis(250), Duration::from_secs(5)));
    assert!(target.gzip);
    assert_eq!(target.headers["api-key"], "metrics");
    assert_eq!(target.headers["x-scope"], "a b=");
    assert!(!format!("{:?}", target.headers).contains("metrics"));
    let attribute = |n: usize| (target.attributes[n].0.as_str(), target.attributes[n].1.as_str());
    assert_eq!(attribute(0), ("service.name", "front"));
    assert_eq!(attribute(2), ("deployment.environment", "tést"));
}

#[test]
fn what_cannot_be_used_is_told_and_ignored() {
    for (name, value, sends) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", false),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://", false),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", false),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json", false),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", true),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", true),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0", true),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1", true),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m", true),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", true),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0A", true),
        ("OTEL_EXPORTER_OTLP_HEADERS", "nothing", true),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%4", true),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%FF", true),
        ("OTEL_RESOURCE_ATTRIBUTES", "=b", true),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", true),
    ] {
        let settings = read(&[(name, value), ALL]);
        assert_eq!(settings.target.is_some(), sends, "{name}={value}");
        let told: Vec<_> = settings.ignored.iter().map(|(variable, _)| *variable).collect();
        assert_eq!(told, [name], "{name}={value}");
    }
}
