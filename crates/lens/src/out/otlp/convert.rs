//! From families of metrics to a batch.

use std::time::{SystemTime, UNIX_EPOCH};

use deepwater_core::metrics::{Distribution, Family, Kind, Reading, Sample};

use super::message::{
    Data, ExportMetricsServiceRequest, Gauge, Histogram, HistogramDataPoint, InstrumentationScope, KeyValue,
    Metric, NumberDataPoint, Resource, ResourceMetrics, ScopeMetrics, Sum, Temporality,
};

/// What the semantic conventions (1.44) call the duration of an HTTP request; stable. Of its attributes only the route is
/// known truly, and that only when the route's name is a path.
const HTTP_DURATION: &str = "http.server.request.duration";
/// What it is made of.
const EDGE_DURATION: &str = "deepwater_edge_request_duration_seconds";

/// The time that a batch speaks of, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// Totals since `start` as they were at `end`, which is not before it even when the clock was set back.
    pub(super) fn between(start: SystemTime, end: SystemTime) -> Self {
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        Self { start: nanos(start), end: nanos(end).max(nanos(start)) }
    }
}

/// All families as one batch of one resource.
pub(super) fn batch(
    families: &[Family],
    span: Span,
    resource: Resource,
    version: &str,
) -> ExportMetricsServiceRequest {
    let mut metrics: Vec<Metric> = families.iter().map(|family| metric(family, span)).collect();
    if let Some(edge) = families.iter().find(|family| family.name == EDGE_DURATION) {
        metrics.push(http_duration(edge, span));
    }
    metrics.retain(|metric| !is_empty(metric));
    let scope = InstrumentationScope { name: "deepwater".into(), version: version.to_owned() };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics }];
    let resource_metrics = vec![ResourceMetrics { resource: Some(resource), scope_metrics }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn metric(family: &Family, span: Span) -> Metric {
    let cumulative = Temporality::Cumulative.into();
    let numbers = |start| family.samples.iter().map(|sample| number(sample, start, span.end)).collect();
    let data = match family.kind {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(span.start),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(0) }),
        Kind::Histogram => {
            let points = family.samples.iter().filter_map(|sample| match &sample.reading {
                Reading::Durations(all) => Some(histogram(attributes(sample), all, span)),
                Reading::Number(_) => None,
            });
            Data::Histogram(Histogram { data_points: points.collect(), aggregation_temporality: cumulative })
        }
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit(family.name).to_owned(),
        data: Some(data),
    }
}

fn http_duration(edge: &Family, span: Span) -> Metric {
    let mut by_route: Vec<(Option<String>, Distribution)> = Vec::new();
    for sample in &edge.samples {
        let Reading::Durations(durations) = &sample.reading else { continue };
        let route = sample.label("route").filter(|route| route.starts_with('/'));
        // Series of equal attributes would be one series twice.
        match by_route.iter_mut().find(|(known, _)| *known == route) {
            Some((_, all)) => all.merge(durations),
            None => by_route.push((route, (**durations).clone())),
        }
    }
    let points = by_route.into_iter().map(|(route, all)| {
        let route = route.map(|route| KeyValue::text("http.route", route));
        histogram(route.into_iter().collect(), &all, span)
    });
    Metric {
        name: HTTP_DURATION.into(),
        description: "Duration of HTTP server requests.".into(),
        unit: "s".into(),
        data: Some(Data::Histogram(Histogram {
            data_points: points.collect(),
            aggregation_temporality: Temporality::Cumulative.into(),
        })),
    }
}

fn number(sample: &Sample, start: u64, end: u64) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: end,
        as_double: Some(sample.number()),
        attributes: attributes(sample),
    }
}

fn histogram(attributes: Vec<KeyValue>, all: &Distribution, span: Span) -> HistogramDataPoint {
    let (mut bounds, mut counts, mut below) = (Vec::new(), Vec::new(), 0);
    for (bound, cumulative) in all.exposed() {
        bounds.push(bound);
        counts.push(cumulative - below);
        below = cumulative;
    }
    let count = all.count();
    counts.push(count - below);
    HistogramDataPoint {
        start_time_unix_nano: span.start,
        time_unix_nano: span.end,
        count,
        sum: Some(all.sum_seconds()),
        bucket_counts: counts,
        explicit_bounds: bounds,
        attributes,
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.pairs().into_iter().map(|(name, value)| KeyValue::text(name, value)).collect()
}

fn is_empty(metric: &Metric) -> bool {
    match &metric.data {
        None => true,
        Some(Data::Gauge(gauge)) => gauge.data_points.is_empty(),
        Some(Data::Sum(sum)) => sum.data_points.is_empty(),
        Some(Data::Histogram(histogram)) => histogram.data_points.is_empty(),
    }
}

/// Our names end in their unit; here it is written as UCUM has it.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some("ratio") => "1",
        _ => "",
    }
}
