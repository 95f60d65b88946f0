//! The size of a connection pool, by Little's law: connections in use are L = λ·W, so for twice the load there must be twice as
//! many, and √L more for the moments in which more come at once. It helps only while the database has room: a
//! server whose cores are busy serves more connections no faster.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, unsure, worrying};
use crate::cliffs::{self, Cliff, Cliffs, Kind};
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct PoolSize;

/// Loads that the pool is made for: so many times that of now.
const AHEAD: f64 = 2.0;
/// The 95th percentile of the normal distribution, in standard deviations.
const P95: f64 = 1.645;
/// Share of the server's connections that all pools should leave to others.
pub(super) const LEAVE: f64 = 0.2;
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
        let (mut found, mut missing) = (Vec::new(), unsure(cliffs, Kind::ConnectionPool));
        for cliff in worrying(cliffs, Kind::ConnectionPool) {
            match advise(picture, cliff) {
                Ok(advice) => found.push(advice),
                Err(why) => missing.push(why),
            }
        }
        Verdict::of(found, &missing, || "no pool is near its size".into())
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff) -> Result<Advice, String> {
    let pool = &cliff.resource;
    let name = pool.split('/').next().unwrap_or(pool);
    let unknown = |what: &str| format!("{what} of {pool} is not known");
    let database = picture.facts.databases.iter().find(|database| database.name == name);
    let database = database.ok_or_else(|| unknown("the configuration"))?;
    let size = cliff.limit.ok_or_else(|| unknown("the size"))?;
    if let Some(longer) = cliffs::kept_longer(picture, pool) {
        // What presses says so itself.
        let longer = if cliff.text.contains(&longer) { String::new() } else { format!("; {longer}") };
        return Err(format!(
            "{}{longer}: look first what has become slow (pg_stat_activity tells what sessions wait for), more connections would \
             press it harder",
            cliff.text
        ));
    }
    // What happens now was perhaps not yet a minute ago.
    let of = |signal| match cliff.state {
        "pressing" => picture.now(signal, pool),
        _ => picture.minute(signal, pool),
    };
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
    let bound = bound(picture, database, pool);
    to = bound.map_or(to, |bound| to.min(bound));
    if to <= size {
        return Err(match bound {
            Some(bound) if bound <= size => format!(
                "the server of {name} allows no more connections, those of other pools and application servers counted"
            ),
            _ => format!("{pool} is large enough: what waits waits for something else"),
        });
    }
    let (from, then) = match cliff.at {
        Some(at) => (Some(at.load), Some(at.load * to / size)),
        None => (None, None),
    };
    let text = match from.zip(then) {
        Some((from, then)) => format!("the pool is exhausted at {then:.0} instead of {from:.0} a second"),
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
            to: then,
            unit: "per second".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: PRICE,
        lines: Some(Lines::PoolSize { database: name.to_owned(), size: to as usize }.to_string()),
        elsewhere: None,
        evidence: cliff.evidence.clone(),
        done: Done::PoolSize { database: name.to_owned(), least: to as usize },
    })
}

/// Connections that this pool may have: what the server allows, less what is left to others and what the other pools of the
/// same server may take, shared among the application servers. None when it is not known.
fn bound(picture: &Picture<'_>, database: &Database, pool: &str) -> Option<f64> {
    let most = picture.store.latest(&signal::DB_CONNECTION_LIMIT, &database.name)?;
    let others: f64 = pools_of(picture, &database.server)
        .into_iter()
        .filter(|(label, _)| label != pool)
        .map(|(_, size)| size)
        .sum();
    Some((most * (1.0 - LEAVE) / database.application_servers.max(1) as f64 - others).floor())
}

