//! What Grafana and Prometheus are given.

use super::program::promtool;
use crate::support::{Home, run};

async fn generated(what: &str) -> String {
    let told = run(&Home::new().path(""), &["check", what]).await;
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    told.stdout
}

#[tokio::test]
async fn prometheus_takes_the_alert_rules() {
    let home = Home::new();
    let rules = home.write("alerts.yaml", generated("--alerts").await);
    let told =
        promtool(&["check", "rules", "--lint=all", "--lint-fatal", rules.to_str().unwrap()], b"").await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("rules found"), "{told:?}");
}

#[tokio::test]
async fn prometheus_understands_every_query_of_the_dashboard() {
    let dashboard: serde_json::Value = serde_json::from_str(&generated("--dashboard").await).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    let mut count = 0;
    for query in queries {
        // What Grafana writes in for its variables.
        let text =
            query["expr"].as_str().unwrap().replace("$__rate_interval", "1m").replace("$instance", ".*");
        rules += &format!("      - record: query:{count}\n        expr: {}\n", serde_json::Value::from(text));
        count += 1;
    }
    assert!(count > 30, "{count} queries");
    let home = Home::new();
    let rules = home.write("dashboard.yaml", rules);
    let told = promtool(&["check", "rules", rules.to_str().unwrap()], b"").await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains(&format!("{count} rules found")), "{told:?}");
}
