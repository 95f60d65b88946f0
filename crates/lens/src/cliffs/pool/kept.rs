//! How long connections are kept, and whether that is another time than it was: the database, or what clients do while they
//! hold a connection, has become slower or faster. What was measured before that foretells nothing any more.

use crate::cliffs::judge::number;
use crate::picture::Picture;
use crate::signal;

/// Ticks that are taken together, and the least number of connections handed out in them: of fewer, a few long ones decide.
const TOGETHER: usize = 10;
const LEAST: f64 = 100.0;
/// Times as long, or as short, from which it is another time.
const OTHER: f64 = 3.0;
/// Ticks that must be known to say how long they were kept at best.
const LEAST_TICKS: usize = 30;

/// The mean time in which connections were kept around each tick, by Little's law; NaN where too few were.
pub(super) struct Kept(Vec<f64>);

impl Kept {
    pub(super) fn of(picture: &Picture<'_>, pool: &str) -> Self {
        let (used, rates) =
            (picture.windows(&signal::POOL_BUSY, pool), picture.windows(&signal::POOL_RATE, pool));
        let ticks: Vec<(f64, f64)> = used.into_iter().zip(rates).collect();
        let around = |at: usize| {
            let last = (at + TOGETHER / 2).min(ticks.len());
            let known = ticks[last.saturating_sub(TOGETHER)..last].iter();
            let known = known.filter(|(used, rate)| used.is_finite() && rate.is_finite());
            let (used, rate) = known.fold((0.0, 0.0), |sum, tick| (sum.0 + tick.0, sum.1 + tick.1));
            if rate >= LEAST { used / rate } else { f64::NAN }
        };
        Self((1..=ticks.len()).map(around).collect())
    }

    /// Of what was measured in each tick, what was while connections were kept about as long as now.
    pub(super) fn alike(&self, mut measured: Vec<f64>) -> Vec<f64> {
        let now = self.now();
        for (value, kept) in measured.iter_mut().zip(&self.0) {
            if *kept > OTHER * now || *kept * OTHER < now {
                *value = f64::NAN;
            }
        }
        measured
    }

    /// That they are kept for far longer than they were, as a clause.
    pub(super) fn longer(&self) -> Option<String> {
        let mut known: Vec<f64> = self.0.iter().copied().filter(|kept| kept.is_finite()).collect();
        if known.len() < LEAST_TICKS {
            return None;
        }
        known.sort_by(f64::total_cmp);
        let (now, best) = (self.now(), known[known.len() / 10]);
        let ms = |seconds: f64| number(seconds * 1e3);
        (now >= OTHER * best).then(|| {
            format!("each connection is kept for {} ms, and was for {} ms a while ago", ms(now), ms(best))
        })
    }

    fn now(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}
