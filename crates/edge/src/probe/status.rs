//! Sets of statuses, as `200`, `200-399` or `200 204 301-302`.

use std::fmt;
use std::ops::RangeInclusive;

/// The statuses that mean well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet {
    ranges: Vec<RangeInclusive<u16>>,
}

/// A text that is no set of statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusSetError {
    /// Nothing is in it.
    #[error("no status is named: write one or several, such as `200`, `200-399` or `200 204`")]
    Empty,
    /// This part is neither a status nor a range.
    #[error("`{0}` is not a status: write `200`, a range such as `200-399`, or several separated by blanks")]
    Syntax(String),
    /// This part is outside of what HTTP has.
    #[error("`{0}` is out of bounds: statuses go from 100 to 599, the lower one first")]
    Bounds(String),
}

impl StatusSet {
    /// Reads a set: statuses and ranges separated by blanks.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, StatusSetError> {
        let ranges = text.split_whitespace().map(parse_range).collect::<Result<Vec<_>, _>>()?;
        if ranges.is_empty() { Err(StatusSetError::Empty) } else { Ok(Self { ranges }) }
    }

    /// Whether a status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }
}

fn parse_range(part: &str) -> Result<RangeInclusive<u16>, StatusSetError> {
    let status = |text: &str| {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().ok_or_else(|| StatusSetError::Syntax(part.to_owned()))
    };
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u16, u16) = (status(first)?, status(last)?);
    if first < 100 || last > 599 || first > last {
        return Err(StatusSetError::Bounds(part.to_owned()));
    }
    Ok(first..=last)
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.ranges.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            let (first, last) = (range.start(), range.end());
            if first == last { write!(f, "{blank}{first}") } else { write!(f, "{blank}{first}-{last}") }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        for (text, inside, outside) in [
            ("200", &[200][..], &[199, 201][..]),
            ("200-399", &[200, 301, 399], &[199, 400]),
            (" 200  204 301-302 ", &[200, 204, 301, 302], &[201, 303]),
        ] {
            let set = StatusSet::parse(text).unwrap();
            assert!(inside.iter().all(|status| set.contains(*status)), "{text}");
            assert!(!outside.iter().any(|status| set.contains(*status)), "{text}");
            assert_eq!(StatusSet::parse(&set.to_string()), Ok(set));
        }
    }

    #[test]
    fn faults_are_told() {
        let owned = str::to_owned;
        for (text, error) in [
            ("", StatusSetError::Empty),
            (" ", StatusSetError::Empty),
            ("2xx", StatusSetError::Syntax(owned("2xx"))),
            ("200,204", StatusSetError::Syntax(owned("200,204"))),
            ("200 - 299", StatusSetError::Syntax(owned("-"))),
            ("+200", StatusSetError::Syntax(owned("+200"))),
            ("200-", StatusSetError::Syntax(owned("200-"))),
            ("20", StatusSetError::Bounds(owned("20"))),
            ("600", StatusSetError::Bounds(owned("600"))),
            ("299-200", StatusSetError::Bounds(owned("299-200"))),
        ] {
            assert_eq!(StatusSet::parse(text), Err(error), "{text}");
        }
    }
}
