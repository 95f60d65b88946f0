//! The route table: which route a request takes, at a cost that does not grow with the number of routes.
//!
//! The first route in the file that matches wins. A request is dispatched by host (exact names, names below a
//! domain, any host) to tries of path segments; these give the few routes whose host and path fit, and only
//! their further conditions (method, header, query) are tested, in the order of the file.
//!
//! Paths are compared in normal form (RFC 3986 §6.2.2), so that `/%61dmin` and `/x/../admin` cannot slip past the
//! route of `/admin`. What applications may read as yet another path ([`readings`]) takes a route only if all readings take
//! that one.

mod captures;
mod conditions;
mod edits;
mod host;
mod keyed;
mod normal;
mod pattern;
mod readings;
mod rewrite;
mod shadow;
mod template;
mod trie;

#[cfg(test)]
mod tests;

use crate::config;
use crate::head::Request;

use conditions::Conditions;
use host::{Host, Hosts};
use pattern::Pattern;
use trie::{Candidates, Trie};

pub use captures::Captures;
pub use edits::{EditProblem, Edits, Prepared};
pub use host::name_of;
pub(crate) use normal::decode as decode_percent;
pub use normal::{BadPath, is_normal, normalise};
pub use rewrite::{Rewrite, RewriteProblem};
pub use template::{Template, Values};

/// What is wrong with a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteProblem {
    /// Its position in the file, from 0.
    pub route: usize,
    /// The key at fault: `match.host`, `match.path`, `match.method`, `match.header` or `match.query`.
    pub key: &'static str,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// What to write instead.
    pub fix: Option<String>,
}

/// What is wrong with one value, and what to write instead.
type Fault = (String, Option<String>);

/// A route as far as matching goes.
#[derive(Debug)]
struct Entry {
    host: Host,
    pattern: Pattern,
    conditions: Conditions,
}

/// All routes, compiled.
#[derive(Debug)]
pub struct RouteTable {
    entries: Vec<Entry>,
    hosts: Hosts,
}

impl RouteTable {
    /// Compiles the routes of a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with what they match.
    pub fn build(routes: &[config::Route]) -> Result<Self, Vec<RouteProblem>> {
        let mut problems = Vec::new();
        let mut entries = Vec::with_capacity(routes.len());
        for (route, written) in routes.iter().enumerate() {
            let mut report = |key: &'static str, faults: Vec<Fault>| {
                problems.extend(faults.into_iter().map(|(what, fix)| RouteProblem { route, key, what, fix }));
            };
            let host = Host::parse(written.r#match.host.as_deref());
            let pattern = Pattern::parse(written.r#match.path.as_deref());
            let conditions = Conditions::build(&written.r#match, &mut report);
            match (host, pattern) {
                (Ok(host), Ok(pattern)) => entries.push(Entry { host, pattern, conditions }),
                (host, pattern) => {
                    report("match.host", host.err().into_iter().collect());
                    report("match.path", pattern.err().into_iter().collect());
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut hosts = Hosts::default();
        for (route, entry) in entries.iter().enumerate() {
            hosts.trie_of(&entry.host).insert(&entry.pattern, route as u32, entry.conditions.is_empty());
        }
        Ok(Self { entries, hosts })
    }

    /// The position of the first route that matches, if any; `found` then holds what its pattern captured.
    ///
    /// Allocates nothing once the memory of `found` has grown to the paths it sees.
    ///
    /// # Errors
    /// When the path climbs above its root, or can be read as one that takes another route; to be answered with 400.
    pub fn find(&self, request: &Request, found: &mut Captures) -> Result<Option<usize>, BadPath> {
        found.clear();
        let path = request.path();
        // `OPTIONS *` and `CONNECT` name no path.
        if path.first() != Some(&b'/') {
            return Ok(self.first(request, Trie::collect_pathless));
        }
        let plain = is_normal(path);
        if !plain {
            found.normalise(path)?;
        }
        let path = found.path(request);
        let route_of = |path: &[u8]| self.first(request, |trie, candidates| trie.collect(path, candidates));
        let first = route_of(path);
        // What takes no route is passed on by none.
        if !plain && first.is_some() {
            // Some resolve dot segments before they read the rest, some after.
            let is_same = |reading: &[u8]| route_of(reading) == first;
            if !readings::agree(request.path(), is_same) || !readings::agree(path, is_same) {
                return Err(BadPath::Ambiguous);
            }
        }
        if let Some(route) = first {
            found.capture(request, &self.entries[route].pattern);
        }
        Ok(first)
    }

    fn first(&self, request: &Request, collect: impl Fn(&Trie, &mut Candidates)) -> Option<usize> {
        let mut candidates = Candidates::default();
        self.hosts.for_each(request.authority(), |trie| collect(trie, &mut candidates));
        candidates.first(|route| self.entries[route].conditions.hold(request))
    }

    /// The names of a route's pattern, in the order of [`Captures::get`].
    pub fn names(&self, route: usize) -> &[String] {
        self.entries[route].pattern.names()
    }

    /// Routes that no request can reach, each with an earlier route that takes everything it could match.
    pub fn unreachable(&self) -> Vec<(usize, usize)> {
        shadow::unreachable(&self.entries)
    }
}

/// The names a path pattern captures: what templates of the same route may use. Empty if the pattern is wrong.
pub fn pattern_names(path: Option<&str>) -> Vec<String> {
    Pattern::parse(path).map(|pattern| pattern.names().to_vec()).unwrap_or_default()
}
