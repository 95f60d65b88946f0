//! In which text format a scraper wants its metrics (RFC 9110 §12.5.1).

use deepwater_core::metrics::{self, Family};
use http::HeaderMap;
use http::header::ACCEPT;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text, version 0.0.4: for whoever does not ask for anything.
    Prometheus,
    /// OpenMetrics 1.0: for whoever asks for it at least as much.
    OpenMetrics,
}

/// What an `Accept` says of one format.
#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    /// Thousandths; 0 is "not this".
    quality: u16,
    /// 0: not mentioned, 1: `*/*`, 2: `type/*`, 3: by name.
    precision: u8,
}

impl Format {
    /// The format that fits `Accept` best. Nobody is refused: a browser gets Prometheus text.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let (mut prometheus, mut open) = (Wish::default(), Wish::default());
        for range in headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
            for range in range.split(',') {
                let Some(range) = Range::parse(range) else { continue };
                prometheus.heed(&range, "text", "plain", "0.0.4");
                open.heed(&range, "application", "openmetrics-text", "1.0.0");
            }
        }
        let preferred = (open.quality, open.precision) > (prometheus.quality, prometheus.precision);
        if open.quality > 0 && preferred { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// As `Content-Type` names it.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Metrics in this format.
    pub(crate) fn write(self, families: &[Family]) -> String {
        match self {
            Self::Prometheus => metrics::prometheus(families),
            Self::OpenMetrics => metrics::openmetrics(families),
        }
    }
}

/// One media range with its weight.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    quality: u16,
}

impl<'a> Range<'a> {
    /// `None` when it is none, or its weight is no number.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range = Self { kind, subtype, version: None, quality: 1_000 };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => {
                    let quality: f64 = value.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
                    range.quality = (quality * 1_000.0).round() as u16;
                }
                name if name.eq_ignore_ascii_case("version") => range.version = Some(value),
                _ => {}
            }
        }
        Some(range)
    }
}

impl Wish {
    /// The most precise range that fits counts; of equally precise ones the most wanted.
    fn heed(&mut self, range: &Range<'_>, kind: &str, subtype: &str, version: &str) {
        let precision = match (range.kind, range.subtype) {
            ("*", "*") => 1,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 2,
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => 3,
            _ => return,
        };
        let other_version = range.version.is_some_and(|wanted| wanted != version);
        if !other_version && (precision, range.quality) > (self.precision, self.quality) {
            *self = Self { quality: range.quality, precision };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wanted(accept: &[&'static str]) -> Format {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(ACCEPT, HeaderValue::from_static(accept));
        }
        Format::wanted(&headers)
    }

    #[test]
    fn openmetrics_is_for_who_asks_for_it() {
        for accept in [
            // What Prometheus 2.42 and 3.0 send.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.2",
            "application/openmetrics-text, */*",
            "text/plain;q=0, application/*;q=0.1",
        ] {
            assert_eq!(wanted(&[accept]), Format::OpenMetrics, "{accept}");
        }
        assert_eq!(wanted(&["text/plain;q=0.5", "application/openmetrics-text"]), Format::OpenMetrics);
    }

    #[test]
    fn everybody_else_gets_prometheus_text() {
        assert_eq!(wanted(&[]), Format::Prometheus);
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text, text/plain",
            "application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.6",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
            "application/openmetrics-text;q=7",
            "application/openmetrics-text;q=NaN",
            ";;;,/,=/q",
        ] {
            assert_eq!(wanted(&[accept]), Format::Prometheus, "{accept}");
        }
    }
}
