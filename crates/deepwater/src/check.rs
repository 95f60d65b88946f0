//! `deepwater check`: is the configuration right, and what does it come to?

use deepwater_core::config;
use deepwater_lens::out::grafana;

use crate::cli::{CheckArguments, Failure, print};
use crate::settings::Settings;

pub(crate) fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    if arguments.schema {
        return print(schema().as_bytes());
    }
    if arguments.reference {
        return print(reference().as_bytes());
    }
    if arguments.dashboard {
        return print(grafana::dashboard().as_bytes());
    }
    if arguments.alerts {
        return print(grafana::alerts().as_bytes());
    }
    if let Some(file) = &arguments.from_pgbouncer {
        return print(crate::pgbouncer::load(file)?.to_toml().as_bytes());
    }
    let settings = Settings::read(&arguments.config)?;
    if arguments.print {
        let text = config::to_toml(&settings).map_err(|error| Failure::Running(error.to_string()))?;
        return print(text.as_bytes());
    }
    let (listeners, routes, pools) =
        (settings.edge.listen.len(), settings.edge.route.len(), settings.pools.len());
    let mut counts = vec![count(listeners, "listener"), count(routes, "route"), count(pools, "pool")];
    if settings.postgres.listen.is_some() {
        counts.push(count(settings.postgres.databases.len(), "database"));
    }
    let counts = counts.join(", ");
    print(format!("{} is valid: {counts}\n", arguments.config.display()).as_bytes())
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The reference of all keys, as `docs/reference/configuration.md` holds it.
pub(crate) fn reference() -> String {
    let introduction = "Every key of `deepwater.toml`, with its type, its default and its meaning. Generated from the \
                        types the binary reads: `make docs`.";
    config::reference::markdown(&config::json_schema::<Settings>(), "Configuration", introduction)
}

/// The JSON schema, as `docs/reference/deepwater.schema.json` holds it.
pub(crate) fn schema() -> String {
    let schema = config::json_schema::<Settings>();
    // A JSON value always has a text form.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_and_the_alert_rules_are_not_stale() {
        for (name, text) in [("dashboard.json", grafana::dashboard()), ("alerts.yaml", grafana::alerts())] {
            let file = format!("{}/../../docs/grafana/{name}", env!("CARGO_MANIFEST_DIR"));
            let kept = std::fs::read_to_string(file).unwrap_or_default();
            assert!(kept == text, "docs/grafana/{name} is stale: run `make docs` and commit the result");
        }
    }
}
