//! What was measured last, in the order in which it is shown.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `/api/signals`, as far as it is shown.
#[derive(Deserialize, Clone, Debug, Default)]
pub(super) struct Signals {
    signals: Vec<Signal>,
}

#[derive(Deserialize, Clone, Debug)]
struct Signal {
    name: String,
    label: String,
    value: Option<f64>,
}

/// What the lens calls routes that it does not tell apart.
const OTHERS: &str = "others";

/// What was measured last; what was not is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    /// All requests together.
    pub all: Route,
    pub connections: Option<f64>,
    /// The busiest first.
    pub routes: Vec<Route>,
    pub pools: Vec<Pool>,
}

/// What users of a route see.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Route {
    pub name: String,
    pub requests: Option<f64>,
    pub errors: Option<f64>,
    pub in_flight: Option<f64>,
    /// Seconds, as are those below.
    pub mean: Option<f64>,
    pub p95: Option<f64>,
}

/// Server connections of one user of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pool {
    pub name: String,
    pub busy: Option<f64>,
    pub size: Option<f64>,
    pub waiting: Option<f64>,
    /// Seconds.
    pub wait_p95: Option<f64>,
    pub hold: Option<f64>,
    pub transactions: Option<f64>,
    pub refused: Option<f64>,
}

/// By name, then by label.
type Measured = BTreeMap<String, BTreeMap<String, Option<f64>>>;

impl Figures {
    pub(super) fn of(signals: Signals) -> Self {
        let mut measured = Measured::new();
        for Signal { name, label, value } in signals.signals {
            measured.entry(name).or_default().insert(label, value.filter(|value| value.is_finite()));
        }
        let of = |name: &str, label: &str| *measured.get(name)?.get(label)?;
        let labels = |name: &str| measured.get(name).into_iter().flat_map(BTreeMap::keys);
        let route = |name: &str| Route {
            name: name.to_owned(),
            requests: of("traffic.requests", name),
            errors: of("traffic.errors", name),
            in_flight: of("traffic.in_flight", name),
            mean: of("traffic.latency", name),
            p95: of("traffic.latency_p95", name),
        };
        let pool = |name: &String| Pool {
            name: name.clone(),
            busy: of("pool.busy", name),
            size: of("pool.size", name),
            waiting: of("pool.waiting", name),
            wait_p95: of("pool.wait_p95", name),
            hold: of("pool.hold", name),
            transactions: of("pool.transactions", name),
            refused: of("pool.refused", name),
        };
        let mut routes: Vec<Route> =
            labels("traffic.requests").filter(|label| !label.is_empty()).map(|label| route(label)).collect();
        let rate = |route: &Route| route.requests.unwrap_or(-1.0);
        // What is not told apart is worth a line when there is any.
        routes.retain(|route| route.name != OTHERS || rate(route) > 0.0);
        routes.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
        let pools = labels("pool.size").map(pool).collect();
        Self { all: route(""), connections: of("traffic.connections", ""), routes, pools }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_busiest_route_comes_first_and_what_is_not_known_is_none() {
        let signal = |name: &str, label: &str, value| json!({ "name": name, "label": label, "value": value });
        let signals = json!({ "signals": [
            signal("traffic.requests", "", Some(30.0)),
            signal("traffic.requests", "calm", None),
            signal("traffic.requests", "a", Some(10.0)),
            signal("traffic.requests", "b", Some(20.0)),
            signal("traffic.requests", "others", Some(0.0)),
            signal("traffic.latency", "b", Some(0.25)),
            signal("pool.size", "shop/web", Some(4.0)),
            signal("pool.busy", "shop/web", Some(2.5)),
        ], "unknown": [] });
        let figures = Figures::of(Signals::deserialize(signals).unwrap());
        let names: Vec<&str> = figures.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "calm"]);
        assert_eq!((figures.all.requests, figures.all.mean), (Some(30.0), None));
        assert_eq!((figures.routes[0].mean, figures.routes[2].requests), (Some(0.25), None));
        assert_eq!((figures.pools[0].busy, figures.pools[0].waiting), (Some(2.5), None));
        assert_eq!(Figures::of(Signals::default()), Figures::default());
    }
}
