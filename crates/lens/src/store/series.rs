//! One series in its three spans.

use std::collections::VecDeque;

/// How long a point of a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A second; kept for ten minutes.
    Second,
    /// Ten seconds; kept for six hours.
    TenSeconds,
    /// A minute; kept for fourteen days.
    Minute,
}

impl Span {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Second, Self::TenSeconds, Self::Minute];

    /// Its length.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::TenSeconds => 10,
            Self::Minute => 60,
        }
    }

    /// Points that are kept.
    pub fn most(self) -> usize {
        match self {
            Self::Second => 600,
            Self::TenSeconds => 6 * 360,
            Self::Minute => 14 * 24 * 60,
        }
    }

    /// The finest that still reaches so far back.
    pub fn reaching(seconds: u64) -> Self {
        let reaches = |span: &Self| span.seconds() * span.most() as u64 >= seconds;
        [Self::Second, Self::TenSeconds].into_iter().find(reaches).unwrap_or(Self::Minute)
    }
}

/// The longest time anything is kept.
pub(super) const LONGEST_SECONDS: u64 = 14 * 24 * 3_600;

/// What a series takes in the end: 4 bytes a point, and what it is made of.
pub(super) const MOST_BYTES: usize = 4 * (600 + 2_160 + 20_160) + size_of::<Series>() + 128;

/// Points of one length, the newest last.
#[derive(Debug, Default)]
struct Ring(VecDeque<f32>);

impl Ring {
    fn push(&mut self, value: f32, most: usize) {
        if self.0.len() == most {
            self.0.pop_front();
        } else if self.0.len() == self.0.capacity() {
            // By a half, and not beyond what is kept: doubling would take twice the bytes that are counted.
            let more = (self.0.len() / 2).clamp(16, most - self.0.len());
            self.0.reserve_exact(more);
        }
        self.0.push_back(value);
    }

    fn last(&self, n: usize) -> impl Iterator<Item = f64> + '_ {
        self.0.range(self.0.len().saturating_sub(n)..).map(|value| f64::from(*value))
    }
}

/// The mean of what was measured since the last point.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn take(&mut self) -> f32 {
        let Self { sum, count } = std::mem::take(self);
        if count == 0 { f32::NAN } else { (sum / f64::from(count)) as f32 }
    }
}

/// One series.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Of the tick that has not passed.
    now: Option<f64>,
    seconds: Ring,
    tens: Ring,
    minutes: Ring,
    ten: Mean,
    minute: Mean,
    /// Ticks in which nothing was measured since something was.
    silent: u64,
}

impl Series {
    pub(super) fn put(&mut self, value: f64) {
        self.now = Some(value);
    }

    /// The tick of this number is over.
    pub(super) fn pass(&mut self, tick: u64) {
        match self.now.take() {
            Some(value) => {
                self.silent = 0;
                self.ten.add(value);
                self.minute.add(value);
                self.seconds.push(value as f32, Span::Second.most());
            }
            None => {
                self.silent += 1;
                self.seconds.push(f32::NAN, Span::Second.most());
            }
        }
        if tick.is_multiple_of(Span::TenSeconds.seconds()) {
            self.tens.push(self.ten.take(), Span::TenSeconds.most());
        }
        if tick.is_multiple_of(Span::Minute.seconds()) {
            self.minutes.push(self.minute.take(), Span::Minute.most());
        }
    }

    /// The last `n` points, the oldest first, and as many: NaN stands before the first.
    pub(super) fn last(&self, span: Span, n: usize) -> Vec<f64> {
        let ring = self.ring(span);
        let n = n.min(span.most());
        let missing = n.saturating_sub(ring.0.len());
        std::iter::repeat_n(f64::NAN, missing).chain(ring.last(n)).collect()
    }

    /// All points of a span, the oldest first.
    pub(super) fn kept(&self, span: Span) -> &VecDeque<f32> {
        &self.ring(span).0
    }

    /// Sets the points of a span.
    pub(super) fn keep(&mut self, span: Span, points: impl Iterator<Item = f32>) {
        let ring = match span {
            Span::Second => &mut self.seconds,
            Span::TenSeconds => &mut self.tens,
            Span::Minute => &mut self.minutes,
        };
        points.for_each(|point| ring.push(point, span.most()));
    }

    fn ring(&self, span: Span) -> &Ring {
        match span {
            Span::Second => &self.seconds,
            Span::TenSeconds => &self.tens,
            Span::Minute => &self.minutes,
        }
    }

    pub(super) fn silent(&self) -> u64 {
        self.silent
    }

    pub(super) fn bytes(&self) -> usize {
        let points = self.seconds.0.capacity() + self.tens.0.capacity() + self.minutes.0.capacity();
        points * size_of::<f32>() + size_of::<Self>() + 128
    }
}
