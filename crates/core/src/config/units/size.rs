//! Amounts of bytes.

use std::fmt;
use std::str::FromStr;

use super::{ParseError, number_and_unit, written_as_text};
use crate::config::format::SIZE;

/// An amount of bytes, written with its unit: `"512B"`, `"64KiB"`, `"256MiB"`, `"10MB"`.
///
/// Binary units (IEC 80000-13) are `KiB`, `MiB`, `GiB`, `TiB`; decimal ones `kB`, `MB`, `GB`, `TB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

/// Units and their bytes, the largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// A number of bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A number of kibibytes (1,024 bytes).
    pub const fn from_kib(kibibytes: u64) -> Self {
        Self(kibibytes << 10)
    }

    /// A number of mebibytes (1,048,576 bytes).
    pub const fn from_mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    /// The largest unit that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        let (unit, bytes) = exact.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl FromStr for Size {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |fix: String| ParseError::new(format!("`{text}` is not a size")).fix(fix);
        let general = "write a whole number and a unit, such as \"64KiB\" \
                       (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)";
        let Some((number, unit, "")) = number_and_unit(text) else {
            return Err(refuse(general.to_owned()));
        };
        if unit.is_empty() {
            let what = format!("`{text}` has no unit");
            return Err(ParseError::new(what).fix(format!("write \"{text}B\" for bytes")));
        }
        let Some((_, bytes)) = UNITS.iter().find(|(known, _)| *known == unit) else {
            return Err(refuse(meant(number, unit).unwrap_or_else(|| general.to_owned())));
        };
        let count: Option<u64> = number.parse().ok();
        let size = count.and_then(|count| count.checked_mul(*bytes));
        size.map(Self).ok_or_else(|| ParseError::new(format!("`{text}` is more bytes than can be counted")))
    }
}

/// `10m`, `10mb` and `10Mb` are each taken for something different by some tool: ask which.
fn meant(number: &str, unit: &str) -> Option<String> {
    let prefix = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "k" => ("Ki", "k"),
        "m" => ("Mi", "M"),
        "g" => ("Gi", "G"),
        "t" => ("Ti", "T"),
        _ => return None,
    };
    let (binary, decimal) = prefix;
    Some(format!("write \"{number}{binary}B\" (powers of 1024) or \"{number}{decimal}B\" (powers of 1000)"))
}

written_as_text!(Size, "Size", SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("256MiB", 268_435_456),
            ("1GiB", 1_073_741_824),
            ("10kB", 10_000),
            ("1MB", 1_000_000),
            ("3TiB", 3 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size::from_bytes(bytes)), "{text}");
            assert_eq!(Size::from_bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn refuses_the_rest_and_says_what_to_write() {
        for (text, fix) in [
            ("256", "write \"256B\" for bytes"),
            ("10m", "write \"10MiB\" (powers of 1024) or \"10MB\""),
            ("10mb", "write \"10MiB\""),
            ("10KB", "write \"10KiB\""),
            ("1.5GiB", "a whole number and a unit"),
            ("10 MiB", "a whole number and a unit"),
            ("MiB", "a whole number and a unit"),
            ("", "a whole number and a unit"),
        ] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.fix.as_deref().is_some_and(|it| it.contains(fix)), "{text}: {error}");
        }
        assert!("18446744073709551615TiB".parse::<Size>().is_err());
    }
}
