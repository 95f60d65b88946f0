//! Where the search begins. Given `a` and `b` the best `g` is linear, so a grid of two is enough.

use super::{Law, Point};

/// Contention and coherency that are tried: none, and some from each decade.
const CONTENTION: [f64; 9] = [0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 0.95];
/// Coherency reaches down to what makes a peak at a million.
const COHERENCY: [f64; 12] = [0.0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.6];
/// How many of them are followed.
const FOLLOWED: usize = 4;

/// The best few of the grid, best first.
pub(super) fn starts(points: &[Point]) -> Vec<Law> {
    let mut all: Vec<(f64, Law)> = Vec::new();
    for contention in CONTENTION {
        for coherency in COHERENCY {
            let law = with_best_one(points, contention, coherency);
            all.push((squares(points, &law), law));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.truncate(FOLLOWED);
    all.into_iter().map(|(_, law)| law).collect()
}

/// The throughput of one by linear least squares.
pub(super) fn with_best_one(points: &[Point], contention: f64, coherency: f64) -> Law {
    let shape = Law { one: 1.0, contention, coherency };
    let (mut product, mut square) = (0.0, 0.0);
    for point in points {
        let relative = shape.throughput(point.n);
        product += relative * point.x;
        square += relative * relative;
    }
    Law { one: product / square, ..shape }
}

/// What the fit makes small.
pub(super) fn squares(points: &[Point], law: &Law) -> f64 {
    points.iter().map(|point| (point.x - law.throughput(point.n)).powi(2)).sum()
}
