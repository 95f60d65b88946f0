//! The messages of OTLP that carry metrics: what this exporter needs of opentelemetry-proto 1.x, whose field numbers are
//! stable (`opentelemetry/proto/{collector/metrics,metrics,resource,common}/v1`).

use prost::{Message, Oneof};

/// Body of a POST to `/v1/metrics`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportMetricsServiceRequest {
    /// One for each resource.
    #[prost(message, repeated, tag = "1")]
    pub resource_metrics: Vec<ResourceMetrics>,
}

/// Its answer.
#[derive(Clone, PartialEq, Message)]
pub struct ExportMetricsServiceResponse {
    /// Present when not all was taken.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<ExportMetricsPartialSuccess>,
}

/// What was not taken.
#[derive(Clone, PartialEq, Message)]
pub struct ExportMetricsPartialSuccess {
    /// How many data points.
    #[prost(int64, tag = "1")]
    pub rejected_data_points: i64,
    /// Why not, or a warning when all were taken.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `google.rpc.Status`: the body of a refusal.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// Why.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// Metrics of one resource.
#[derive(Clone, PartialEq, Message)]
pub struct ResourceMetrics {
    /// Whose they are.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// One for each scope.
    #[prost(message, repeated, tag = "2")]
    pub scope_metrics: Vec<ScopeMetrics>,
}

/// Whoever is measured.
#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    /// What tells it from others.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// Metrics of one scope.
#[derive(Clone, PartialEq, Message)]
pub struct ScopeMetrics {
    /// Which part of the program measured.
    #[prost(message, optional, tag = "1")]
    pub scope: Option<InstrumentationScope>,
    /// All of them.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
}

/// The part of the program that measured.
#[derive(Clone, PartialEq, Message)]
pub struct InstrumentationScope {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// All series of one name.
#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it is.
    #[prost(string, tag = "2")]
    pub description: String,
    /// UCUM, such as `s` and `By`.
    #[prost(string, tag = "3")]
    pub unit: String,
    /// The series.
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    pub data: Option<Data>,
}

/// Series by what their numbers mean.
#[derive(Clone, PartialEq, Oneof)]
pub enum Data {
    /// Up and down.
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    /// Counters.
    #[prost(message, tag = "7")]
    Sum(Sum),
    /// Distributions.
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

/// Values that go up and down.
#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    /// One for each series.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<NumberDataPoint>,
}

/// Values that add up.
#[derive(Clone, PartialEq, Message)]
pub struct Sum {
    /// One for each series.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<NumberDataPoint>,
    /// Since when they add up.
    #[prost(enumeration = "Temporality", tag = "2")]
    pub aggregation_temporality: i32,
    /// Whether they never go back.
    #[prost(bool, tag = "3")]
    pub is_monotonic: bool,
}

/// Distributions.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// One for each series.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<HistogramDataPoint>,
    /// Since when they add up.
    #[prost(enumeration = "Temporality", tag = "2")]
    pub aggregation_temporality: i32,
}

/// Since when values add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Temporality {
    /// Not said.
    Unspecified = 0,
    /// The last batch.
    Delta = 1,
    /// The start.
    Cumulative = 2,
}

/// One value of one series.
#[derive(Clone, PartialEq, Message)]
pub struct NumberDataPoint {
    /// Since when it adds up, in nanoseconds since 1970; 0 for a gauge.
    #[prost(fixed64, tag = "2")]
    pub start_time_unix_nano: u64,
    /// When it was read.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// The value. On the wire the same as the `oneof` of whole numbers and these.
    #[prost(double, optional, tag = "4")]
    pub as_double: Option<f64>,
    /// What tells the series from others.
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
}

/// One distribution.
#[derive(Clone, PartialEq, Message)]
pub struct HistogramDataPoint {
    /// Since when it adds up, in nanoseconds since 1970.
    #[prost(fixed64, tag = "2")]
    pub start_time_unix_nano: u64,
    /// When it was read.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// Observations.
    #[prost(fixed64, tag = "4")]
    pub count: u64,
    /// Their sum.
    #[prost(double, optional, tag = "5")]
    pub sum: Option<f64>,
    /// Observations in each bucket; one more than there are bounds.
    #[prost(fixed64, repeated, tag = "6")]
    pub bucket_counts: Vec<u64>,
    /// Inclusive upper ends, all but the last bucket's.
    #[prost(double, repeated, tag = "7")]
    pub explicit_bounds: Vec<f64>,
    /// What tells the series from others.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    /// Of one of these kinds.
    #[prost(oneof = "Value", tags = "1, 3")]
    pub value: Option<Value>,
}

/// Kinds of values that are used here.
#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    String(String),
    /// A whole number.
    #[prost(int64, tag = "3")]
    Int(i64),
}

impl KeyValue {
    /// An attribute of text.
    pub fn text(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::of(key, Value::String(value.into()))
    }

    /// An attribute that is a number.
    pub fn int(key: impl Into<String>, value: i64) -> Self {
        Self::of(key, Value::Int(value))
    }

    fn of(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
    }
}
