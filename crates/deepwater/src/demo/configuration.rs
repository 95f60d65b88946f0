//! The configuration the demo runs under: what a user would write in `deepwater.toml`, with shorter times.

use std::net::SocketAddr;

use deepwater_core::config::{Duration, Percent};
use deepwater_edge::config as edge;
use deepwater_upstream::{Balance, Outlier};

use crate::settings::Settings;

/// Name of the one pool.
pub(super) const POOL: &str = "shop";

/// A route per kind of request, so that the console tells them apart.
const ROUTES: [(&str, &str); 4] =
    [("api", "/api/*"), ("images", "/images/*"), ("live", "/ws/*"), ("pages", "/*")];

pub(super) fn settings(
    listen: SocketAddr,
    console: deepwater_lens::Listen,
    shops: &[SocketAddr],
) -> Settings {
    let route = |(name, path): (&str, &str)| edge::Route {
        name: Some(name.into()),
        r#match: edge::Match { path: Some(path.into()), ..edge::Match::default() },
        pool: Some(POOL.into()),
        ..edge::Route::default()
    };
    Settings {
        console: deepwater_lens::Config { listen: console, token: None },
        edge: deepwater_edge::Config {
            listen: vec![edge::Listen::http(listen.to_string())],
            route: ROUTES.map(route).into(),
            // A few hundred visitors and a person: no need to ask the system for more open files.
            max_connections: 2_048,
            drain_timeout: Duration::from_secs(2),
            ..deepwater_edge::Config::default()
        },
        pools: [(POOL.to_owned(), pool(shops))].into(),
        cache: edge::Cache::default(),
    }
}

fn pool(shops: &[SocketAddr]) -> edge::Pool {
    edge::Pool {
        balance: Balance::LeastConnections,
        // Carts live in one instance.
        sticky: Some(edge::Sticky {
            cookie: "lb-server".into(),
            secret: None,
            same_site: edge::SameSite::Lax,
            max_age: None,
            secure: false,
        }),
        health: Some(edge::Health {
            path: "/health".into(),
            status: "200".into(),
            json: [("status".to_owned(), "healthy".to_owned())].into(),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 1,
            unhealthy_after: 2,
            ..edge::Health::default()
        }),
        // Seconds where production has minutes: somebody is watching.
        outlier: Outlier {
            consecutive_failures: 3,
            min_requests: 10,
            interval: Duration::from_secs(3),
            base_ejection: Duration::from_secs(5),
            max_ejection: Duration::from_secs(15),
            max_ejected: Percent::new(50),
            ..Outlier::default()
        },
        ..edge::Pool::of(shops.iter().map(ToString::to_string))
    }
}
