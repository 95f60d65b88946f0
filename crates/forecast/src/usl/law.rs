//! The law itself, forwards and backwards.

/// The coefficients of a system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// `g`, the throughput of one.
    pub one: f64,
    /// `a` (also σ or α), 0 to 1.
    pub contention: f64,
    /// `b` (also κ or β), 0 to 1.
    pub coherency: f64,
}

/// Where throughput is highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// At how many at once.
    pub n: f64,
    /// The throughput there.
    pub x: f64,
}

impl Law {
    /// Throughput of one to that of `n`, without the contribution of `g`.
    pub(super) fn divisor(&self, n: f64) -> f64 {
        1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0)
    }

    /// `X(N)`.
    pub fn throughput(&self, n: f64) -> f64 {
        self.one * n / self.divisor(n)
    }

    /// The share of linear scaling that is left at `n`: `X(N)/(g·N)`.
    pub fn efficiency(&self, n: f64) -> f64 {
        1.0 / self.divisor(n)
    }

    /// The highest throughput, at `√((1 - a)/b)`; `None` without coherency, and where nothing is gained from more
    /// than one.
    pub fn peak(&self) -> Option<Peak> {
        let n = ((1.0 - self.contention) / self.coherency).sqrt();
        (self.coherency > 0.0 && n.is_finite() && n > 0.0).then(|| Peak { n, x: self.throughput(n) })
    }

    /// `g/a`, which throughput would near if there were no coherency; `None` without contention.
    pub fn amdahl_limit(&self) -> Option<f64> {
        let limit = self.one / self.contention;
        (self.contention > 0.0 && limit.is_finite()).then_some(limit)
    }

    /// The `n` on the rising branch that gives this throughput: the smaller root of
    /// `b·X·N² - (g - X(a - b))·N + X(1 - a) = 0`. `None` above the peak (or limit), and where nothing rises.
    pub fn concurrency(&self, x: f64) -> Option<f64> {
        let (a, b) = (self.contention, self.coherency);
        let linear = self.one - x * (a - b);
        let rest = linear * linear - 4.0 * b * x * x * (1.0 - a);
        // The form without a difference of nearly equal numbers; good for b = 0, too.
        let n = 2.0 * x * (1.0 - a) / (linear + rest.sqrt());
        let rises = linear > 0.0 && rest >= 0.0 && a < 1.0 && x >= 0.0;
        (rises && n.is_finite()).then_some(n)
    }
}
