//! Replicas that fall behind: who reads from them reads the past.

use super::{Detector, Finding, Kind, Outlook, evidence};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Replicas;

/// Seconds behind, from which users notice that what they wrote is not there.
const BEHIND: f64 = 10.0;

impl Detector for Replicas {
    fn look(&self, picture: &Picture<'_>, _: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let databases = picture.store.labels(&signal::REPLICA_LAG);
        let find = |database: &std::sync::Arc<str>| {
            let lag = picture.store.mean(&signal::REPLICA_LAG, database, 30)?;
            Some(Finding {
                kind: Kind::ReplicaLag,
                resource: database.to_string(),
                what: format!("the replicas of `{database}` fall behind"),
                used: Some(lag),
                limit: Some(BEHIND),
                unit: "seconds",
                outlook: Outlook::NoneInSight(format!("the slowest is {lag:.1} s behind")),
                pressing: (lag >= BEHIND).then(|| format!("the slowest is {lag:.0} s behind")),
                evidence: evidence(picture, &signal::REPLICA_LAG, database, |lag| {
                    format!("the slowest replica is {lag:.1} s behind")
                })
                .into_iter()
                .collect(),
            })
        };
        databases.iter().filter_map(find).collect()
    }
}
