//! Which page or command answers a path.

use super::StartError;
use super::path::{Malformed, Pattern};

/// Handlers by method and path pattern.
pub(super) struct Router<H> {
    routes: Vec<Route<H>>,
}

struct Route<H> {
    method: &'static str,
    pattern: Pattern,
    handler: H,
}

/// What the router found.
#[derive(Debug)]
pub(super) enum Found<'a, H> {
    /// A handler and the parameters of the path.
    Handler(&'a H, Vec<String>),
    /// The path exists, but not with this method; the value of `Allow` (RFC 9110 §10.2.1).
    WrongMethod(String),
    /// No such path; the nearest ones, best first.
    Nothing(Vec<&'static str>),
    /// A parameter cannot be decoded.
    Malformed,
}

/// Less alike than this is no suggestion. Normalised Damerau-Levenshtein similarity, 0 to 1.
const ALIKE: f64 = 0.4;
/// Suggestions for a path that does not exist.
const SUGGESTIONS: usize = 3;

impl<H> Router<H> {
    pub(super) fn new() -> Self {
        Self { routes: Vec::new() }
    }

    /// Mounts a handler.
    ///
    /// # Errors
    /// Another handler has the method and path already.
    pub(super) fn mount(
        &mut self,
        method: &'static str,
        path: &'static str,
        handler: H,
    ) -> Result<(), StartError> {
        let pattern = Pattern::new(path);
        if self.routes.iter().any(|route| route.method == method && route.pattern.equals(&pattern)) {
            return Err(StartError::Conflict { method, path });
        }
        self.routes.push(Route { method, pattern, handler });
        // The more is spelt out, the earlier it is tried: `/pools/all` goes before `/pools/{pool}`.
        self.routes.sort_by_key(|route| std::cmp::Reverse(route.pattern.literals()));
        Ok(())
    }

    /// Looks up a raw path. `HEAD` is answered by `GET`'s handler.
    pub(super) fn find(&self, method: &str, path: &str) -> Found<'_, H> {
        let method = if method == "HEAD" { "GET" } else { method };
        let mut allowed: Vec<&str> = Vec::new();
        for route in &self.routes {
            match route.pattern.matches(path) {
                None => {}
                Some(_) if route.method != method => allowed.push(route.method),
                Some(Ok(parameters)) => return Found::Handler(&route.handler, parameters),
                Some(Err(Malformed)) => return Found::Malformed,
            }
        }
        if allowed.is_empty() {
            return Found::Nothing(self.nearest(path));
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        allowed.dedup();
        Found::WrongMethod(allowed.join(", "))
    }

    fn nearest(&self, path: &str) -> Vec<&'static str> {
        let mut alike: Vec<(f64, &'static str)> = self
            .routes
            .iter()
            .map(|route| route.pattern.text())
            .map(|known| (strsim::normalized_damerau_levenshtein(path, known), known))
            .filter(|(alike, _)| *alike >= ALIKE)
            .collect();
        alike.sort_by(|a, b| b.0.total_cmp(&a.0));
        alike.dedup_by_key(|(_, known)| *known);
        alike.into_iter().take(SUGGESTIONS).map(|(_, known)| known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&'static str, &'static str)]) -> Router<usize> {
        let mut router = Router::new();
        for (n, (method, path)) in routes.iter().enumerate() {
            router.mount(method, path, n).unwrap();
        }
        router
    }

    #[test]
    fn what_is_spelt_out_wins() {
        let router = router(&[("GET", "/pools/{pool}"), ("GET", "/pools/all")]);
        assert!(matches!(router.find("GET", "/pools/all"), Found::Handler(1, _)));
        assert!(matches!(router.find("HEAD", "/pools/app"), Found::Handler(0, p) if p == ["app"]));
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let router = router(&[("GET", "/cache"), ("POST", "/cache"), ("POST", "/purge")]);
        assert!(matches!(router.find("PUT", "/cache"), Found::WrongMethod(m) if m == "GET, HEAD, POST"));
        assert!(matches!(router.find("GET", "/purge"), Found::WrongMethod(m) if m == "POST"));
    }

    #[test]
    fn a_wrong_path_names_near_ones() {
        let router = router(&[("GET", "/api/edge/pools"), ("GET", "/api/edge/routes"), ("GET", "/metrics")]);
        let Found::Nothing(near) = router.find("GET", "/api/edge/pool") else { panic!("found something") };
        assert_eq!(near, ["/api/edge/pools", "/api/edge/routes"]);
    }

    #[test]
    fn a_path_is_mounted_once() {
        let mut router = router(&[("POST", "/pools/{pool}")]);
        assert!(router.mount("GET", "/pools/{pool}", 1).is_ok());
        assert!(matches!(router.mount("POST", "/pools/{name}", 2), Err(StartError::Conflict { .. })));
    }
}
