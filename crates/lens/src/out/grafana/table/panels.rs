//! What is shown, from what users notice down to what the process costs.

mod application;
mod cache;
mod cliffs;
mod database;
mod events;
mod process;
mod users;

use super::{Line, Panel, Row, Unit};

/// The dashboard.
pub(in crate::out::grafana) const ROWS: &[Row] =
    &[users::ROW, cliffs::ROW, events::ROW, application::ROW, cache::ROW, database::ROW, process::ROW];

const fn line(legend: &'static str, query: &'static str) -> Line {
    Line { query, legend }
}

const fn panel(title: &'static str, unit: Unit, lines: &'static [Line], about: &'static str) -> Panel {
    Panel { title, about, unit, lines }
}
