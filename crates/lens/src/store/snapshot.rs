//! What was measured, as bytes for a file, so that a restart does not forget it.
//!
//! A line that says what it is, then numbers in little-endian order: when it was written (seconds since 1970), ticks, series;
//! of each series its name and label (length and text) and its three spans (length and points of 4 bytes each).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Store;
use super::series::{Series, Span};
use crate::signal;

/// The first line, with the version of the format.
const MAGIC: &[u8] = b"deepwater lens 1\n";
/// More ticks than a process lives: 30,000 years.
const MOST_TICKS: u64 = 1 << 40;
/// Longest name or label.
const MOST_TEXT: usize = 4_096;

/// Why bytes are no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It begins with something else.
    #[error("it is no snapshot of the lens, or one of another version")]
    Foreign,
    /// It ends too early, or says something impossible.
    #[error("it is damaged")]
    Damaged,
}

impl Store {
    /// All of it; `written` is the time of day, in seconds since 1970.
    pub fn to_bytes(&self, written: u64) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for number in [written, self.ticks, self.count() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for (name, labels) in &self.series {
            for (label, series) in labels {
                for text in [name, &**label] {
                    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
                for span in Span::ALL {
                    let points = series.kept(span);
                    out.extend_from_slice(&(points.len() as u32).to_le_bytes());
                    points.iter().for_each(|point| out.extend_from_slice(&point.to_le_bytes()));
                }
            }
        }
        out
    }

    /// Takes in what was measured before, up to `now` (seconds since 1970): between the two nothing was. Series that are not
    /// known any more are left out, and those beyond what there is room for.
    ///
    /// # Errors
    /// The bytes are no snapshot; then nothing changes.
    pub fn take_in(&mut self, bytes: &[u8], now: u64) -> Result<(), SnapshotError> {
        let mut rest = Rest(bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?);
        let (written, ticks, count) = (rest.u64()?, rest.u64()?, rest.u64()?);
        if ticks > MOST_TICKS {
            return Err(SnapshotError::Damaged);
        }
        let mut read: BTreeMap<&'static str, BTreeMap<Arc<str>, Series>> = BTreeMap::new();
        let mut room = self.most();
        for _ in 0..count {
            let (name, label) = (rest.text()?, rest.text()?);
            let mut series = Series::default();
            for span in Span::ALL {
                series.keep(span, rest.points(span.most())?);
            }
            if let Some(known) = signal::ALL.iter().find(|known| known.name == name)
                && room > 0
            {
                room -= 1;
                read.entry(known.name).or_default().insert(label.into(), series);
            }
        }
        if !rest.0.is_empty() {
            return Err(SnapshotError::Damaged);
        }
        (self.series, self.ticks) = (read, ticks);
        // A clock that was set back since does not take anything back.
        self.pass(now.saturating_sub(written));
        Ok(())
    }
}

/// Bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(SnapshotError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<usize, SnapshotError> {
        let bytes = self.take(4)?.try_into().map_err(|_| SnapshotError::Damaged)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| SnapshotError::Damaged)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| SnapshotError::Damaged)?))
    }

    fn text(&mut self) -> Result<&'a str, SnapshotError> {
        let length = self.u32()?;
        if length > MOST_TEXT {
            return Err(SnapshotError::Damaged);
        }
        std::str::from_utf8(self.take(length)?).map_err(|_| SnapshotError::Damaged)
    }

    fn points(&mut self, most: usize) -> Result<impl Iterator<Item = f32> + use<'a>, SnapshotError> {
        let count = self.u32()?;
        if count > most {
            return Err(SnapshotError::Damaged);
        }
        let (points, _) = self.take(4 * count)?.as_chunks::<4>();
        let point = |bytes: &[u8; 4]| Some(f32::from_le_bytes(*bytes)).filter(|point| point.is_finite());
        Ok(points.iter().map(move |bytes| point(bytes).unwrap_or(f32::NAN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{CPU_BUSY, REQUESTS};

    fn filled() -> Store {
        let mut store = Store::new(1 << 24);
        for tick in 0..130 {
            store.put(&REQUESTS, "shop", f64::from(tick));
            if tick % 2 == 0 {
                store.put(&CPU_BUSY, "", 0.5);
            }
            store.pass(1);
        }
        store
    }

    #[test]
    fn what_was_measured_comes_back() {
        let bytes = filled().to_bytes(1_000);
        let mut store = Store::new(1 << 24);
        store.take_in(&bytes, 1_020).unwrap();
        assert_eq!(store.ticks(), 150);
        let seconds = store.seconds(&REQUESTS, "shop", 21);
        assert!(seconds[0] == 129.0 && seconds[1..].iter().all(|value| value.is_nan()), "{seconds:?}");
        assert_eq!(store.points(REQUESTS.name, "shop", Span::Minute, 2), [29.5, 89.5]);
        // A clock that was set back.
        store.take_in(&bytes, 10).unwrap();
        assert_eq!(store.ticks(), 130);
    }

    #[test]
    fn damaged_bytes_change_nothing() {
        let bytes = filled().to_bytes(1_000);
        let mut store = filled();
        assert_eq!(store.take_in(b"something", 1_000), Err(SnapshotError::Foreign));
        for cut in MAGIC.len()..bytes.len() {
            assert_eq!(store.take_in(&bytes[..cut], 1_000), Err(SnapshotError::Damaged), "{cut}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(store.take_in(&longer, 1_000), Err(SnapshotError::Damaged));
        assert_eq!(store.ticks(), 130);
    }

    #[test]
    fn there_is_no_more_than_fits() {
        let mut store = Store::new(1 << 20);
        for label in 0..8 {
            store.put(&REQUESTS, &label.to_string(), 1.0);
        }
        let bytes = store.to_bytes(0);
        let mut small = Store::new(super::super::series::MOST_BYTES * 2);
        small.take_in(&bytes, 0).unwrap();
        assert_eq!(small.count(), 2);
    }
}
