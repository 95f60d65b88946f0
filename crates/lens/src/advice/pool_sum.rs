//! All pools of a server together: when they may ask for more connections than it allows, the last to ask is refused, and that
//! only on the day all of them are busy.

use super::databases::each_server;
use super::pool_size::{LEAVE, pools_of};
use super::{Advice, Done, Evidence, Gain, Lines, Measured, Price, Rule, Verdict, connections};
use crate::cliffs::Cliffs;
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal;

pub(super) struct PoolSum;

const PRICE: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "none",
    operations: "clients wait in the pool's queue where they would have been refused by the server",
};

impl Rule for PoolSum {
    fn technique(&self) -> &'static str {
        "pool_sum"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let databases = &picture.facts.databases;
        if databases.is_empty() {
            return Verdict::NoNeed("no database goes through Deepwater".into());
        }
        each_server(
            databases,
            |database| look(picture, cliffs, database),
            "all pools together ask for fewer connections than the servers allow",
        )
    }
}

fn look(picture: &Picture<'_>, cliffs: &Cliffs, database: &Database) -> Result<Option<Advice>, String> {
    let server = &database.server;
    let most = picture
        .store
        .latest(&signal::DB_CONNECTION_LIMIT, &database.name)
        .ok_or_else(|| format!("how many connections the server of {} allows is not known", database.name))?;
    let here: Vec<&Database> =
        picture.facts.databases.iter().filter(|other| other.server == *server).collect();
    let pools = pools_of(picture, server);
    let of = |database: &Database| -> f64 {
        let prefix = format!("{}/", database.name);
        let sum: f64 =
            pools.iter().filter(|(label, _)| label.starts_with(&prefix)).map(|(_, size)| size).sum();
        let sum = database.most_connections.map_or(sum, |most| sum.min(most as f64));
        sum * database.application_servers.max(1) as f64
    };
    let sum: f64 = here.iter().map(|database| of(database)).sum();
    if sum <= most {
        return Ok(None);
    }
    let shrink = most * (1.0 - LEAVE) / sum;
    let sizes: Vec<(&str, usize)> = here
        .iter()
        .filter(|database| of(database) > 0.0)
        .map(|database| (&*database.name, ((database.pool_size as f64 * shrink).floor() as usize).max(1)))
        .collect();
    let lines: Vec<String> = sizes
        .iter()
        .map(|(name, size)| Lines::PoolSize { database: (*name).to_owned(), size: *size }.to_string())
        .collect();
    Ok(Some(Advice {
        id: format!("pool_sum:{server}"),
        technique: "pool_sum",
        title: format!("pools of {server} that fit its connections"),
        why: format!("together they may ask for {sum:.0} connections, and the server allows {most:.0}"),
        cliff: connections(cliffs, &database.name),
        gain: Gain {
            text: format!(
                "nobody is refused by the server: {:.0} connections at most, of {most:.0}",
                most * (1.0 - LEAVE)
            ),
            from: Some(sum),
            to: Some(most * (1.0 - LEAVE)),
            unit: "connections".into(),
            measured: Measured::Sum(
                &signal::POOL_SIZE,
                pools.iter().map(|(label, _)| label.clone()).collect(),
                database.application_servers.max(1) as f64,
            ),
        },
        price: PRICE,
        lines: Some(lines.join("\n")),
        elsewhere: Some(
            "or raise max_connections of the server, if it has the memory: some 5 to 10 MiB for each".into(),
        ),
        evidence: vec![Evidence::of(&signal::POOL_SIZE, &database.name, sum, |_| {
            format!("{} pools of {} application servers", pools.len(), database.application_servers.max(1))
        })],
        done: match sizes.first() {
            Some((name, size)) => Done::PoolSizeWithin { database: (*name).to_owned(), most: *size },
            None => Done::NotSeen,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.database("shop").pool_size = 40;
        scene.database("stock").pool_size = 40;
        scene.all(&signal::POOL_SIZE, "shop/app", 40.0);
        scene.all(&signal::POOL_SIZE, "stock/app", 40.0);
        scene.all(&signal::DB_CONNECTION_LIMIT, "shop", 97.0);
        scene
    }

    #[test]
    fn pools_that_fit_are_left_alone() {
        assert!(scene().no_need(&PoolSum).contains("fewer"));
        let mut unknown = scene();
        unknown.each(&signal::DB_CONNECTION_LIMIT, "shop", []);
        assert!(unknown.cannot_tell(&PoolSum).contains("not known"));
        assert!(Scene::new().no_need(&PoolSum).contains("no database"));
    }

    #[test]
    fn pools_that_do_not_are_made_smaller_in_proportion() {
        let mut scene = scene();
        scene.facts.databases.iter_mut().for_each(|database| database.application_servers = 2);
        let advice = scene.advised(&PoolSum);
        assert_eq!(advice.len(), 1, "one server");
        assert_eq!(advice[0].gain.from, Some(160.0));
        // 40 · 77.6 / 160.
        assert_eq!(advice[0].lines.as_ref().unwrap().matches("pool_size = 19").count(), 2);
        scene.facts.databases.iter_mut().for_each(|database| database.most_connections = Some(20));
        assert!(scene.no_need(&PoolSum).contains("fewer"), "each is limited");
    }
}
