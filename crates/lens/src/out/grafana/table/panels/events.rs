//! What happened.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "Events",
    panels: &[
        panel(
            "Warnings and errors",
            Unit::Count,
            &[line(
                "{{event}}",
                "sum by (event) (increase(deepwater_events_total{@,level=~\"warn|error\"}[@]))",
            )],
            "Each has its sentence in the log and in the console.",
        ),
        panel(
            "All events",
            Unit::Count,
            &[line("{{event}}", "sum by (event) (increase(deepwater_events_total{@}[@]))")],
            "What happened, in numbers.",
        ),
    ],
};
