//! Range requests (RFC 9110 §14).

use std::ops::Range;

use http::Method;
use smallvec::SmallVec;

use super::fields::{Fields, Request};
use super::list::members;
use super::validators::Validators;

/// A request for more ranges than this gets the whole: it costs less.
const MAX_RANGES: usize = 16;

/// A range as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last position, both included.
    Between(u64, u64),
    /// From this position to the end.
    From(u64),
    /// That many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// First and last position within a content of that length, or `None` when it has nothing there.
    pub fn resolve(self, len: u64) -> Option<(u64, u64)> {
        let last = len.checked_sub(1)?;
        match self {
            Self::Between(first, to) if first <= last => Some((first, to.min(last))),
            Self::From(first) if first <= last => Some((first, last)),
            Self::Last(count) if count > 0 => Some((len.saturating_sub(count), last)),
            _ => None,
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|&b| b == b'-')?;
        match (&text[..dash], &text[dash + 1..]) {
            (b"", count) => Some(Self::Last(position(count)?)),
            (first, b"") => Some(Self::From(position(first)?)),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }
}

/// The ranges of one request.
pub type Wanted = SmallVec<[ByteRange; 4]>;

/// Reads the value of `Range`. `None` when it is malformed, in another unit, or asks for more than 16 ranges: all
/// three are answered as if it were not there (RFC 9110 §14.2).
pub fn parse_ranges(value: &[u8]) -> Option<Wanted> {
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let wanted: Option<Wanted> = members(set).take(MAX_RANGES + 1).map(ByteRange::parse).collect();
    wanted.filter(|wanted| (1..=MAX_RANGES).contains(&wanted.len()))
}

/// The ranges a GET asks for, whatever its `If-Range`. `None` when it is to be answered as if it asked for none.
pub fn requested<F: Fields + ?Sized>(request: Request<'_, F>) -> Option<Wanted> {
    if *request.method != Method::GET {
        return None;
    }
    let mut values = request.fields.values("range");
    let value = values.next()?;
    if values.next().is_some() { None } else { parse_ranges(value) }
}

/// Digits; more than 64 bits hold is beyond the end of anything.
fn position(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(b - b'0')))
    })
}

/// What part of a content answers a request. Ends are exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// 200: all of it.
    Whole,
    /// 206: one range.
    Single(Range<u64>),
    /// 206 in several parts, none overlapping or touching another, in the order asked for.
    Several(SmallVec<[Range<u64>; 4]>),
    /// 416.
    Unsatisfiable,
}

/// What part of a content of that length answers a request, given its validators. `If-Range` is honoured: if it names
/// another version the answer is the whole. Ranges that overlap or touch become one; where more than two overlap
/// others the answer is the whole, as no honest client asks so (RFC 9110 §14.2, §17.15).
pub fn select<F: Fields + ?Sized>(
    request: Request<'_, F>,
    stored: &Validators<'_>,
    len: u64,
    now_ms: u64,
) -> Selection {
    let Some(wanted) = requested(request) else { return Selection::Whole };
    let mut if_range = request.fields.values("if-range");
    if if_range.next().is_some_and(|value| !stored.match_if_range(value, now_ms)) || if_range.next().is_some()
    {
        return Selection::Whole;
    }
    selection(&wanted, len)
}

fn selection(wanted: &[ByteRange], len: u64) -> Selection {
    if len == 0 && wanted.iter().any(|range| matches!(range, ByteRange::Last(1..))) {
        // Satisfiable (§14.1.2), but no `Content-Range` can say so.
        return Selection::Whole;
    }
    let mut parts: SmallVec<[Range<u64>; 4]> = SmallVec::new();
    let mut overlapping = 0;
    for (first, last) in wanted.iter().filter_map(|range| range.resolve(len)) {
        let mut range = first..last + 1;
        overlapping += usize::from(parts.iter().any(|part| part.start < range.end && range.start < part.end));
        // What it touches moves into it, at the place of the first of them. Nothing else comes to touch it by that:
        // the parts are apart from each other.
        let touches = |part: &Range<u64>| part.start <= range.end && range.start <= part.end;
        let place = parts.iter().position(touches).unwrap_or(parts.len());
        parts.retain(|part| {
            let touches = part.start <= range.end && range.start <= part.end;
            if touches {
                range = part.start.min(range.start)..part.end.max(range.end);
            }
            !touches
        });
        parts.insert(place, range);
    }
    match &parts[..] {
        _ if overlapping > 2 => Selection::Whole,
        [] => Selection::Unsatisfiable,
        [single] => Selection::Single(single.clone()),
        _ => Selection::Several(parts),
    }
}

/// The value of `Content-Range` in a 206.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRange {
    /// Which bytes, end exclusive; never empty.
    pub range: Range<u64>,
    /// Of how many, if known.
    pub len: Option<u64>,
}

impl ContentRange {
    /// Reads it. `None` when it is malformed, in another unit, or of a 416.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, rest) = value.trim_ascii().split_at_checked(6)?;
        unit.eq_ignore_ascii_case(b"bytes ").then_some(())?;
        let slash = rest.iter().position(|&b| b == b'/')?;
        let dash = rest[..slash].iter().position(|&b| b == b'-')?;
        let (first, last) = (position(&rest[..dash])?, position(&rest[dash + 1..slash])?);
        let len = match &rest[slash + 1..] {
            b"*" => None,
            digits => Some(position(digits)?),
        };
        let end = last.checked_add(1)?;
        (first <= last && len.is_none_or(|len| end <= len)).then_some(Self { range: first..end, len })
    }

    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Range { start, end } = self.range;
        let last = end.saturating_sub(1);
        let text = match self.len {
            Some(len) => format!("bytes {start}-{last}/{len}"),
            None => format!("bytes {start}-{last}/*"),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// Writes the value of `Content-Range` in a 416: what the length of the whole is.
pub fn write_unsatisfied(len: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("bytes */{len}").as_bytes());
}

#[cfg(test)]
mod tests;
