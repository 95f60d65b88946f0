//! The size of a connection pool, by Little's law: connections in use are L = λ·W, so for twice the load there must be twice as
//! many, and √L more for the moments in which more come at once. It helps only while the database has room: a
//! server whose cores are busy serves more connections no faster.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct PoolSize;

/// Loads that the pool is made for: so many times that of now.
const AHEAD: f64 = 2.0;
/// The 95th percentile of the normal distribution, in standard deviations.
const P95: f64 = 1.645;
/// Share of the server's connections that one pool should leave to others.
const LEAVE: f64 = 0.2;
/// Sessions that want a core, for each core: above, more connections only wait elsewhere.
const BUSY: f64 = 0.8;

const PRICE: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "memory of the database's server: some 5 to 10 MiB for each connection",
    operations: "the sum of all pools has to stay below max_connections",
};

impl Rule for PoolSize {
    fn technique(&self) -> &'static str {
        "pool_size"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let mut pools = worrying(cliffs, Kind::ConnectionPool).peekable();
        if pools.peek().is_none() {
            return Verdict::NoNeed("no pool is near its size".into());
        }
        let mut advice = Vec::new();
        let mut missing = Vec::new();
        for cliff in pools {
            match advise(picture, cliff) {
                Ok(found) => advice.push(found),
                Err(why) => missing.push(why),
            }
        }
        if advice.is_empty() { Verdict::CannotTell(missing.join("; ")) } else { Verdict::Advise(advice) }
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff) -> Result<Advice, String> {
    let pool = &cliff.resource;
    let name = pool.split('/').next().unwrap_or(pool);
    let unknown = |what: &str| format!("{what} of {pool} is not known");
    let database = picture.facts.databases.iter().find(|database| database.name == name);
    let database = database.ok_or_else(|| unknown("the configuration"))?;
    let size = cliff.limit.ok_or_else(|| unknown("the size"))?;
    let of = |signal| picture.minute(signal, pool);
    let (busy, waiting) =
        (of(&signal::POOL_BUSY).ok_or_else(|| unknown("the use"))?, of(&signal::POOL_WAITING));
    // Who waits wants a connection, too, and would keep it as long as others do.
    let wanted = busy + waiting.unwrap_or(0.0).min(busy);
    if let (Some(cores), Some(on_cpu)) = (database.cores, picture.minute(&signal::DB_CPU_WAIT, name))
        && on_cpu >= BUSY * cores as f64
    {
        return Err(format!(
            "{on_cpu:.1} sessions want one of the {cores} cores of the server of {name}: more connections would wait there instead"
        ));
    }
    let ahead = AHEAD * wanted;
    let mut to = (ahead + P95 * ahead.sqrt()).ceil();
    let most = picture.store.latest(&signal::DB_CONNECTION_LIMIT, name);
    let bound = most.map(|most| (most * (1.0 - LEAVE)).floor());
    to = bound.map_or(to, |bound| to.min(bound));
    if to <= size {
        return Err(match bound {
            Some(bound) if bound <= size => format!("the server of {name} allows no more connections"),
            _ => format!("{pool} is large enough: what waits waits for something else"),
        });
    }
    let (from, load) = match cliff.at {
        Some(at) => (at.load, at.load * to / size),
        None => (0.0, 0.0),
    };
    let text = match cliff.at {
        Some(_) => format!("the pool is exhausted at {load:.0} instead of {from:.0} a second"),
        None => format!("{to:.0} instead of {size:.0} clients are served at once"),
    };
    Ok(Advice {
        id: format!("pool_size:{pool}"),
        technique: "pool_size",
        title: format!("{to:.0} connections for `{name}`"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text,
            from,
            to: load,
            unit: "per second".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: PRICE,
        lines: Some(format!("[postgres.databases.{name}]\npool_size = {to:.0}\n")),
        elsewhere: None,
        evidence: cliff.evidence.clone(),
        done: Done::PoolSize { database: name.to_owned(), least: to as usize },
    })
}
