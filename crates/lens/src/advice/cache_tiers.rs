//! More of a cache: where most is answered from memory already and the application still works for what is not. First it
//! gets the memory it lacks; a second tier is for several edges that each fetch the same.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, evidence, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::facts::Route;
use crate::picture::Picture;
use crate::signal;

pub(super) struct CacheTiers;

/// Share answered without the application, below which there is more to gain from better lifetimes and keys.
const HIT: f64 = 0.8;
/// Share of the application's requests that fill the cache, from which they matter to it.
const FILLS: f64 = 0.25;
/// Evicted objects for each one fetched, from which memory decides what is there.
const EVICTS: f64 = 0.5;

const MEMORY: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "as much memory again",
    operations: "none: the limit is kept, all overhead included",
};
const TIER: Price = Price {
    complexity: "one more hop: who answered shows in Cache-Status (deepwater-origin, deepwater-edge)",
    staleness: "lifetimes count from the first tier; purges must reach both",
    money: "one more process, or machine, with memory of its own",
    operations: "one more thing that can fail between the edges and the application",
};

impl Rule for CacheTiers {
    fn technique(&self) -> &'static str {
        "cache_tiers"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let cached = || picture.facts.routes.iter().filter(|route| route.cached);
        if cached().next().is_none() {
            return Verdict::NoNeed("no route caches yet".into());
        }
        let mut near = [Kind::Concurrency, Kind::Cpu].into_iter().flat_map(|kind| worrying(cliffs, kind));
        let Some(cliff) = near.next() else {
            return Verdict::NoNeed("what the cache does not answer is no burden to the application".into());
        };
        let mut reasons = Vec::new();
        let mut found = Vec::new();
        for route in cached() {
            match look(picture, route, cliff) {
                Ok(advice) => found.push(advice),
                Err(why) => reasons.push(why),
            }
        }
        Verdict::of(found, &[], || reasons.join("; "))
    }
}

fn look(picture: &Picture<'_>, route: &Route, cliff: &Cliff) -> Result<Advice, String> {
    let name = &route.name;
    let application = route.application.as_deref().unwrap_or_default();
    let of = |signal| picture.minute(signal, name);
    let hit = of(&signal::CACHE_HITS).ok_or_else(|| format!("{name} is not asked for anything"))?;
    if hit < HIT {
        return Err(format!(
            "{:.0} % of {name} comes from memory: longer lifetimes and fewer parameters in the key gain more than a tier",
            hit * 100.0
        ));
    }
    let fetches = of(&signal::CACHE_FETCHES).unwrap_or(0.0);
    let all = picture.minute(&signal::UPSTREAM_RATE, application).unwrap_or(0.0);
    if fetches < FILLS * all || fetches <= 0.0 {
        return Err(format!("the application hardly works for what {name} fetches"));
    }
    let evicted = picture.minute(&signal::CACHE_EVICTED, "").unwrap_or(0.0);
    let evidence = [
        evidence(picture, &signal::CACHE_HITS, name, |hit| format!("{:.0} % come from memory", hit * 100.0)),
        evidence(picture, &signal::CACHE_FETCHES, name, |rate| {
            format!("{rate:.1} a second are fetched from the application all the same")
        }),
        evidence(picture, &signal::CACHE_EVICTED, "", |rate| {
            format!("{rate:.1} objects a second make room for others")
        }),
    ];
    let full = evicted >= EVICTS * fetches;
    let bytes = 2.0 * picture.facts.cache_bytes;
    let (title, lines, elsewhere, price, done) = if full {
        (
            "twice the memory for the cache",
            Some(Lines::CacheMemory { bytes }.to_string()),
            "`deepwater cache size` replays an access log and tells the hit rate at each size",
            MEMORY,
            Done::CacheBytes { least: bytes },
        )
    } else {
        (
            "a second tier of cache, if there are several edges",
            None,
            "with several edges: run one more Deepwater before the application with `[cache] tier = \"origin\"` and make it \
             the target of the edges' pool, so that each page is fetched once and not once for each edge. With one edge a \
             tier gains nothing: longer lifetimes and stale_while_revalidate do",
            TIER,
            Done::NotSeen,
        )
    };
    Ok(Advice {
        id: format!("cache_tiers:{name}"),
        technique: "cache_tiers",
        title: title.to_owned(),
        why: format!(
            "{name} is answered from memory for the most part, and the application still works for the rest"
        ),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "fewer fetches; how many depends on what is asked for how often, which is not kept".into(),
            from: Some(fetches),
            to: None,
            unit: "requests per second".into(),
            measured: Measured::at_load(picture, &signal::CACHE_FETCHES, name),
        },
        price,
        lines,
        elsewhere: Some(elsewhere.to_owned()),
        evidence: evidence.into_iter().flatten().collect(),
        done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    fn scene(hit: f64) -> Scene {
        let mut scene = Scene::new();
        scene.route("shop", "app").cached = true;
        scene.facts.cache_bytes = 268_435_456.0;
        scene.all(&signal::CACHE_HITS, "shop", hit);
        scene.all(&signal::CACHE_FETCHES, "shop", 40.0);
        scene.all(&signal::UPSTREAM_RATE, "app", 50.0);
        scene.cliff(Kind::Concurrency, "app", Level::Near, Some(400.0));
        scene
    }

    #[test]
    fn a_full_cache_gets_memory_first() {
        let mut scene = scene(0.9);
        scene.all(&signal::CACHE_EVICTED, "", 30.0);
        let advice = scene.advised(&CacheTiers);
        assert_eq!(advice[0].lines.as_deref(), Some("[cache]\nmemory = \"512MiB\"\n"));
    }

    #[test]
    fn one_with_room_gets_a_tier_without_lines() {
        let advice = scene(0.9).advised(&CacheTiers);
        assert_eq!(advice[0].lines, None);
        assert!(advice[0].elsewhere.as_ref().unwrap().contains("tier"));
    }

    #[test]
    fn a_low_hit_rate_an_idle_application_or_no_cache_is_no_reason() {
        assert!(scene(0.5).no_need(&CacheTiers).contains("lifetimes"));
        let mut idle = scene(0.9);
        idle.cliffs.cliffs.clear();
        assert!(idle.no_need(&CacheTiers).contains("no burden"));
        let mut other = scene(0.9);
        other.all(&signal::UPSTREAM_RATE, "app", 1_000.0);
        assert!(other.no_need(&CacheTiers).contains("hardly works"));
        assert!(Scene::new().no_need(&CacheTiers).contains("no route caches"));
    }
}
