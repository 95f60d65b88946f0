//! Replicas for reads: when the database's cores are at work and most of what they do is reading. Deepwater does not send
//! reads to replicas yet, so the advice says how to do it without.

use super::databases::{self, Finding};
use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Replicas;

/// Share of the cores at work, from which reading elsewhere is worth it.
const BUSY: f64 = 0.6;
/// Rows written for each query, above which writes may be what they do.
const WRITES: f64 = 0.2;

const PRICE: Price = Price {
    complexity: "each read must be one that may see the past, or the writer must read from the primary for a while",
    staleness: "as far as replicas are behind: milliseconds mostly, seconds under heavy writes",
    money: "another database server, of the same size",
    operations: "replication to watch, failover to practise",
};

impl Rule for Replicas {
    fn technique(&self) -> &'static str {
        "read_replicas"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        databases::each(picture, |database| look(picture, database))
    }
}

fn look(picture: &Picture<'_>, database: &Database) -> Finding {
    let name = &database.name;
    let (on_cpu, cores) = databases::cores(picture, database)?;
    if on_cpu < BUSY * cores {
        return Ok(Err(format!("{on_cpu:.1} of the {cores:.0} cores of the server of {name} are wanted")));
    }
    let sum = |signal| databases::sum(picture, signal, name);
    let queries = sum(&signal::QUERIES)
        .filter(|rate| *rate > 0.0)
        .ok_or_else(|| format!("what {name} is asked is not known: its queries go past the pool"))?;
    let writes = sum(&signal::LOCK_RATE)
        .ok_or_else(|| format!("what {name} writes is not known: it shows after twenty seconds"))?;
    if writes > WRITES * queries {
        return Ok(Err(format!(
            "{writes:.0} rows are written for {queries:.0} queries a second in {name}: replicas do not take writes off it"
        )));
    }
    // A statement writes a row or more, or none: at most so many statements write, if each wrote one.
    let reads = (1.0 - writes / queries) * 100.0;
    let evidence = [
        evidence(picture, &signal::DB_CPU_WAIT, name, |n| {
            format!("{n:.1} sessions want one of {cores:.0} cores")
        }),
        Some(crate::cliffs::Evidence {
            signal: signal::QUERIES.name,
            label: name.clone(),
            value: queries,
            unit: signal::QUERIES.unit,
            text: format!("{queries:.0} queries a second, which write {writes:.0} rows"),
        }),
    ];
    Ok(Ok(Advice {
        id: format!("read_replicas:{name}"),
        technique: "read_replicas",
        title: format!("read `{name}` from replicas, after indexes and the cache"),
        why: format!("{on_cpu:.1} of {cores:.0} cores are wanted, and about {reads:.0} % of the queries read"),
        cliff: None,
        gain: Gain {
            text: "what reads take of the cores moves elsewhere; how much that is, pg_stat_statements tells: there is no figure \
                   without it"
                .into(),
            from: Some(on_cpu),
            to: None,
            unit: "sessions that want a core".into(),
            measured: Measured::Signal(&signal::DB_CPU_WAIT, name.clone()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(format!(
            "first see whether an index does it: SELECT calls, total_exec_time, query FROM pg_stat_statements ORDER BY 2 DESC \
             LIMIT 10. Then, with a streaming replica, give Deepwater a second database for it ([postgres.databases.\
             {name}_read] with the replica as `primary`) and have the application read there what may be old: this version \
             does not choose between primary and replica itself"
        )),
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::NotSeen,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(on_cpu: f64, writes: f64) -> Scene {
        let mut scene = Scene::new();
        scene.database("shop").cores = Some(4);
        scene.all(&signal::DB_CPU_WAIT, "shop", on_cpu);
        scene.all(&signal::QUERIES, "shop/app", 1_000.0);
        scene.all(&signal::LOCK_RATE, "shop/public.orders", writes);
        scene
    }

    #[test]
    fn a_server_busy_with_reads_is_worth_a_replica_and_has_no_figure() {
        let advice = scene(3.0, 50.0).advised(&Replicas);
        assert!(advice[0].why.contains("95 %"), "{}", advice[0].why);
        assert_eq!((advice[0].gain.to, advice[0].lines.as_ref()), (None, None));
    }

    #[test]
    fn an_idle_server_or_one_that_writes_is_not() {
        assert!(scene(1.0, 50.0).no_need(&Replicas).contains("1.0 of the 4 cores"));
        assert!(scene(3.0, 800.0).no_need(&Replicas).contains("do not take writes"));
    }

    #[test]
    fn without_cores_queries_or_rights_it_cannot_be_told() {
        let mut scene = scene(3.0, 50.0);
        scene.each(&signal::QUERIES, "shop/app", []);
        assert!(scene.cannot_tell(&Replicas).contains("go past the pool"));
        scene.each(&signal::DB_CPU_WAIT, "shop", []);
        assert!(scene.cannot_tell(&Replicas).contains("pg_monitor"));
        scene.facts.databases[0].cores = None;
        assert!(scene.cannot_tell(&Replicas).contains("server_cores"));
    }
}