/// Pools whose databases are on a server, and their sizes.
pub(super) fn pools_of(picture: &Picture<'_>, server: &str) -> Vec<(String, f64)> {
    let here = |pool: &str| {
        let name = pool.split('/').next().unwrap_or(pool);
        picture.facts.databases.iter().any(|database| database.name == name && database.server == server)
    };
    let labels = picture.store.labels(&signal::POOL_SIZE);
    let pools = labels.iter().filter(|label| here(label));
    pools
        .filter_map(|label| Some((label.to_string(), picture.store.latest(&signal::POOL_SIZE, label)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.database("shop").cores = Some(4);
        scene.cliff(Kind::ConnectionPool, "shop/app", Level::Near, Some(400.0)).limit = Some(20.0);
        scene.all(&signal::POOL_SIZE, "shop/app", 20.0);
        scene.all(&signal::POOL_BUSY, "shop/app", 16.0);
        scene.all(&signal::POOL_WAITING, "shop/app", 0.0);
        scene.all(&signal::DB_CPU_WAIT, "shop", 1.0);
        scene.all(&signal::DB_CONNECTION_LIMIT, "shop", 100.0);
        scene
    }

    #[test]
    fn twice_the_load_and_its_peaks_fit() {
        let advice = scene().advised(&PoolSize);
        // 32 on average, 1.645·√32 more at peaks.
        assert_eq!(advice[0].done, Done::PoolSize { database: "shop".into(), least: 42 });
        assert_eq!(advice[0].gain.to, Some(840.0));
        assert!(advice[0].lines.as_ref().unwrap().contains("pool_size = 42"));
    }

    #[test]
    fn what_other_pools_and_application_servers_take_is_not_given_away() {
        let mut scene = scene();
        scene.facts.databases[0].application_servers = 2;
        scene.all(&signal::POOL_SIZE, "shop/reports", 10.0);
        // 80 of 100, by two, less 10.
        assert_eq!(scene.advised(&PoolSize)[0].done, Done::PoolSize { database: "shop".into(), least: 30 });
        scene.facts.databases[0].application_servers = 4;
        assert!(scene.cannot_tell(&PoolSize).contains("allows no more"));
    }

    /// More of them would wait for the same.
    #[test]
    fn connections_that_are_kept_for_longer_than_they_were_are_no_reason_for_more() {
        let mut scene = scene();
        let rates = (0..300).map(|second| if second < 200 { 400.0 } else { 100.0 });
        scene.each(&signal::POOL_RATE, "shop/app", rates);
        scene.each(
            &signal::POOL_BUSY,
            "shop/app",
            (0..300).map(|second| if second < 200 { 2.0 } else { 20.0 }),
        );
        let why = scene.cannot_tell(&PoolSize);
        assert!(why.contains("kept for 200 ms, and was for 5 ms a while ago"), "{why}");
    }

    /// What to do is not another thing every few seconds while the last minute catches up.
    #[test]
    fn what_presses_is_advised_about_by_what_is_now() {
        let mut scene = scene();
        scene.cliff(Kind::ConnectionPool, "shop/app", Level::Over, None).limit = Some(20.0);
        scene.cliffs.cliffs.remove(0);
        scene.each(
            &signal::POOL_BUSY,
            "shop/app",
            (0..300).map(|second| if second < 285 { 2.0 } else { 20.0 }),
        );
        scene.each(
            &signal::POOL_WAITING,
            "shop/app",
            (0..300).map(|second| if second < 285 { 0.0 } else { 30.0 }),
        );
        // 80 of 100 that the server allows; twice the 40 that want one now, and their peaks, would be more.
        assert_eq!(scene.advised(&PoolSize)[0].done, Done::PoolSize { database: "shop".into(), least: 80 });
    }

    #[test]
    fn a_busy_server_is_not_helped_by_more_connections() {
        let mut scene = scene();
        scene.all(&signal::DB_CPU_WAIT, "shop", 3.9);
        assert!(scene.cannot_tell(&PoolSize).contains("4 cores"));
        scene.cliffs.cliffs.clear();
        assert!(scene.no_need(&PoolSize).contains("no pool is near"));
    }
}
