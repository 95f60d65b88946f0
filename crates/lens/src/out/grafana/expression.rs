//! Queries of the table, in PromQL with two short cuts: `{@}` stands for the processes that are looked at, `[@]` for the time
//! over which rates are taken.

/// As the dashboard asks: of the processes chosen, over what fits the zoom.
pub(super) fn on_dashboard(text: &str) -> String {
    text.replace("{@", "{instance=~\"$instance\"").replace("[@]", "[$__rate_interval]")
}

/// As a rule asks: of all processes, over the time that is long enough for scrapes a minute apart.
pub(super) fn in_rule(text: &str) -> String {
    text.replace("{@,", "{").replace("{@}", "").replace("[@]", "[5m]")
}

/// Whether one of some events, divided by `|`, was told in the last quarter of an hour. A series begins with its first event,
/// which `increase` does not see: hence the second half.
pub(super) fn told(events: &str) -> String {
    let series = format!("deepwater_events_total{{event=~\"{events}\"}}");
    format!(
        "sum by (event, instance) (increase({series}[15m])) > 0 or \
         sum by (event, instance) ({series} unless {series} offset 15m) > 0"
    )
}
