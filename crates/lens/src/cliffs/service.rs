//! How the service does, whatever any cliff says: answers that are late, or errors, are no good news, though nobody can tell
//! what is at its end.

use crate::picture::Picture;
use crate::signal;

/// Times the target that 95 % of answers take, from which they are late.
const LATE: f64 = 2.0;
/// Times what they took at best in the last ten minutes, likewise: if it comes to half of the target at all.
const GROWN: f64 = 3.0;
/// Seconds that must have been measured to say what they took at best.
const LEAST_SECONDS: usize = 30;
/// Share of answers that are errors, from which not all is well.
const FAILING: f64 = 0.05;

/// What is wrong with the answers now, as a clause.
pub(super) fn trouble(picture: &Picture<'_>) -> Option<String> {
    let failing = errors(picture).filter(|share| *share >= FAILING);
    let failing = failing.map(|share| format!("{:.0} % of answers are errors (5xx)", share * 100.0));
    failing.or_else(|| late(picture))
}

/// The share of answers that are errors; none without any.
pub(crate) fn errors(picture: &Picture<'_>) -> Option<f64> {
    let all = picture.now(&signal::REQUESTS, "").filter(|rate| *rate > 0.0)?;
    Some((picture.now(&signal::ERRORS, "")? / all).min(1.0))
}

/// That answers take far longer than they should, or than they did, as a clause.
pub(crate) fn late(picture: &Picture<'_>) -> Option<String> {
    let p95 = picture.now(&signal::LATENCY_P95, "")?;
    let target = picture.target;
    if p95 >= LATE * target {
        return Some(format!(
            "95 % of answers take {:.0} ms, and the target is {:.0} ms (lens.target)",
            p95 * 1e3,
            target * 1e3
        ));
    }
    let mut known = picture.windows(&signal::LATENCY_P95, "");
    known.retain(|seconds| seconds.is_finite());
    if known.len() < LEAST_SECONDS {
        return None;
    }
    known.sort_by(f64::total_cmp);
    let floor = known[known.len() / 10];
    (p95 >= GROWN * floor && p95 >= target / 2.0).then(|| {
        format!("95 % of answers take {:.0} ms, and did take {:.0} ms a while ago", p95 * 1e3, floor * 1e3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::facts::Facts;
    use crate::store::Store;

    /// After a hundred good seconds ten in which 95 % take `p95`, and a share fails.
    fn said(p95: f64, failing: f64) -> String {
        let (mut store, facts, limits) = (Store::new(1 << 20), Facts::default(), Limits::default());
        for second in 0..110 {
            let now = second >= 100;
            store.put(&signal::REQUESTS, "", 77.0);
            store.put(&signal::ERRORS, "", if now { 77.0 * failing } else { 0.0 });
            store.put(&signal::LATENCY_P95, "", if now { p95 } else { 0.02 });
            store.pass(1);
        }
        let picture = Picture { store: &store, facts: &facts, limits: &limits, target: 0.1, seed: 7 };
        trouble(&picture).unwrap_or_default()
    }

    #[test]
    fn answers_that_are_late_or_errors_are_trouble() {
        assert_eq!(said(0.03, 0.0), "");
        assert_eq!(said(0.03, 0.01), "");
        assert!(said(0.7, 0.0).contains("take 700 ms, and the target is 100 ms"), "{}", said(0.7, 0.0));
        assert!(said(0.09, 0.0).contains("did take 20 ms"), "{}", said(0.09, 0.0));
        assert_eq!(said(0.001, 1.0), "100 % of answers are errors (5xx)");
    }
}
