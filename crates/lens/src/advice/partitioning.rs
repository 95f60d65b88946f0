//! Partitioning: for a large table that is always filtered by one column. How large tables are can be seen; by what they are
//! filtered cannot, so this rule never advises: it says where to look.

use super::{Rule, Verdict};
use crate::cliffs::Cliffs;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Partitioning;

/// Below, a table with the right index is as fast as its partitions would be, and easier to look after.
const LARGE: f64 = 20.0 * 1_073_741_824.0;

impl Rule for Partitioning {
    fn technique(&self) -> &'static str {
        "partitioning"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        if picture.facts.databases.is_empty() {
            return Verdict::NoNeed("no database goes through Deepwater".into());
        }
        let tables = picture.store.labels(&signal::TABLE_BYTES);
        let sizes = tables
            .iter()
            .filter_map(|table| Some((table, picture.store.mean(&signal::TABLE_BYTES, table, 120)?)));
        let Some((table, bytes)) = sizes.max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return Verdict::CannotTell(
                "how large tables are is not known yet: it is asked every ten seconds".into(),
            );
        };
        let gib = bytes / 1_073_741_824.0;
        let name = table.split_once('/').map_or(&**table, |(_, name)| name);
        if bytes < LARGE {
            return Verdict::NoNeed(format!(
                "the largest table, {name}, has {gib:.1} GiB: an index does what partitions would, up to some 20 GiB"
            ));
        }
        let plain = name.rsplit('.').next().unwrap_or(name).replace('\'', "''");
        Verdict::CannotTell(format!(
            "{name} has {gib:.0} GiB; whether nearly all queries filter it by one column (a time, a tenant) is not seen from \
             here. SELECT calls, mean_exec_time, query FROM pg_stat_statements WHERE query ILIKE '%{plain}%' ORDER BY calls \
             DESC LIMIT 20 tells. If they do, PARTITION BY RANGE (time) or LIST (tenant) makes old data cheap to drop and \
             indexes small; the price: the column must be in every primary key and unique constraint, queries without it \
             read all partitions, and somebody must create the next ones"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(gib: f64) -> Scene {
        let mut scene = Scene::new();
        scene.database("shop");
        scene.all(&signal::TABLE_BYTES, "shop/public.orders", gib * 1_073_741_824.0);
        scene.all(&signal::TABLE_BYTES, "shop/public.stock", 1e6);
        scene
    }

    #[test]
    fn a_small_table_needs_none() {
        assert!(scene(3.0).no_need(&Partitioning).contains("public.orders, has 3.0 GiB"));
        assert!(Scene::new().no_need(&Partitioning).contains("no database"));
    }

    #[test]
    fn of_a_large_one_it_is_said_where_to_look() {
        let why = scene(80.0).cannot_tell(&Partitioning);
        assert!(why.contains("80 GiB") && why.contains("ILIKE '%orders%'"), "{why}");
        let mut unknown = scene(80.0);
        unknown.each(&signal::TABLE_BYTES, "shop/public.orders", []);
        unknown.each(&signal::TABLE_BYTES, "shop/public.stock", []);
        assert!(unknown.cannot_tell(&Partitioning).contains("not known yet"));
    }
}
