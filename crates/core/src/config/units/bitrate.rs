//! Speeds of links.

use std::fmt;
use std::str::FromStr;

use super::{ParseError, number_and_unit, written_as_text};
use crate::config::format::BITRATE;

/// Bits per second, written with a unit: `"100Mbit"`, `"1Gbit"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bitrate(u64);

/// Units and their bits, the largest first.
const UNITS: [(&str, u64); 4] = [("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

impl Bitrate {
    /// A number of bits per second.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Bytes per second.
    pub fn bytes(self) -> f64 {
        self.0 as f64 / 8.0
    }
}

impl fmt::Display for Bitrate {
    /// The largest unit that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, bits)| self.0 >= *bits && self.0.is_multiple_of(*bits));
        let (unit, bits) = exact.unwrap_or(&("bit", 1));
        write!(f, "{}{unit}", self.0 / bits)
    }
}

impl FromStr for Bitrate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            ParseError::new(format!("`{text}` is not a bit rate")).fix(
                "write a whole number of bits per second and a unit, such as \"100Mbit\" (units: bit, kbit, Mbit, Gbit)",
            )
        };
        let Some((number, unit, "")) = number_and_unit(text) else { return Err(refuse()) };
        let (_, bits) = UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(refuse)?;
        let count: Option<u64> = number.parse().ok();
        count.and_then(|count| count.checked_mul(*bits)).map(Self).ok_or_else(refuse)
    }
}

written_as_text!(Bitrate, "Bitrate", BITRATE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for (text, bits) in
            [("0bit", 0), ("64kbit", 64_000), ("100Mbit", 100_000_000), ("10Gbit", 10_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(Bitrate::from_bits(bits)), "{text}");
            assert_eq!(Bitrate::from_bits(bits).to_string(), text);
        }
        assert_eq!(Bitrate::from_bits(8_000).bytes(), 1_000.0);
    }

    #[test]
    fn refuses_the_rest_and_says_what_to_write() {
        for text in ["100", "100MB", "100mbit", "1.5Gbit", "Mbit", "", "99999999999999999999Gbit"] {
            let error = text.parse::<Bitrate>().expect_err(text);
            assert!(error.fix.as_deref().is_some_and(|fix| fix.contains("100Mbit")), "{text}");
        }
    }
}
