//! Metrics as they were at one moment.

use super::Distribution;

/// All series of one name.
#[derive(Debug, Clone)]
pub struct Family {
    /// Name, with its unit; a counter's ends in `_total`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// What its numbers mean.
    pub kind: Kind,
    /// The series, by labels.
    pub samples: Vec<Sample>,
}

/// What numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, in buckets.
    Histogram,
}

impl Kind {
    /// As the text formats call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One series at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `a="1",b="2"`, escaped as the text format asks; empty without labels.
    pub labels: String,
    /// Its value.
    pub reading: Reading,
}

/// The value of a series.
#[derive(Debug, Clone)]
pub enum Reading {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Durations(Box<Distribution>),
}

impl Sample {
    /// Names and values of the labels, unescaped, in their order.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut rest = self.labels.as_str();
        while let Some((name, tail)) = rest.split_once("=\"") {
            let mut value = String::new();
            let mut chars = tail.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => value.push(match chars.next() {
                        Some('n') => '\n',
                        Some(c) => c,
                        None => break,
                    }),
                    c => value.push(c),
                }
            }
            pairs.push((name.trim_start_matches(',').to_owned(), value));
            rest = chars.as_str();
        }
        pairs
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The number; of a histogram, how many durations.
    pub fn number(&self) -> f64 {
        match &self.reading {
            Reading::Number(number) => *number,
            Reading::Durations(durations) => durations.count() as f64,
        }
    }

    /// The sum of a histogram's durations, in seconds; 0 for a number.
    pub fn seconds(&self) -> f64 {
        match &self.reading {
            Reading::Number(_) => 0.0,
            Reading::Durations(durations) => durations.sum_seconds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Registry;

    #[test]
    fn labels_come_back_as_they_were_given() {
        let registry = Registry::default();
        let labels = [("route", "a\"b\\c\nd=\"x\",y"), ("status", ""), ("last", "{1}")];
        registry.counter("x_total", "X.", &labels).increment();
        let families = registry.read();
        let pairs = families[0].samples[0].pairs();
        assert_eq!(pairs, labels.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(families[0].samples[0].label("last").as_deref(), Some("{1}"));
    }
}
