//! Replicas that fall behind: whoever reads from them reads the past.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct ReplicaLag;

const PRICE: Price = Price {
    complexity: "reads that must see the latest go to the primary",
    staleness: "that is what it is about",
    money: "a replica with as fast a disk as the primary's",
    operations: "long queries are kept off it, or cancelled",
};

impl Rule for ReplicaLag {
    fn technique(&self) -> &'static str {
        "replica_lag"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        if picture.store.labels(&signal::REPLICA_LAG).is_empty() {
            return Verdict::NoNeed("there are no replicas".into());
        }
        let found: Vec<Advice> =
            worrying(cliffs, Kind::ReplicaLag).map(|cliff| advise(picture, cliff)).collect();
        Verdict::of(found, &[], || "replicas keep up".into())
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff) -> Advice {
    let name = &cliff.resource;
    Advice {
        id: format!("replica_lag:{name}"),
        technique: "replica_lag",
        title: format!("let the replicas of `{name}` keep up"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "readers see what was written; by how much it gets better depends on what holds it up".into(),
            from: picture.minute(&signal::REPLICA_LAG, name),
            to: None,
            unit: "seconds behind".into(),
            measured: Measured::Signal(&signal::REPLICA_LAG, name.clone()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(
            "which part of the way is slow: SELECT client_addr, write_lag, flush_lag, replay_lag FROM pg_stat_replication. \
             write_lag: the network. flush_lag: the replica's disk. replay_lag alone: long queries on the replica hold replay \
             up (max_standby_streaming_delay), or one process replays what many wrote: batch the writes. Until then read \
             from the primary what must be current"
                .into(),
        ),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    #[test]
    fn replicas_that_fall_behind_are_looked_into() {
        let mut scene = Scene::new();
        assert!(scene.no_need(&ReplicaLag).contains("no replicas"));
        scene.all(&signal::REPLICA_LAG, "shop", 30.0);
        assert!(scene.no_need(&ReplicaLag).contains("keep up"));
        scene.cliff(Kind::ReplicaLag, "shop", Level::Over, None);
        assert_eq!(scene.advised(&ReplicaLag)[0].gain.from, Some(30.0));
    }
}
