//! Open files and local ports of this process: without one there is no further connection.

use super::level::{self, Counted};
use super::{Detector, Finding, Kind};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Descriptors;

impl Detector for Descriptors {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let files = Counted {
            kind: Kind::Descriptors,
            resource: "files",
            what: "this process may open no further file or connection".into(),
            used: &signal::DESCRIPTORS,
            limit: &signal::DESCRIPTOR_LIMIT,
            label: "",
            unit: "files",
        };
        let ports = Counted {
            kind: Kind::Descriptors,
            resource: "ports",
            what: "there is no local port left for another connection to the application".into(),
            used: &signal::PORTS_USED,
            limit: &signal::PORT_LIMIT,
            label: "",
            unit: "ports",
        };
        [files, ports].into_iter().filter_map(|counted| level::find(picture, load, counted)).collect()
    }
}
