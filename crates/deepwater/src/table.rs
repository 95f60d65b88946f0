//! Text in aligned columns, and numbers the way people read them.

use std::fmt::Write;
use std::time::Duration;

/// Which side the cells of a column stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a head.
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let head = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { columns: columns.iter().map(|(_, align)| *align).collect(), rows: vec![head] }
    }

    /// Appends a row. Missing cells are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each indented by so many blanks and without blanks at its end.
    pub(crate) fn lines(&self, indent: usize) -> Vec<String> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut line = " ".repeat(indent);
            for (column, (align, width)) in self.columns.iter().zip(&widths).enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                let gap = if column == 0 { "" } else { "  " };
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Left => write!(line, "{gap}{cell:<width$}"),
                    Align::Right => write!(line, "{gap}{cell:>width$}"),
                };
            }
            line.truncate(line.trim_end().len());
            line
        };
        self.rows.iter().map(line).collect()
    }
}

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 kill`, `2 kills`
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `93.1 %` of a share from 0 to 1; `–` for none.
pub(crate) fn share(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| format!("{:.1} %", share * 100.0))
}

/// Milliseconds in three figures: `0.42 ms`, `4.2 ms`, `42 ms`, `4.2 s`; `–` for none.
pub(crate) fn latency(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "–".into(),
        Some(ms) if ms < 0.995 => format!("{ms:.2} ms"),
        Some(ms) if ms < 9.95 => format!("{ms:.1} ms"),
        Some(ms) if ms < 999.5 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1e3),
    }
}

/// `42 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`
pub(crate) fn lasting(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `1.2 MiB`
pub(crate) fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut name = "B";
    for unit in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    if name == "B" || value >= 99.95 { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right), ("why", Align::Left)]);
        table.row(["größe".into(), "1".into(), "because".into()]);
        table.row(["b".into(), "1,000".into()]);
        let expected = ["  name       n  why", "  größe      1  because", "  b      1,000"];
        assert_eq!(table.lines(2), expected);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 2].map(|n| counted(n, "kill")), ["0 kills", "1 kill", "2 kills"]);
        let latencies = [0.424, 4.24, 9.97, 42.4, 999.6].map(|ms| latency(Some(ms)));
        assert_eq!(latencies, ["0.42 ms", "4.2 ms", "10 ms", "42 ms", "1.0 s"]);
        assert_eq!(latency(None), "–");
        assert_eq!([Some(0.9312), Some(1.0), None].map(share), ["93.1 %", "100.0 %", "–"]);
        let lasts = [59, 185, 7_800, 442_800].map(|seconds| lasting(Duration::from_secs(seconds)));
        assert_eq!(lasts, ["59 s", "3 min 5 s", "2 h 10 min", "5 d 3 h"]);
    }

    #[test]
    fn bytes_are_for_people() {
        assert_eq!([0, 1_023, 1_536, 123 << 20].map(bytes), ["0 B", "1023 B", "1.5 KiB", "123 MiB"]);
    }
}
