//! The dashboard as Grafana imports it (schema 39, Grafana 10 and later).

use serde_json::{Value, json};

use super::expression::on_dashboard;
use super::table::{Line, Panel, ROWS, Unit};

/// Charts beside each other; Grafana's grid has 24 columns.
const BESIDE: usize = 3;
const WIDTH: usize = 24 / BESIDE;
const HEIGHT: usize = 8;

/// The dashboard, as `docs/grafana/dashboard.json` holds it.
pub fn dashboard() -> String {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in ROWS {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": y, "w": 24, "h": 1 },
        }));
        y += 1;
        for (number, panel) in row.panels.iter().enumerate() {
            let (x, line) = (number % BESIDE * WIDTH, number / BESIDE);
            panels.push(chart(panels.len() + 1, panel, (x, y + line * HEIGHT)));
        }
        y += row.panels.len().div_ceil(BESIDE) * HEIGHT;
    }
    let dashboard = json!({
        "title": "Deepwater", "uid": "deepwater", "tags": ["deepwater"],
        "description": "Generated from the metrics and events of the binary; see docs/monitoring.md.",
        "schemaVersion": 39, "version": 1, "editable": true, "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" }, "timezone": "browser",
        "templating": { "list": [
            {
                "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
                "current": {}, "hide": 0, "refresh": 1,
            },
            {
                "name": "instance", "label": "Process", "type": "query", "datasource": datasource(),
                "query": { "query": "label_values(deepwater_build_info, instance)", "refId": "instance" },
                "definition": "label_values(deepwater_build_info, instance)",
                "includeAll": true, "multi": true, "allValue": ".*", "current": { "text": "All", "value": "$__all" },
                "hide": 0, "refresh": 2, "sort": 1,
            },
        ] },
        "annotations": { "list": [{
            "name": "Reloads and upgrades", "enable": true, "datasource": datasource(), "iconColor": "blue",
            "expr": on_dashboard("sum by (event) (increase(deepwater_events_total{@,event=~\"reloaded|upgraded\"}[@])) > 0"),
            "titleFormat": "{{event}}",
        }] },
        "links": [],
        "panels": panels,
    });
    format!("{dashboard:#}\n")
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn chart(id: usize, panel: &Panel, (x, y): (usize, usize)) -> Value {
    let targets: Vec<Value> =
        panel.lines.iter().zip('A'..).map(|(line, letter)| target(line, letter)).collect();
    json!({
        "id": id, "type": "timeseries", "title": panel.title, "description": panel.about,
        "datasource": datasource(),
        "gridPos": { "x": x, "y": y, "w": WIDTH, "h": HEIGHT },
        "fieldConfig": {
            "defaults": {
                "unit": unit(panel.unit), "min": 0,
                "custom": { "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false },
            },
            "overrides": [],
        },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets,
    })
}

fn target(line: &Line, letter: char) -> Value {
    json!({
        "refId": letter.to_string(), "datasource": datasource(), "editorMode": "code", "range": true,
        "expr": on_dashboard(line.query), "legendFormat": line.legend,
    })
}

/// As Grafana calls it.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "short",
        Unit::PerSecond => "cps",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "binBps",
        Unit::Share => "percentunit",
    }
}
