//! The standard variables (OpenTelemetry specification, "OTLP exporter" and "SDK environment variables"). One that is empty
//! counts as not set; one that cannot be used is ignored, and told.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::out::post::{Destination, Files};

/// What the environment asks for.
#[derive(Default)]
pub struct Settings {
    /// Where to send; none when nobody asks for it.
    pub(super) target: Option<Target>,
    /// Variables that were ignored, and why.
    pub(super) ignored: Vec<(&'static str, String)>,
}

/// Where, how and how often to send.
pub(super) struct Target {
    pub(super) destination: Destination,
    pub(super) headers: HeaderMap,
    /// For one post.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) interval: Duration,
    /// In the order of their importance; the first of a name counts.
    pub(super) attributes: Vec<(String, String)>,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(60);
/// Building a batch costs about as much as a scrape.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

impl Settings {
    /// Reads the variables. `variable` looks one up, as `std::env::var(name).ok()` does; relative paths start at
    /// `directory`.
    pub fn read(variable: impl Fn(&str) -> Option<String>, directory: &Path) -> Self {
        let mut reader = Reader { variable: &variable, ignored: Vec::new() };
        let target = reader.target(directory);
        Self { target, ignored: reader.ignored }
    }
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    ignored: Vec<(&'static str, String)>,
}

impl Reader<'_> {
    fn target(&mut self, directory: &Path) -> Option<Target> {
        if self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let (variable, endpoint) = self.endpoint()?;
        if !self.exports_otlp() || !self.speaks_protobuf() {
            return None;
        }
        let files = Files {
            ca: self
                .metrics_or_all("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
            cert: self.metrics_or_all(
                "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            ),
            key: self
                .metrics_or_all("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        };
        let destination = match Destination::parse(&endpoint, &files, directory) {
            Ok(destination) => destination,
            Err(fault) => {
                self.ignored.push((variable, fault));
                return None;
            }
        };
        let temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        if self.get(temporality).is_some_and(|wanted| !wanted.eq_ignore_ascii_case("cumulative")) {
            self.ignored.push((temporality, "totals are cumulative here".into()));
        }
        Some(Target {
            destination,
            headers: self.headers(),
            timeout: self.milliseconds(
                &["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"],
                TIMEOUT,
                Duration::from_millis(1),
            ),
            gzip: self.gzip(),
            interval: self.milliseconds(&["OTEL_METRIC_EXPORT_INTERVAL"], INTERVAL, SHORTEST_INTERVAL),
            attributes: self.attributes(),
        })
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn metrics_or_all(&self, metrics: &str, all: &str) -> Option<String> {
        self.get(metrics).or_else(|| self.get(all))
    }

    /// The first variable of these that is set.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// The one for metrics is taken as it is; `v1/metrics` is appended to the one for everything.
    fn endpoint(&self) -> Option<(&'static str, String)> {
        let (metrics, all) = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
        if let Some(url) = self.get(metrics) {
            return Some((metrics, url));
        }
        let base = self.get(all)?;
        Some((all, format!("{}/v1/metrics", base.trim_end_matches('/'))))
    }

    fn exports_otlp(&self) -> bool {
        let exporters = self.get("OTEL_METRICS_EXPORTER");
        exporters.is_none_or(|exporters| exporters.split(',').any(|exporter| exporter.trim() == "otlp"))
    }

    fn speaks_protobuf(&mut self) -> bool {
        let names = ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        let Some((name, protocol)) = self.first(&names) else { return true };
        let speaks = protocol == "http/protobuf";
        if !speaks {
            let why = format!(
                "`{protocol}` is not spoken here, so nothing is sent; give the collector's port for \
                               http/protobuf (4318) as endpoint, and that as protocol"
            );
            self.ignored.push((name, why));
        }
        speaks
    }

    fn gzip(&mut self) -> bool {
        let names = ["OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
        match self.first(&names) {
            Some((_, wanted)) if wanted == "gzip" => true,
            Some((name, wanted)) if wanted != "none" => {
                self.ignored.push((name, format!("`{wanted}` is neither `gzip` nor `none`")));
                false
            }
            _ => false,
        }
    }

    fn milliseconds(&mut self, names: &[&'static str], usual: Duration, least: Duration) -> Duration {
        let Some((name, text)) = self.first(names) else { return usual };
        match text.parse().ok().map(Duration::from_millis).filter(|wanted| *wanted >= least) {
            Some(wanted) => wanted,
            None => {
                let why = format!(
                    "`{text}` is no number of milliseconds of at least {}; it is {} ms",
                    least.as_millis(),
                    usual.as_millis()
                );
                self.ignored.push((name, why));
                usual
            }
        }
    }

    /// Those for metrics win over those for everything.
    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"] {
            for (key, value) in self.pairs(name) {
                match (HeaderName::try_from(key.as_str()), HeaderValue::try_from(value)) {
                    (Ok(key), Ok(mut value)) => {
                        // Often a password.
                        value.set_sensitive(true);
                        headers.insert(key, value);
                    }
                    _ => self
                        .ignored
                        .push((name, "a header in it has a name or value that cannot be sent".into())),
                }
            }
        }
        headers
    }

    fn attributes(&mut self) -> Vec<(String, String)> {
        let name = self.get("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name));
        name.into_iter().chain(self.pairs("OTEL_RESOURCE_ATTRIBUTES")).collect()
    }

    /// `key=value,key=value`, percent-encoded as W3C Baggage is. All or none of a variable.
    fn pairs(&mut self, name: &'static str) -> Vec<(String, String)> {
        let Some(text) = self.get(name) else { return Vec::new() };
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=')?;
            let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
            (!key.is_empty()).then_some((key, value))
        };
        let members = text.split(',').filter(|member| !member.trim().is_empty());
        let pairs: Option<Vec<_>> = members.map(pair).collect();
        pairs.unwrap_or_else(|| {
            self.ignored.push((name, "it is not written like `key=value,key=value`".into()));
            Vec::new()
        })
    }
}

/// Without percent escapes; `None` when one is broken, or it is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
