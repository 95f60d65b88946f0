//! A report as text, for a terminal.

use std::fmt::Write as _;

use super::{KNEE, Report, Row};

/// Columns of a full bar.
const BAR_WIDTH: usize = 40;
/// An eighth of a column, two, and so on.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The report as a table and a chart, lines of at most 100 columns.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    summary(&mut out, report);
    if report.requests > 0 && !report.rows.is_empty() {
        table(&mut out, report);
        chart(&mut out, report);
        advice(&mut out, report);
    }
    out
}

// Writing to a string cannot fail: results are let go throughout.

fn summary(out: &mut String, report: &Report) {
    let lines = report.lines;
    let mut formats: Vec<_> = report.formats.iter().flatten().map(|format| format.name()).collect();
    formats.dedup();
    let formats = if formats.is_empty() { "no known format".to_owned() } else { formats.join(", ") };
    let (read, skipped, bad) = (count(lines.read), count(lines.skipped), count(lines.bad));
    let _ = writeln!(out, "{read} lines ({formats}): {skipped} not cacheable, {bad} not understood");
    if report.requests == 0 {
        let _ = writeln!(out, "No request that a cache could answer: nothing to replay.");
        return;
    }
    let _ = writeln!(
        out,
        "{} requests, {}, for {} objects of {} in all; at best {} hits (a first request always misses)",
        count(report.requests),
        bytes(report.requested_bytes),
        count(report.distinct),
        bytes(report.distinct_bytes),
        percent(report.ceiling_hit_ratio()),
    );
}

fn table(out: &mut String, report: &Report) {
    let titles = ["memory", "hit ratio", "byte hit ratio", "objects", "evictions", "per doubling"];
    let widths = [10, 11, 16, 13, 13, 14];
    out.push('\n');
    let mut line = |cells: [String; 6]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        let _ = writeln!(out, "{}", cells.collect::<String>());
    };
    line(titles.map(str::to_owned));
    for (row, gain) in report.rows.iter().zip(report.gains()) {
        line([
            bytes(row.size_bytes),
            percent(row.hit_ratio()),
            percent(row.byte_hit_ratio()),
            count(row.objects),
            count(row.evictions),
            gain.map_or("-".to_owned(), |gain| format!("{:+.1} %", gain * 100.0)),
        ]);
    }
}

fn chart(out: &mut String, report: &Report) {
    let _ = writeln!(out, "\n{:>10}  hit ratio", "");
    let knee = report.knee().map(|row| row.size_bytes);
    for row in &report.rows {
        let mark = if knee == Some(row.size_bytes) { "  <- worth its memory" } else { "" };
        let (size, bar, ratio) = (bytes(row.size_bytes), bar(row.hit_ratio()), percent(row.hit_ratio()));
        let _ = writeln!(out, "{size:>10} |{bar} {ratio}{mark}");
    }
}

fn advice(out: &mut String, report: &Report) {
    let (Some(knee), Some(most)) = (report.knee(), report.rows.last()) else {
        let _ = writeln!(out, "\nNothing was asked for twice, or nothing fits: a cache does not help here.");
        return;
    };
    let of_most = |row: &Row| percent(row.hit_ratio());
    let _ = writeln!(
        out,
        "\n{} is worth its memory: {} hits, the first to reach {} of what {} gives ({}).",
        bytes(knee.size_bytes),
        of_most(knee),
        percent(KNEE),
        bytes(most.size_bytes),
        of_most(most),
    );
    if knee.size_bytes == most.size_bytes && most.evictions > 0 {
        let _ = writeln!(out, "The curve is still rising at the largest size tried: try larger ones.");
    }
}

/// A bar for a share of one, to the eighth of a column.
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (BAR_WIDTH * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(EIGHTHS[eighths % 8]);
    bar
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number of bytes in the largest unit that leaves one digit or more, with a digit after the point where it
/// says something.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    let unit = UNITS[power as usize - 1];
    let value = bytes as f64 / f64::from(power * 10).exp2();
    let digits = usize::from(value < 100.0 && !bytes.is_multiple_of(1 << (power * 10)));
    format!("{value:.digits$} {unit}")
}

/// A number with its thousands apart.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Format, Lines};

    fn row(size_bytes: u64, hits: u64) -> Row {
        let (requests, requested_bytes) = (1000, 1_000_000);
        let evictions = 10 * (1000 - hits);
        Row {
            size_bytes,
            requests,
            hits,
            requested_bytes,
            hit_bytes: hits * 500,
            objects: 1234,
            evictions,
            too_heavy: 0,
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        Report {
            rows,
            lines: Lines { read: 1234, used: 1000, skipped: 230, bad: 4 },
            formats: vec![Some(Format::Common), Some(Format::Common), None],
            requests: 1000,
            requested_bytes: 1_000_000,
            distinct: 200,
            distinct_bytes: 5_000_000,
        }
    }

    #[test]
    fn a_table_a_chart_and_an_answer() {
        let text = render(&report(vec![row(1 << 20, 250), row(1 << 21, 700), row(1 << 23, 720)]));
        let expected = "\
1,234 lines (common log): 230 not cacheable, 4 not understood
1,000 requests, 977 KiB, for 200 objects of 4.8 MiB in all; at best 80.0 % hits (a first request always misses)

    memory  hit ratio  byte hit ratio      objects    evictions  per doubling
     1 MiB     25.0 %          12.5 %        1,234        7,500             -
     2 MiB     70.0 %          35.0 %        1,234        3,000       +45.0 %
     8 MiB     72.0 %          36.0 %        1,234        2,800        +1.0 %

            hit ratio
     1 MiB |██████████ 25.0 %
     2 MiB |████████████████████████████ 70.0 %  <- worth its memory
     8 MiB |████████████████████████████▊ 72.0 %

2 MiB is worth its memory: 70.0 % hits, the first to reach 95.0 % of what 8 MiB gives (72.0 %).
";
        let trimmed: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n") + "\n", expected);
    }

    #[test]
    fn little_to_say() {
        assert!(render(&report(vec![row(1 << 20, 0)])).contains("does not help"));
        assert!(render(&report(vec![row(1 << 20, 10)])).contains("still rising"));
        let empty = Report { requests: 0, distinct: 0, formats: vec![], ..report(vec![]) };
        assert!(render(&empty).contains("nothing to replay"));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1024, 1536, 1 << 20].map(bytes), ["0 B", "1023 B", "1 KiB", "1.5 KiB", "1 MiB"]);
        assert_eq!([1_500_000_000, u64::MAX].map(bytes), ["1.4 GiB", "16.0 EiB"]);
        assert_eq!([0.0, 1.0 / 320.0, 0.5, 2.0].map(|share| bar(share).chars().count()), [0, 1, 20, 40]);
    }
}
