//! Server connections of the pooler: exhausted when as many are held as there may be.

mod kept;

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound, Queue};
use super::line::Line;
use super::{Detector, Finding, Kind, Outlook, evidence};
use crate::picture::{self, Load, MINUTE, Picture};
use crate::signal;

use kept::Kept;

pub(super) struct Pool;

/// Moments that must agree that all are held while somebody waits: one alone is chance.
const MOMENTS: usize = 5;
/// Share of the connections that are in use on average when all are, but while they change hands.
const FULL: f64 = 0.9;

impl Detector for Pool {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, found: &[Finding]) -> Vec<Finding> {
        let pools = picture.store.labels(&signal::POOL_SIZE);
        pools.iter().filter_map(|pool| find(picture, load, pool, found)).collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>, pool: &str, found: &[Finding]) -> Option<Finding> {
    let size = picture.store.latest(&signal::POOL_SIZE, pool).filter(|size| *size >= 1.0)?;
    let database = pool.split('/').next().unwrap_or(pool);
    let kept = Kept::of(picture, pool);
    let used = kept.alike(picture.windows(&signal::POOL_BUSY, pool));
    let holds = kept.alike(picture.windows(&signal::POOL_HOLD, pool));
    let queue = picture::mean_of_last(&holds, MINUTE).map(|service| Queue {
        servers: size as u32,
        service: Some(service),
        variation: picture.minute(&signal::POOL_HOLD_VARIATION, pool),
    });
    let law = law(load, &holds, saturation(found, database));
    let bound = Bound {
        used: &used,
        capacity: size,
        law,
        idle_without_load: true,
        least_used: bound::LEAST_USED,
        together: 1,
        queue,
    };
    let outlook = bound::outlook(picture, load, &bound);
    let wait = picture.now(&signal::POOL_WAIT_P95, pool);
    let refused = picture.now(&signal::POOL_REFUSED, pool).filter(|rate| *rate > 0.0);
    let pressing = match (refused, wait) {
        (Some(rate), _) => Some(format!("{rate:.1} queries a second are refused for want of a connection")),
        (None, Some(wait)) if wait > picture.target => {
            Some(format!("one client in twenty waits for {:.0} ms or longer", wait * 1e3))
        }
        _ => waiting(picture, pool, size),
    };
    let pressing = pressing.map(|what| match kept.longer() {
        Some(longer) => format!("{what}; {longer}"),
        None => what,
    });
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

/// That connections of a pool are kept for far longer than they were, as a clause.
pub(crate) fn kept_longer(picture: &Picture<'_>, pool: &str) -> Option<String> {
    Kept::of(picture, pool).longer()
}

/// Those who wait at the moment: a wait that has not ended is in no figure of waits. All connections are in use then.
fn waiting(picture: &Picture<'_>, pool: &str, size: f64) -> Option<String> {
    let now = |signal| picture.store.mean(signal, pool, MOMENTS);
    let longest = now(&signal::POOL_LONGEST_WAIT).filter(|wait| *wait > picture.target)?;
    let full = now(&signal::POOL_ACTIVE).is_some_and(|active| active >= FULL * size);
    let newest = |signal, mean| picture.store.latest(signal, pool).unwrap_or(mean);
    let waiting = newest(&signal::POOL_QUEUE, 0.0);
    (full && waiting >= 1.0).then(|| {
        let longest = newest(&signal::POOL_LONGEST_WAIT, longest);
        let who =
            if waiting < 2.0 { "one client waits".to_owned() } else { format!("{waiting:.0} clients wait") };
        format!("all {size:.0} connections are held, and {who} for one, {longest:.1} s at the longest")
    })
}

/// The load at which something fills up that is waited for while a connection is held: the cores, or a lock of the database.
fn saturation(found: &[Finding], database: &str) -> Option<f64> {
    let own = |finding: &&Finding| match finding.kind {
        Kind::Cpu => true,
        Kind::Locks => finding.resource.split('/').next() == Some(database),
        _ => false,
    };
    let at = found.iter().filter(own).filter_map(|finding| match &finding.outlook {
        Outlook::AtLoad(range) => Some(range.value),
        _ => None,
    });
    at.reduce(f64::min)
}

/// How much longer a connection is kept at the highest load than at the lowest, as a share, for that to matter: when it is
/// known what fills up behind it, and when it is not.
const LONGER_TOLD: f64 = 0.1;
const LONGER: f64 = 0.5;

/// Whether connections are kept for longer when there is more load: something behind them fills up then. The slope must be
/// told from none (five standard errors), and matter.
fn law(load: Option<&Load>, holds: &[f64], saturates_at: Option<f64>) -> Law {
    let least = if saturates_at.is_some() { LONGER_TOLD } else { LONGER };
    let longer = load.and_then(|load| Line::through(load, holds)).is_some_and(|line| {
        let [lowest, _, highest] = line.loads;
        let matters = line.slope * (highest - lowest) >= least * (line.base + line.slope * lowest);
        line.slope > 5.0 * line.error && matters
    });
    if longer { Law::Holding { saturates_at } } else { Law::Utilisation }
}
