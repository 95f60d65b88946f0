//! What a route is called tells its metrics from those of others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use deepwater_core::config::Place;

use crate::config::Route;

/// Reports names that another route goes by; `None` if there are any. Routes without a name may look alike: what they match
/// by besides (header fields, parameters) is not in their labels, and nobody asked to have them told apart.
pub(super) fn distinct(place: &Place<'_>, routes: &[Route]) -> Option<()> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut sound = true;
    for (at, route) in routes.iter().enumerate() {
        match taken.entry(route.label()) {
            Entry::Vacant(free) => {
                free.insert(at);
            }
            Entry::Occupied(first) => {
                let first = *first.get();
                let named = [at, first].into_iter().find(|at| routes[*at].name.is_some());
                if let Some(named) = named {
                    report(place, &route.label(), named, if named == at { first } else { at });
                    sound = false;
                }
            }
        }
    }
    sound.then_some(())
}

fn report(place: &Place<'_>, name: &str, named: usize, other: usize) {
    let line = place.index(other).line().map(|line| format!(" at line {line}")).unwrap_or_default();
    place.index(named).at("name").problem_with_fix(
        format!("the route{line} is called `{name}`, too: their metrics could not be told apart"),
        "give one of them another name",
    );
}
