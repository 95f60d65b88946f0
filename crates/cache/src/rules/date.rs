//! Dates (RFC 9110 §5.6.7) as caches read them.

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const DAYS: [&[u8]; 7] =
    [b"sunday", b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday"];

/// Reads a date in any of the three formats, in Unix seconds; times before 1970 are 0. `now_s` (Unix seconds)
/// tells which century a year of two digits is in: never more than 50 years ahead. Letters may be in any case
/// (RFC 9111 §4.2); any zone but GMT, and anything else that is not in the format, is no date. Whether the day of
/// the week is the right one is not looked at.
pub fn parse(value: &[u8], now_s: u64) -> Option<u64> {
    let value = value.trim_ascii();
    let comma = value.iter().position(|&b| b == b',');
    match comma {
        Some(3) => imf(value),
        Some(at) => rfc850(value, at, now_s),
        None => asctime(value),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf(value: &[u8]) -> Option<u64> {
    let value: &[u8; 29] = value.try_into().ok()?;
    let blanks = [4, 7, 11, 16, 25].iter().all(|&at| value[at] == b' ');
    (blanks && is_day(&value[..3], true) && is_gmt(&value[26..])).then_some(())?;
    unix(number(&value[12..16])?, month(&value[8..11])?, number(&value[5..7])?, time(&value[17..25])?)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(value: &[u8], comma: usize, now_s: u64) -> Option<u64> {
    let rest: &[u8; 23] = value[comma + 1..].try_into().ok()?;
    let shape = rest[0] == b' ' && rest[3] == b'-' && rest[7] == b'-' && rest[10] == b' ' && rest[19] == b' ';
    (shape && is_day(&value[..comma], false) && is_gmt(&rest[20..])).then_some(())?;
    let this_year = year_of(now_s);
    let mut year = this_year / 100 * 100 + number(&rest[8..10])?;
    if year > this_year + 50 {
        year -= 100;
    } else if year + 50 <= this_year {
        year += 100;
    }
    unix(year, month(&rest[4..7])?, number(&rest[1..3])?, time(&rest[11..19])?)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(value: &[u8]) -> Option<u64> {
    let value: &[u8; 24] = value.try_into().ok()?;
    let blanks = [3, 7, 10, 19].iter().all(|&at| value[at] == b' ');
    (blanks && is_day(&value[..3], true)).then_some(())?;
    let day = if value[8] == b' ' { &value[9..10] } else { &value[8..10] };
    unix(number(&value[20..])?, month(&value[4..7])?, number(day)?, time(&value[11..19])?)
}

fn is_day(name: &[u8], short: bool) -> bool {
    DAYS.iter().any(|day| name.eq_ignore_ascii_case(if short { &day[..3] } else { day }))
}

fn is_gmt(zone: &[u8]) -> bool {
    zone.eq_ignore_ascii_case(b"gmt")
}

/// 1 to 12.
fn month(name: &[u8]) -> Option<u64> {
    MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month)).map(|at| at as u64 + 1)
}

/// `08:49:37` in seconds of the day. A leap second is the second before it.
fn time(text: &[u8]) -> Option<u64> {
    (text[2] == b':' && text[5] == b':').then_some(())?;
    let (hour, minute, second) = (number(&text[..2])?, number(&text[3..5])?, number(&text[6..])?);
    (hour < 24 && minute < 60 && second <= 60).then(|| hour * 3_600 + minute * 60 + second.min(59))
}

/// A few digits.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn unix(year: u64, month: u64, day: u64, second_of_day: u64) -> Option<u64> {
    let days_of_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    };
    (1..=days_of_month).contains(&day).then_some(())?;
    if year < 1970 {
        return Some(0);
    }
    Some((days_before(year, month) + day - 1) * 86_400 + second_of_day)
}

/// Days from 1970 to the first of a month, years counted from March so that the leap day comes last.
fn days_before(year: u64, month: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 - 719_468
}

fn year_of(unix_s: u64) -> u64 {
    let days = unix_s / 86_400;
    let mut year = 1970 + days / 366;
    while days >= days_before(year + 1, 1) {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    /// 2026-11-24.
    const NOW: u64 = 1_795_478_400;
    const NOV_1994: u64 = 784_111_777;

    #[test]
    fn the_three_formats() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "SUN, 06 NOV 1994 08:49:37 gmt",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse(value.as_bytes(), NOW), Some(NOV_1994), "{value}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for value in [
            "",
            "0",
            "-1",
            "now",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 31 Jun 2050 02:01:18 GMT",
            "Thu, 00 Jun 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 24:01:18 GMT",
            "Foo, 18 Aug 2050 02:01:18 GMT",
            "Thu, 29 Feb 2100 02:01:18 GMT",
        ] {
            assert_eq!(parse(value.as_bytes(), NOW), None, "{value}");
        }
    }

    #[test]
    fn years_of_two_digits() {
        let year =
            |yy, now| parse(format!("Sunday, 06-Nov-{yy:02} 08:49:37 GMT").as_bytes(), now).map(year_of);
        let years = |now| [0, 26, 50, 76, 77, 94].map(|yy| year(yy, now).unwrap());
        assert_eq!(years(NOW), [2000, 2026, 2050, 2076, 1977, 1994]);
        // In 1999.
        assert_eq!(years(940_000_000), [2000, 2026, 1970, 1976, 1977, 1994]);
    }

    #[test]
    fn far_ends() {
        assert_eq!(parse(b"Thu, 01 Jan 1970 00:00:00 GMT", NOW), Some(0));
        assert_eq!(parse(b"Thu, 01 Jan 1601 00:00:00 GMT", NOW), Some(0));
        assert_eq!(parse(b"Tue, 19 Jan 2038 14:14:08 GMT", NOW), Some(2_147_523_248));
        assert_eq!(parse(b"Fri, 31 Dec 9999 23:59:60 GMT", NOW), Some(253_402_300_799));
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate(seconds in 0u64..253_402_300_799) {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            prop_assert_eq!(parse(text.as_bytes(), NOW), Some(seconds));
        }

        #[test]
        fn arbitrary_bytes_never_panic(value in "[SMTa-z]{3,9},? ?[0-9a-zA-Z :-]{0,30}", now in 0u64..1 << 40) {
            let _ = parse(value.as_bytes(), now);
        }
    }
}
