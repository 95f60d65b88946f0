//! Connections that a database's server allows: the next one is refused when all are taken, by whomever.

use super::level::{self, Counted};
use super::{Detector, Finding, Kind};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Connections;

impl Detector for Connections {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let databases = picture.store.labels(&signal::DB_CONNECTION_LIMIT);
        let find = |database: &std::sync::Arc<str>| {
            let counted = Counted {
                kind: Kind::Connections,
                resource: database,
                what: format!("the server of `{database}` has no connection left"),
                used: &signal::DB_CONNECTIONS,
                limit: &signal::DB_CONNECTION_LIMIT,
                label: database,
                unit: "connections",
            };
            level::find(picture, load, counted)
        };
        databases.iter().filter_map(find).collect()
    }
}
