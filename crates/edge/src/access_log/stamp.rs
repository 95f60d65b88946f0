//! The time of a line, formatted once per second.

use std::time::{SystemTime, UNIX_EPOCH};

/// UTC as logs write it; remembers the second it formatted last.
#[derive(Debug)]
pub(super) struct Stamp {
    second: u64,
    text: String,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: u64::MAX, text: String::new() }
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Stamp {
    /// `2026-01-01T00:00:00.123Z` (RFC 3339).
    pub(super) fn rfc3339(&mut self, time: SystemTime) -> &str {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.format(since_epoch.as_secs(), |(year, month, day), (hour, minute, second)| {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
        });
        // Only the milliseconds differ within a second.
        let at = self.text.len() - 4;
        self.text.truncate(at);
        let millis = since_epoch.subsec_millis();
        self.text
            .extend([millis / 100, millis / 10 % 10, millis % 10].map(|digit| (b'0' + digit as u8) as char));
        self.text.push('Z');
        &self.text
    }

    /// `01/Jan/2026:00:00:00 +0000` (the common log format).
    pub(super) fn common_log(&mut self, time: SystemTime) -> &str {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.format(since_epoch.as_secs(), |(year, month, day), (hour, minute, second)| {
            let month = MONTHS[month as usize - 1];
            format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
        });
        &self.text
    }

    fn format(&mut self, second: u64, write: impl FnOnce((u64, u64, u64), (u64, u64, u64)) -> String) {
        if self.second != second {
            let of_day = second % 86_400;
            self.text = write(civil(second / 86_400), (of_day / 3_600, of_day / 60 % 60, of_day % 60));
            self.second = second;
        }
    }
}

/// Year, month and day of a number of days since 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`). Years begin in March there, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_forms() {
        let mut stamp = Stamp::default();
        for (millis, rfc3339) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (951_782_400_120, "2000-02-29T00:00:00.120Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(stamp.rfc3339(UNIX_EPOCH + Duration::from_millis(millis)), rfc3339);
        }
        let mut stamp = Stamp::default();
        let time = UNIX_EPOCH + Duration::from_millis(951_782_400_007);
        assert_eq!(stamp.common_log(time), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(stamp.common_log(time + Duration::from_secs(1)), "29/Feb/2000:00:00:01 +0000");
    }

    #[test]
    fn every_day_of_four_centuries_agrees_with_http_dates() {
        for day in 0..146_097u64 {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(day * 86_400));
            let (year, month, of_month) = civil(day);
            assert_eq!(date[5..16], format!("{of_month:02} {} {year:04}", MONTHS[month as usize - 1]));
        }
    }
}
