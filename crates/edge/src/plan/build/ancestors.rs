//! Which route of the plan in force each route of another one continues: what it has counted goes on.

use crate::config::Route;

use super::RoutePlan;

/// For each route the one that took the same requests before, else the one that had its name; no two the same.
pub(super) fn ancestors<'o>(old: &'o [RoutePlan], routes: &[Route]) -> Vec<Option<&'o RoutePlan>> {
    let mut free: Vec<&RoutePlan> = old.iter().collect();
    let mut take = |fits: &dyn Fn(&RoutePlan) -> bool| {
        let at = free.iter().position(|old| fits(old))?;
        Some(free.remove(at))
    };
    let mut found: Vec<_> = routes.iter().map(|route| take(&|old| old.matches == route.r#match)).collect();
    for (found, route) in found.iter_mut().zip(routes).filter(|(found, _)| found.is_none()) {
        let name = route.label();
        *found = take(&|old| old.name == name);
    }
    found
}
