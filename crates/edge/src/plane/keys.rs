//! Waiting for the keys of tokens before what asks for them is in force: nobody with a good token is refused meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_core::Context;

use crate::guard::auth::AuthPlan;
use crate::plan::Plan;

use super::StartError;

deepwater_core::event! {
    /// Something waits for the first keys of an `[auth]`.
    pub struct KeysAwaited { auth: String, seconds: f64 }
    keys_awaited: Info, "[auth.{auth}] has no keys yet: they are waited for, {seconds} s at most"
}

/// Waits until all that a plan's routes ask for have keys, but for those that lack them in the plan in force as well.
///
/// # Errors
/// When some cannot be had in time.
pub(super) async fn wait(
    plan: &Plan,
    old: Option<&Plan>,
    within: Duration,
    context: &Context,
) -> Result<(), StartError> {
    let before: Vec<&Arc<AuthPlan>> = old.map(|old| asked(old).collect()).unwrap_or_default();
    let in_force = |name: &str| before.iter().find(|auth| auth.name == name).map(|auth| &***auth);
    let lacking: Vec<_> = asked(plan).filter(|auth| auth.lacks_keys(in_force(&auth.name))).collect();
    for auth in &lacking {
        auth.keep_fresh(context);
        let seconds = within.as_secs_f64();
        context.events.emit(KeysAwaited { auth: auth.name.clone(), seconds });
    }
    let end = Instant::now() + within;
    let mut missing = Vec::new();
    for auth in lacking {
        // All are fetched at once.
        let first = auth.first_keys(end.saturating_duration_since(Instant::now())).await;
        missing.extend(first.err().map(|missing| missing.to_string()));
    }
    if missing.is_empty() { Ok(()) } else { Err(StartError::Keys(missing.join("; "))) }
}

/// All `[auth]` that routes ask for.
fn asked(plan: &Plan) -> impl Iterator<Item = &Arc<AuthPlan>> {
    let is_asked = |index: usize| {
        let mut guards = plan.routes.iter().filter_map(|route| route.guard.as_ref());
        guards.any(|guard| guard.auth() == Some(index))
    };
    plan.auths.iter().enumerate().filter(move |(index, _)| is_asked(*index)).map(|(_, auth)| auth)
}
