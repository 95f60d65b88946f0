//! The text formats of metrics.

use std::fmt::{self, Write as _};

use super::Distribution;
use super::snapshot::{Family, Kind, Reading};

/// The Prometheus text format, version 0.0.4.
pub fn prometheus(families: &[Family]) -> String {
    write(families, Format::Prometheus)
}

/// OpenMetrics 1.0: counters are named without `_total` in their head, and the whole has an end.
pub fn openmetrics(families: &[Family]) -> String {
    write(families, Format::OpenMetrics)
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Prometheus,
    OpenMetrics,
}

fn write(families: &[Family], format: Format) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for family in families {
        // A counter has one name with and one without its suffix; which its head has differs.
        let base = match family.kind {
            Kind::Counter => family.name.strip_suffix("_total").unwrap_or(family.name),
            Kind::Gauge | Kind::Histogram => family.name,
        };
        let (head, series) = match (format, family.kind) {
            (Format::OpenMetrics, Kind::Counter) => (base, &*format!("{base}_total")),
            _ => (family.name, family.name),
        };
        let (help, kind) = (escaped(family.help, format), family.kind.as_str());
        let _ = writeln!(out, "# HELP {head} {help}\n# TYPE {head} {kind}");
        for sample in &family.samples {
            match &sample.reading {
                Reading::Number(value) => line(&mut out, series, &sample.labels, *value),
                Reading::Durations(durations) => {
                    histogram(&mut out, family.name, &sample.labels, durations, format);
                }
            }
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// A help text on one line.
fn escaped(help: &str, format: Format) -> String {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    if format == Format::OpenMetrics { help.replace('"', "\\\"") } else { help }
}

fn line(out: &mut String, name: &str, labels: &str, value: f64) {
    let value = Number(value);
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    };
}

fn histogram(out: &mut String, name: &str, labels: &str, all: &Distribution, format: Format) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (le, count) in all.exposed() {
        let _ = match format {
            Format::Prometheus => writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}"),
            // Bounds are floats in its canonical form: 1.0, not 1.
            Format::OpenMetrics => writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le:?}\"}} {count}"),
        };
    }
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", all.count());
    line(out, &format!("{name}_sum"), labels, all.sum_seconds());
    line(out, &format!("{name}_count"), labels, all.count() as f64);
}

/// A number as both formats write it.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // NaN prints as both formats have it.
            number => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Registry;
    use super::*;

    #[test]
    fn openmetrics_names_counters_without_their_suffix_and_ends() {
        let registry = Registry::default();
        registry.counter("x_total", "X.", &[]).increment();
        let families = registry.read();
        assert_eq!(openmetrics(&families), "# HELP x X.\n# TYPE x counter\nx_total 1\n# EOF\n");
        assert_eq!(prometheus(&families), "# HELP x_total X.\n# TYPE x_total counter\nx_total 1\n");
    }
    #[test]
    fn whatever_a_collector_says_is_well_formed() {
        let registry = Registry::default();
        registry.collect(|sink| {
            sink.gauge("a", "A \"b\\c\"\nd.", &[("n", "1")], f64::INFINITY);
            sink.gauge("a", "A \"b\\c\"\nd.", &[("n", "2")], f64::NEG_INFINITY);
            sink.gauge("a", "A \"b\\c\"\nd.", &[("n", "3")], f64::NAN);
            sink.fractional_counter("s", "S.", &[], 0.25);
        });
        let families = registry.read();
        let values = "# TYPE a gauge\na{n=\"1\"} +Inf\na{n=\"2\"} -Inf\na{n=\"3\"} NaN\n";
        let prometheus = prometheus(&families);
        assert!(prometheus.starts_with(&format!("# HELP a A \"b\\\\c\"\\nd.\n{values}")), "{prometheus}");
        assert!(prometheus.ends_with("# TYPE s counter\ns 0.25\n"), "{prometheus}");
        let open = openmetrics(&families);
        assert!(open.starts_with(&format!("# HELP a A \\\"b\\\\c\\\"\\nd.\n{values}")), "{open}");
        assert!(open.ends_with("# TYPE s counter\ns_total 0.25\n# EOF\n"), "{open}");
    }
}
