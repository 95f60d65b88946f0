//! Which scalability cliff comes next.

use super::{line, panel};
use crate::out::grafana::table::{Row, Unit};

pub(super) const ROW: Row = Row {
    title: "Scalability cliffs",
    panels: &[
        panel(
            "How near they are",
            Unit::Count,
            &[line("{{cliff}}", "max by (cliff) (deepwater_lens_cliff_level{@}) > 0")],
            "1 watch, 2 near, 3 over. Those that are far away are not drawn.",
        ),
        panel(
            "Load, and where it ends",
            Unit::PerSecond,
            &[
                line("now", "sum(deepwater_lens_load{@})"),
                line(
                    "{{cliff}}",
                    "bottomk(3, sum by (cliff) (deepwater_lens_cliff_load{@,bound=\"guess\"}))",
                ),
            ],
            "The load now, and the three lowest loads at which something runs out. Of several processes both are added up.",
        ),
        panel(
            "The nearest, with its range",
            Unit::PerSecond,
            &[
                line("from", "min(deepwater_lens_cliff_load{@,bound=\"low\"})"),
                line("best guess", "min(deepwater_lens_cliff_load{@,bound=\"guess\"})"),
                line("to", "min(deepwater_lens_cliff_load{@,bound=\"high\"})"),
            ],
            "Of one process. See /api/cliffs for the evidence.",
        ),
    ],
};
