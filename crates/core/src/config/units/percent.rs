//! Shares of a whole.

use std::fmt;
use std::str::FromStr;

use super::{ParseError, written_as_text};
use crate::config::format::PERCENT;

/// A share from `"0%"` to `"100%"`, with up to four decimals (`"0.5%"`).
///
/// Kept as parts per million, so that equal texts are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

const DECIMALS: usize = 4;
const PARTS_PER_PERCENT: u32 = 10_u32.pow(DECIMALS as u32);

impl Percent {
    /// A whole number of percent; more than 100 is taken for 100.
    pub const fn new(percent: u8) -> Self {
        let percent = if percent > 100 { 100 } else { percent };
        Self(percent as u32 * PARTS_PER_PERCENT)
    }

    /// The share as a number from 0 to 1.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(100 * PARTS_PER_PERCENT)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.0 / PARTS_PER_PERCENT, self.0 % PARTS_PER_PERCENT);
        if parts == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{parts:0DECIMALS$}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |what| {
            ParseError::new(format!("`{text}` {what}"))
                .fix("write a number from 0 to 100 and a percent sign, such as \"10%\" or \"0.5%\"")
        };
        let number = text.strip_suffix('%').ok_or_else(|| refuse("is not a percentage"))?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(refuse("is not a percentage"));
        }
        if decimals.len() > DECIMALS {
            return Err(refuse("has more than four decimals"));
        }
        let whole = whole.parse::<u32>().ok().filter(|whole| *whole <= 100);
        let parts = format!("{decimals:0<DECIMALS$}").parse::<u32>().ok();
        let total = whole.zip(parts).map(|(whole, parts)| whole * PARTS_PER_PERCENT + parts);
        total
            .filter(|total| *total <= 100 * PARTS_PER_PERCENT)
            .map(Self)
            .ok_or_else(|| refuse("is more than the whole"))
    }
}

written_as_text!(Percent, "Percent", PERCENT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for (text, ratio) in [("0%", 0.0), ("10%", 0.1), ("0.5%", 0.005), ("7%", 0.07), ("100%", 1.0)] {
            let percent: Percent = text.parse().expect(text);
            assert!((percent.ratio() - ratio).abs() < 1e-12, "{text}");
            assert_eq!(percent.to_string(), text);
        }
        assert_eq!("1.2500%".parse::<Percent>().expect("four decimals").to_string(), "1.25%");
        assert_eq!(Percent::new(50).to_string(), "50%");
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["10", "", "%", ".5%", "1.%", "-1%", "101%", "100.0001%", "1.23456%", "ten%", "1e2%"] {
            let error = text.parse::<Percent>().expect_err(text);
            assert!(error.fix.is_some_and(|fix| fix.contains("10%")), "{text}");
        }
    }
}
