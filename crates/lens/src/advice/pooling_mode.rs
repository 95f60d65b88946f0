//! When a server connection may serve the next client. In session mode it is held for as long as a client is connected, most
//! of that time for nothing; between transactions it could serve others.

use super::databases;
use super::{Advice, Done, Evidence, Gain, Lines, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct PoolingMode;

/// Clients waiting on average, from which connections are short.
const WAITING: f64 = 0.1;
/// Connections held, from which those that idle are many.
const MANY: f64 = 20.0;
/// Share of them at work or in a transaction, below which most are held for nothing.
const AT_WORK: f64 = 0.5;
/// The 95th percentile of the normal distribution, in standard deviations.
const P95: f64 = 1.645;

const PRICE: Price = Price {
    complexity: "sessions end with each transaction: LISTEN, session advisory locks and temporary tables pin a client to its \
                 connection while they last",
    staleness: "none",
    money: "none: fewer connections, less memory of the server",
    operations: "watch deepwater_postgres_pins_total: what pins gains nothing",
};

impl Rule for PoolingMode {
    fn technique(&self) -> &'static str {
        "pooling_mode"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let held: Vec<&Database> =
            picture.facts.databases.iter().filter(|database| database.mode == "session").collect();
        if held.is_empty() {
            let why = if picture.facts.databases.is_empty() {
                "no database goes through Deepwater"
            } else {
                "server connections are shared between transactions already"
            };
            return Verdict::NoNeed(why.into());
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for database in held {
            match look(picture, database) {
                Ok(advice) => found.extend(advice),
                Err(why) => missing.push(why),
            }
        }
        Verdict::of(found, &missing, || "nobody waits, and few connections idle".into())
    }
}

fn look(picture: &Picture<'_>, database: &Database) -> Result<Option<Advice>, String> {
    let name = &database.name;
    let sum = |signal| databases::sum(picture, signal, name);
    let waiting = sum(&signal::POOL_WAITING).unwrap_or(0.0);
    let size = sum(&signal::POOL_SIZE).unwrap_or(0.0);
    let Some(held) = sum(&signal::POOL_BUSY).map(|held| held.min(size)) else { return Ok(None) };
    if waiting < WAITING && held < MANY {
        return Ok(None);
    }
    // Of the whole server: others may have sessions there, too.
    let of = |signal| databases::of_sessions(picture, signal, name);
    let others = (of(&signal::DB_CONNECTIONS)? - held).max(0.0);
    let at_work = of(&signal::DB_ACTIVE)? + of(&signal::DB_IN_TRANSACTION)?;
    if at_work - others > AT_WORK * held {
        return Ok(None);
    }
    if at_work > AT_WORK * held {
        return Err(format!(
            "the {held:.0} connections of {name} are held by its clients, and whether those at work on its server are among them \
             cannot be told: it has {others:.0} others"
        ));
    }
    let peak = (at_work + P95 * at_work.sqrt()).ceil().max(1.0);
    let evidence = [
        Some(Evidence {
            signal: signal::POOL_BUSY.name,
            label: name.clone(),
            value: held,
            unit: signal::POOL_BUSY.unit,
            text: format!("{held:.0} connections are held by clients"),
        }),
        evidence(picture, &signal::DB_ACTIVE, name, |active| {
            format!("{active:.1} sessions of the server run a statement")
        }),
        evidence(picture, &signal::DB_IN_TRANSACTION, name, |idle| {
            format!("{idle:.1} idle in a transaction")
        }),
    ];
    Ok(Some(Advice {
        id: format!("pooling_mode:{name}"),
        technique: "pooling_mode",
        title: format!("share the connections of `{name}` between transactions"),
        why: format!("{:.0} % of them are held by clients that do nothing", (1.0 - at_work / held) * 100.0),
        cliff: None,
        gain: Gain {
            text: format!(
                "{at_work:.0} in place of {held:.0} connections are held on average, {:.0} at peaks",
                peak.min(size)
            ),
            from: Some(held),
            to: Some(at_work),
            unit: "connections held".into(),
            // Those that idle in the pool then are held by nobody.
            measured: Measured::Sum(
                &signal::POOL_BUSY,
                databases::labels(picture, &signal::POOL_BUSY, name),
                1.0,
            ),
        },
        price: PRICE,
        lines: Some(Lines::Transactions { database: name.clone() }.to_string()),
        elsewhere: None,
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::Shared { database: name.clone() },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.database("shop").mode = "session".into();
        scene.all(&signal::POOL_SIZE, "shop/app", 100.0);
        scene.all(&signal::POOL_BUSY, "shop/app", 80.0);
        scene.all(&signal::POOL_WAITING, "shop/app", 0.0);
        scene.all(&signal::DB_CONNECTIONS, "shop", 80.0);
        scene.all(&signal::DB_ACTIVE, "shop", 3.0);
        scene.all(&signal::DB_IN_TRANSACTION, "shop", 1.0);
        scene
    }

    #[test]
    fn idle_sessions_are_shared() {
        let advice = scene().advised(&PoolingMode);
        // 4 on average, 1.645·2 more at peaks.
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(80.0), Some(4.0)));
        assert!(advice[0].gain.text.ends_with("8 at peaks"), "{}", advice[0].gain.text);
        assert!(advice[0].lines.as_ref().unwrap().contains("mode = \"transaction\""));
    }

    #[test]
    fn sessions_that_work_or_are_few_are_left_alone() {
        let mut busy = scene();
        busy.all(&signal::DB_ACTIVE, "shop", 60.0);
        assert!(busy.no_need(&PoolingMode).contains("nobody waits"));
        let mut few = scene();
        few.all(&signal::POOL_BUSY, "shop/app", 10.0);
        assert!(few.no_need(&PoolingMode).contains("nobody waits"));
        let mut shared = scene();
        shared.facts.databases[0].mode = "transaction".into();
        assert!(shared.no_need(&PoolingMode).contains("already"));
    }

    #[test]
    fn sessions_of_others_are_not_those_of_the_pool() {
        let mut small = scene();
        small.all(&signal::POOL_SIZE, "shop/app", 5.0);
        small.all(&signal::POOL_BUSY, "shop/app", 5.0);
        small.all(&signal::POOL_WAITING, "shop/app", 1.0);
        small.all(&signal::DB_ACTIVE, "shop", 1.0);
        let advice = small.advised(&PoolingMode);
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(5.0), Some(2.0)));
        assert!(advice[0].gain.text.starts_with("2 in place of 5"), "{}", advice[0].gain.text);
        // Sixty are at work: those of the pool, or the 75 others?
        small.all(&signal::DB_ACTIVE, "shop", 60.0);
        assert!(small.cannot_tell(&PoolingMode).contains("75 others"));
    }

    #[test]
    fn a_server_that_hides_its_sessions_cannot_be_judged() {
        let mut hidden = scene();
        hidden.each(&signal::DB_ACTIVE, "shop", []);
        assert!(hidden.cannot_tell(&PoolingMode).contains("pg_monitor"));
    }
}
