//! Where measurements come from, one file each. A source that cannot be read says nothing: its signals are unknown then,
//! and why is told by [`Unknown`].

mod clients;
mod database;
mod host;
mod planes;
mod segments;

use serde::Serialize;

pub(crate) use database::Databases;
pub(crate) use host::Machine;
pub(crate) use planes::{OTHERS, Planes};

/// What cannot be measured here, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unknown {
    /// What is not known, such as `application.memory app`.
    pub what: String,
    /// Why, and what would help.
    pub why: String,
}
