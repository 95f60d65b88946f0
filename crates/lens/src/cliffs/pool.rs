//! Server connections of the pooler: exhausted when as many are held as there may be.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound, Queue};
use super::{Detector, Finding, Kind, evidence};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Pool;

impl Detector for Pool {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>) -> Vec<Finding> {
        let pools = picture.store.labels(&signal::POOL_SIZE);
        pools.iter().filter_map(|pool| find(picture, load, pool)).collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>, pool: &str) -> Option<Finding> {
    let size = picture.store.latest(&signal::POOL_SIZE, pool).filter(|size| *size >= 1.0)?;
    let database = pool.split('/').next().unwrap_or(pool);
    let used = picture.windows(&signal::POOL_BUSY, pool);
    let queue = picture.minute(&signal::POOL_HOLD, pool).map(|service| Queue {
        servers: size as u32,
        service,
        variation: picture.minute(&signal::POOL_HOLD_VARIATION, pool),
    });
    let law = law(load, &picture.windows(&signal::POOL_HOLD, pool));
    let bound = Bound { used: &used, capacity: size, law, idle_without_load: true, together: 1, queue };
    let outlook = bound::outlook(picture, load, &bound);
    let wait = picture.now(&signal::POOL_WAIT_P95, pool);
    let refused = picture.now(&signal::POOL_REFUSED, pool).filter(|rate| *rate > 0.0);
    let pressing = match (refused, wait) {
        (Some(rate), _) => Some(format!("{rate:.1} queries a second are refused for want of a connection")),
        (None, Some(wait)) if wait > picture.target => {
            Some(format!("one client in twenty waits for {:.0} ms or longer", wait * 1e3))
        }
        _ => None,
    };
    let evidence = [
        evidence(picture, &signal::POOL_BUSY, pool, |busy| {
            format!("{busy:.1} of {size:.0} connections are in use")
        }),
        evidence(picture, &signal::POOL_HOLD, pool, |hold| format!("each is kept for {:.1} ms", hold * 1e3)),
        evidence(picture, &signal::POOL_RATE, pool, |rate| format!("{rate:.1} are handed out each second")),
        evidence(picture, &signal::POOL_WAIT_P95, pool, |wait| {
            format!("one client in twenty waits for {:.1} ms", wait * 1e3)
        }),
    ];
    Some(Finding {
        kind: Kind::ConnectionPool,
        resource: pool.to_owned(),
        what: format!("the pool of `{database}` is exhausted"),
        used: picture.now(&signal::POOL_BUSY, pool),
        limit: Some(size),
        unit: "connections",
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

/// Whether connections are kept for longer when there is more load: something behind them fills up then. The slope of the
/// time over the load must be told from none (five standard errors), and matter: a half over what was seen.
fn law(load: Option<&Load>, holds: &[f64]) -> Law {
    let Some(load) = load else { return Law::Utilisation };
    let loads = load.rows.iter().map(|row| row.iter().sum::<f64>());
    let points: Vec<(f64, f64)> = loads
        .zip(holds.iter().copied())
        .filter(|(load, hold)| load.is_finite() && hold.is_finite())
        .collect();
    let n = points.len() as f64;
    let mean = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / n, sum.1 + point.1 / n));
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| f(x - mean.0, y - mean.1)).sum::<f64>();
    let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
    let slope = xy / xx;
    let error = ((yy - slope * xy).max(0.0) / (n - 2.0) / xx).sqrt();
    let spread =
        points.iter().map(|(load, _)| *load).fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
    let matters = slope * (spread.1 - spread.0) >= 0.5 * (mean.1 - slope * (mean.0 - spread.0));
    if points.len() >= 10 && slope > 5.0 * error && matters {
        Law::Holding { saturates_at: None }
    } else {
        Law::Utilisation
    }
}
