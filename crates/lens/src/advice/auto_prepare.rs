//! Preparing once what clients send again and again without a name: when the database's cores are at work and much of what
//! they do is to read and plan texts that they have planned before.

use super::databases::{self, Finding};
use super::{Advice, Done, Evidence, Gain, Lines, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct AutoPrepare;

/// Share of the queries that are planned again, from which it is worth a look.
const REPEATED: f64 = 0.1;
/// Share of the cores at work, from which sparing them is worth it: below they have the time.
const BUSY: f64 = 0.5;

const PRICE: Price = Price {
    complexity: "after five runs the server may use one plan for all values (plan_cache_mode = force_custom_plan forbids it)",
    staleness: "a migration past the pooler counts within a minute; a transaction that is open across it may fail once",
    money: "none: some memory of the server for each statement and connection",
    operations: "queries show as deepwater_<number> where they had no name; watch deepwater_postgres_healed_statements_total",
};

impl Rule for AutoPrepare {
    fn technique(&self) -> &'static str {
        "auto_prepare"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        databases::each(picture, |database| look(picture, database))
    }
}

fn look(picture: &Picture<'_>, database: &Database) -> Finding {
    let name = &database.name;
    if database.auto_prepare {
        return Ok(Err(format!("what comes again in {name} is prepared once already")));
    }
    if database.mode == "session" {
        return Ok(Err(format!("in session mode statements of {name} are its clients'")));
    }
    let sum = |signal| databases::sum(picture, signal, name).unwrap_or(0.0);
    let (repeated, queries) = (sum(&signal::REPEATED_PARSES), sum(&signal::QUERIES));
    if repeated <= REPEATED * queries {
        return Ok(Err(format!(
            "of {queries:.0} queries a second in {name}, {repeated:.0} repeat a text without a name"
        )));
    }
    let (on_cpu, cores) = databases::cores(picture, database)?;
    if on_cpu < BUSY * cores {
        return Ok(Err(format!(
            "{repeated:.0} queries a second in {name} are planned anew, and {on_cpu:.1} of {cores:.0} cores are wanted"
        )));
    }
    let parses = sum(&signal::SERVER_PARSES);
    let evidence = [
        Some(Evidence::of(&signal::REPEATED_PARSES, name, repeated, |n| {
            format!("{n:.0} statements a second repeat a text without a name")
        })),
        Some(Evidence::of(&signal::QUERIES, name, queries, |n| format!("{n:.0} queries a second"))),
        evidence(picture, &signal::DB_CPU_WAIT, name, |n| {
            format!("{n:.1} sessions want one of {cores:.0} cores")
        }),
    ];
    Ok(Ok(Advice {
        id: format!("auto_prepare:{name}"),
        technique: "auto_prepare",
        title: format!("prepare once what `{name}` is sent again and again"),
        why: format!(
            "{on_cpu:.1} of {cores:.0} cores are wanted, and {:.0} % of the queries have the server plan a text anew that it \
             has planned before",
            (repeated / queries).min(1.0) * 100.0
        ),
        cliff: None,
        gain: Gain {
            text: format!(
                "{:.0} statements a second to read and plan in place of {parses:.0}; the shortest queries take half of the \
                 server's time then, long ones hardly less",
                (parses - repeated).max(0.0)
            ),
            from: Some(parses),
            to: Some((parses - repeated).max(0.0)),
            unit: "statements planned per second".into(),
            measured: Measured::Sum(
                &signal::SERVER_PARSES,
                databases::labels(picture, &signal::SERVER_PARSES, name),
                1.0,
            ),
        },
        price: PRICE,
        lines: Some(Lines::AutoPrepare { database: name.clone() }.to_string()),
        elsewhere: Some("or have the driver prepare them by name, if it can".into()),
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::AutoPrepares { database: name.clone() },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(on_cpu: f64, repeated: f64) -> Scene {
        let mut scene = Scene::new();
        scene.database("shop").cores = Some(4);
        scene.all(&signal::DB_CPU_WAIT, "shop", on_cpu);
        scene.all(&signal::QUERIES, "shop/app", 1_000.0);
        scene.all(&signal::SERVER_PARSES, "shop/app", 850.0);
        scene.all(&signal::REPEATED_PARSES, "shop/app", repeated);
        scene
    }

    #[test]
    fn a_busy_server_that_plans_the_same_again_is_spared_it() {
        let advice = scene(3.0, 800.0).advised(&AutoPrepare);
        assert!(advice[0].why.contains("80 %"), "{}", advice[0].why);
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(850.0), Some(50.0)));
        assert!(advice[0].lines.as_ref().unwrap().contains("auto_prepare = true"));
    }

    #[test]
    fn without_repetition_or_want_there_is_no_need() {
        assert!(scene(3.0, 50.0).no_need(&AutoPrepare).contains("50 repeat"));
        assert!(scene(1.0, 800.0).no_need(&AutoPrepare).contains("1.0 of 4 cores"));
        let mut done = scene(3.0, 800.0);
        done.facts.databases[0].auto_prepare = true;
        assert!(done.no_need(&AutoPrepare).contains("already"));
        let mut session = scene(3.0, 800.0);
        session.facts.databases[0].mode = "session".into();
        assert!(session.no_need(&AutoPrepare).contains("session mode"));
    }

    #[test]
    fn without_cores_or_rights_it_cannot_be_told() {
        let mut scene = scene(3.0, 800.0);
        scene.each(&signal::DB_CPU_WAIT, "shop", []);
        assert!(scene.cannot_tell(&AutoPrepare).contains("pg_monitor"));
        scene.facts.databases[0].cores = None;
        assert!(scene.cannot_tell(&AutoPrepare).contains("server_cores"));
    }
}
