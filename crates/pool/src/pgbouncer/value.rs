//! Values of settings: how they are read and how SHOW CONFIG writes them.

use std::ops::RangeInclusive;
use std::time::Duration;

use deepwater_core::config::nearest;

use crate::lines::Fault;

/// What a value may be.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// `0` or `1`; words are understood too.
    Flag,
    /// A whole number as C writes it: `0x10` and `010` are 16 and 8.
    Count(RangeInclusive<i64>),
    /// Seconds, with a fraction if need be.
    Seconds,
    /// Anything.
    Text,
    /// One of these, in any case.
    Choice(&'static [&'static str]),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Flag(bool),
    Count(i64),
    Seconds(f64),
    Text(String),
    Choice(&'static str),
}

impl Shape {
    pub(super) fn read(&self, text: &str) -> Result<Value, Fault> {
        match self {
            Self::Flag => match (text.to_ascii_lowercase().as_str(), integer(text)) {
                ("yes" | "on" | "true", _) => Ok(Value::Flag(true)),
                ("no" | "off" | "false", _) => Ok(Value::Flag(false)),
                (_, Some(number)) => Ok(Value::Flag(number != 0)),
                (_, None) => {
                    Err(Fault::new(format!("`{text}` is neither 0 nor 1")).fix("write 1 for yes, 0 for no"))
                }
            },
            Self::Count(range) => {
                let number = integer(text).ok_or_else(|| {
                    Fault::new(format!("`{text}` is not a whole number"))
                        .fix(format!("write {}", span(range)))
                })?;
                if range.contains(&number) {
                    Ok(Value::Count(number))
                } else {
                    Err(Fault::new(format!("{number} is out of range")).fix(format!("write {}", span(range))))
                }
            }
            Self::Seconds => seconds(text).map(Value::Seconds),
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Choice(names) => {
                let found = names.iter().find(|name| name.eq_ignore_ascii_case(text));
                found.map(|name| Value::Choice(name)).ok_or_else(|| {
                    let near = nearest(text, names.iter().copied());
                    let near = near.map(|near| format!(" (nearest: {near})")).unwrap_or_default();
                    Fault::new(format!("`{text}` is not known"))
                        .fix(format!("write one of {}{near}", names.join(", ")))
                })
            }
        }
    }
}

impl Value {
    /// As SHOW CONFIG writes it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Flag(on) => u8::from(*on).to_string(),
            Self::Count(number) => number.to_string(),
            Self::Seconds(seconds) => general(*seconds),
            Self::Text(text) => text.clone(),
            Self::Choice(name) => (*name).to_owned(),
        }
    }
}

fn span(range: &RangeInclusive<i64>) -> String {
    match (range.start(), range.end()) {
        (start, &i64::MAX) => format!("a whole number from {start} on"),
        (start, end) => format!("a whole number from {start} to {end}"),
    }
}

/// A whole number as C's `strtol` reads it with base 0.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    // `from_str_radix` takes a second sign.
    let number = i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['-', '+']))?;
    Some(if negative { -number } else { number })
}

/// Longest time: a century. Beyond, deadlines could not be added to the clock.
const LONGEST_SECONDS: f64 = 3.2e9;

pub(super) fn seconds(text: &str) -> Result<f64, Fault> {
    let fix = "write seconds, such as 10 or 0.5";
    // Rust reads `inf` and `nan` too, and neither lies in the range.
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST_SECONDS).contains(&seconds) => Ok(seconds.abs()),
        Ok(_) => Err(Fault::new(format!("`{text}` is no length of time that can pass")).fix(fix)),
        Err(_) => Err(Fault::new(format!("`{text}` is not a number of seconds")).fix(fix)),
    }
}

/// In microseconds, as PgBouncer counts.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6) as u64)
}

/// C's `%g`: six significant digits.
fn general(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.5e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| {
        let digits =
            if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        digits.to_owned()
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        trim(&format!("{number:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_c() {
        for (text, number) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0777", Some(0o777)),
            ("0x1F", Some(31)),
            ("-010", Some(-8)),
            ("", None),
            ("-", None),
            ("--1", None),
            ("0x", None),
            ("0x-1", None),
            ("08", None),
            ("1k", None),
            ("1.5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(integer(text), number, "{text}");
        }
    }

    #[test]
    fn times_have_fractions_and_an_end() {
        for (text, shown) in [
            ("15", "15"),
            ("0.5", "0.5"),
            ("0", "0"),
            ("-0", "0"),
            ("3600.0", "3600"),
            ("1e3", "1000"),
            ("0.123456789", "0.123457"),
            ("1234567", "1.23457e+06"),
            ("0.00001", "1e-05"),
            ("86400", "86400"),
        ] {
            assert_eq!(Shape::Seconds.read(text).map(|value| value.show()), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", "x", "-1", "nan", "inf", "1e300", "10s", "1,5"] {
            assert!(Shape::Seconds.read(text).is_err(), "{text}");
        }
        assert_eq!(duration(0.5), Duration::from_millis(500));
    }

    #[test]
    fn flags_and_choices() {
        for (text, on) in
            [("1", true), ("0", false), ("2", true), ("Yes", true), ("off", false), ("TRUE", true)]
        {
            assert_eq!(Shape::Flag.read(text), Ok(Value::Flag(on)), "{text}");
        }
        assert!(Shape::Flag.read("maybe").is_err());
        let modes = Shape::Choice(&["session", "transaction"]);
        assert_eq!(modes.read("TRANSACTION"), Ok(Value::Choice("transaction")));
        let fault = format!("{:?}", modes.read("transactoin").unwrap_err());
        assert!(fault.contains("nearest: transaction"), "{fault}");
        assert!(Shape::Count(0..=10).read("11").is_err());
    }
}
