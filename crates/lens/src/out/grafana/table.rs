//! What is shown, and what wakes somebody.

mod panels;
mod rules;

pub(super) use panels::ROWS;
pub(super) use rules::ALERTS;

/// Panels under one heading.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: &'static [Panel],
}

/// One chart.
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// How to read it.
    pub(super) about: &'static str,
    pub(super) unit: Unit,
    pub(super) lines: &'static [Line],
}

/// One query; it may give many lines.
pub(super) struct Line {
    /// PromQL with the short cuts of [`expression`](super::expression).
    pub(super) query: &'static str,
    /// With labels in double braces.
    pub(super) legend: &'static str,
}

/// What a chart's axis counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Count,
    PerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    Share,
}

/// One rule.
pub(super) struct Alert {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// There is something to do.
    pub(super) when: When,
    /// For how long that has to be so: no blip wakes anybody.
    pub(super) lasting: &'static str,
    pub(super) summary: &'static str,
    /// What to do.
    pub(super) action: &'static str,
}

/// When a rule applies.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// While a query, with the short cuts of [`expression`](super::expression), gives something.
    Holds(&'static str),
    /// After one of these events, divided by `|`, was told.
    Told(&'static str),
}

/// Whom it wakes.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    /// Users notice: somebody is called.
    Page,
    /// It can wait for the morning.
    Ticket,
}
