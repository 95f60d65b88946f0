//! A pool for connections that go past it: each one is a process of the server, made and forgotten at the pace of the clients.

use super::databases::each_server;
use super::pool_size::pools_of;
use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, connections, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Pooling;

/// Connections that go past the pool, from which they are more than a few people's.
const MANY: f64 = 20.0;
/// The same as a share of what the server allows.
const SHARE: f64 = 0.3;

const PRICE: Price = Price {
    complexity: "the applications connect to another address",
    staleness: "none",
    money: "none",
    operations: "one pool to size where each application had its own",
};

impl Rule for Pooling {
    fn technique(&self) -> &'static str {
        "pooling"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let databases = &picture.facts.databases;
        if databases.is_empty() {
            return Verdict::CannotTell(
                "no database goes through Deepwater, so nothing is known of its connections: `deepwater run --postgres \
                 postgres://user@host/db` stands in front of one"
                    .into(),
            );
        }
        each_server(
            databases,
            |database| look(picture, cliffs, database),
            "few connections of the servers go past the pools",
        )
    }
}

fn look(picture: &Picture<'_>, cliffs: &Cliffs, database: &Database) -> Result<Option<Advice>, String> {
    let name = &database.name;
    let unknown = || format!("how many connections the server of {name} has is not known");
    let open = picture.minute(&signal::DB_CONNECTIONS, name).ok_or_else(unknown)?;
    let most = picture.store.latest(&signal::DB_CONNECTION_LIMIT, name).ok_or_else(unknown)?;
    // What our pools may have at most is the most that can be ours.
    let ours: f64 = pools_of(picture, &database.server).iter().map(|(_, size)| size).sum::<f64>()
        * database.application_servers.max(1) as f64;
    let past = open - ours;
    if past < MANY || past < SHARE * most {
        return Ok(None);
    }
    Ok(Some(Advice {
        id: format!("pooling:{}", database.server),
        technique: "pooling",
        title: format!("let all clients of {} through the pool", database.server),
        why: format!(
            "at least {past:.0} of its {open:.0} connections go past the pools, and it allows {most:.0}"
        ),
        cliff: connections(cliffs, name),
        gain: Gain {
            text: "their connections are shared; how many it takes then shows once they are seen".into(),
            from: Some(open),
            to: None,
            unit: "connections".into(),
            measured: Measured::Signal(&signal::DB_CONNECTIONS, name.clone()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(format!(
            "who they are: SELECT usename, application_name, client_addr, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 \
             ORDER BY 4 DESC; then give those the address of `[postgres] listen` in place of {}",
            database.server
        )),
        evidence: evidence(picture, &signal::DB_CONNECTIONS, name, |open| {
            format!("{open:.0} of {most:.0} connections are open, {ours:.0} of which can be the pools'")
        })
        .into_iter()
        .collect(),
        done: Done::NotSeen,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(open: f64) -> Scene {
        let mut scene = Scene::new();
        scene.database("shop");
        scene.all(&signal::POOL_SIZE, "shop/app", 20.0);
        scene.all(&signal::DB_CONNECTIONS, "shop", open);
        scene.all(&signal::DB_CONNECTION_LIMIT, "shop", 97.0);
        scene
    }

    #[test]
    fn many_that_go_past_the_pool_are_worth_a_word() {
        let advice = scene(80.0).advised(&Pooling);
        assert!(advice[0].why.contains("at least 60 of its 80"), "{}", advice[0].why);
        assert_eq!((advice[0].gain.to, advice[0].lines.as_ref()), (None, None));
    }

    #[test]
    fn a_few_are_not_and_what_is_not_seen_cannot_be_told() {
        assert!(scene(30.0).no_need(&Pooling).contains("few"));
        assert!(Scene::new().cannot_tell(&Pooling).contains("--postgres"));
        let mut unknown = scene(80.0);
        unknown.each(&signal::DB_CONNECTIONS, "shop", []);
        assert!(unknown.cannot_tell(&Pooling).contains("not known"));
    }
}
