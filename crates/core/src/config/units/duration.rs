//! Lengths of time.

use std::fmt;
use std::str::FromStr;
use std::time;

use super::{ParseError, number_and_unit, written_as_text};
use crate::config::format::DURATION;

/// A length of time, written with its unit: `"10ms"`, `"10s"`, `"5m"`, `"1h"`, `"2d"`, `"1m30s"`.
///
/// Units are `d`, `h`, `m`, `s`, `ms`, `us` and `ns`, each at most once, the largest first. A day is
/// 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(time::Duration);

/// Units and their length in nanoseconds, the largest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(time::Duration::ZERO);

    /// A number of milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(time::Duration::from_millis(milliseconds))
    }

    /// A number of seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    /// The standard library's value.
    pub const fn get(self) -> time::Duration {
        self.0
    }

    /// Whether this is no time at all, which many keys take for "off".
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<time::Duration> for Duration {
    fn from(duration: time::Duration) -> Self {
        Self(duration)
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            let count = rest / length;
            rest %= length;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            ParseError::new(format!("`{text}` is not a duration"))
                .fix("write a whole number and a unit, such as \"10s\" (units: d, h, m, s, ms, us, ns)")
        };
        let mut total: u128 = 0;
        let mut allowed = UNITS.as_slice();
        let mut rest = text;
        while !rest.is_empty() {
            let (number, unit, after) = number_and_unit(rest).ok_or_else(refuse)?;
            if unit.is_empty() {
                let what = format!("`{text}` has no unit after `{number}`");
                return Err(ParseError::new(what).fix(format!("write \"{text}s\" for seconds")));
            }
            if !UNITS.iter().any(|(known, _)| *known == unit) {
                return Err(refuse());
            }
            let Some(position) = allowed.iter().position(|(known, _)| *known == unit) else {
                let what = format!("`{text}` does not name its units from the largest to the smallest");
                return Err(ParseError::new(what).fix("write it like \"1h30m\", each unit once"));
            };
            let count: u128 = number.parse().map_err(|_| too_long(text))?;
            let part = count.checked_mul(allowed[position].1).ok_or_else(|| too_long(text))?;
            total = total.checked_add(part).ok_or_else(|| too_long(text))?;
            allowed = &allowed[position + 1..];
            rest = after;
        }
        if text.is_empty() {
            return Err(refuse());
        }
        let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| too_long(text))?;
        // The remainder of a division by 10⁹ fits 32 bits.
        let nanoseconds = (total % 1_000_000_000) as u32;
        Ok(Self(time::Duration::new(seconds, nanoseconds)))
    }
}

fn too_long(text: &str) -> ParseError {
    ParseError::new(format!("`{text}` is longer than any clock can count"))
}

written_as_text!(Duration, "Duration", DURATION);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in [
            ("10ms", 10),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("1m30s", 90_000),
            ("1s500ms", 1_500),
            ("0s", 0),
            ("0ms", 0),
        ] {
            assert_eq!(text.parse(), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn shows_the_largest_units_first() {
        assert_eq!(Duration::from_secs(90).to_string(), "1m30s");
        assert_eq!(Duration::from_millis(1_500).to_string(), "1s500ms");
        assert_eq!(Duration::from_secs(36 * 3600).to_string(), "1d12h");
        assert_eq!(Duration::ZERO.to_string(), "0s");
    }

    #[test]
    fn refuses_the_rest_and_says_what_to_write() {
        for (text, what, fix) in [
            ("10", "`10` has no unit after `10`", "write \"10s\" for seconds"),
            ("", "`` is not a duration", "such as \"10s\""),
            ("ten", "`ten` is not a duration", "such as \"10s\""),
            ("1.5s", "`1.5s` is not a duration", "a whole number and a unit"),
            ("10 s", "`10 s` is not a duration", "a whole number and a unit"),
            ("-1s", "`-1s` is not a duration", "a whole number and a unit"),
            ("10min", "`10min` is not a duration", "units: d, h, m, s, ms, us, ns"),
            ("30s1m", "`30s1m` does not name its units from the largest", "\"1h30m\""),
            ("1s1s", "`1s1s` does not name its units from the largest", "each unit once"),
        ] {
            let error = text.parse::<Duration>().expect_err(text);
            assert!(error.what.contains(what), "{text}: {error}");
            assert!(error.fix.as_deref().is_some_and(|it| it.contains(fix)), "{text}: {error}");
        }
        let digits = "9".repeat(60) + "d";
        for text in [digits.as_str(), "99999999999999999999999d", "18446744073709551616s"] {
            assert!(text.parse::<Duration>().expect_err(text).what.contains("longer than any clock"));
        }
    }
}
