//! An `[auth.<name>]`, ready to use; shared by all cores.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepwater_auth::{KeySource, Method, Plan, TokenPlace};
use deepwater_core::Context;
use deepwater_core::config::Place;

use crate::config::Auth;

use super::hashing::Hashing;
use super::keyring::{Keyring, KeysMissing};

/// One way to prove who one is.
pub(crate) struct AuthPlan {
    pub name: String,
    config: Auth,
    pub(super) plan: Plan,
    /// Keys that are fetched, if they are.
    pub(super) keyring: Option<Arc<Keyring>>,
    pub(super) hashing: Hashing,
}

impl AuthPlan {
    /// What a table means: what it meant before, if nothing has changed, not even in its files; `None` when something was
    /// reported. What is remembered of tokens stays with the plan, keys that are fetched with their URL and algorithms.
    pub fn build(
        name: &str,
        config: &Auth,
        directory: &Path,
        old: &[Arc<Self>],
        place: &Place<'_>,
    ) -> Option<Arc<Self>> {
        let plan = Plan::build(name, config, directory, place)?;
        let old = old.iter().find(|old| old.name == name);
        if let Some(same) = old.filter(|old| old.config == *config && is_same(&old.plan, &plan)) {
            return Some(Arc::clone(same));
        }
        let keyring = match fetched(&plan) {
            None => None,
            Some(keys) => {
                let kept = old.and_then(|old| old.keyring.as_ref()).filter(|old| old.is_of(keys));
                Some(match kept {
                    Some(kept) => Arc::clone(kept),
                    None => Arc::new(Keyring::build(name, keys.clone(), &place.at("jwks"))?),
                })
            }
        };
        let hashing = Hashing::of_this_machine();
        Some(Arc::new(Self { name: name.to_owned(), config: config.clone(), plan, keyring, hashing }))
    }

    /// Where the token is; none if a name and a password are asked for.
    pub fn token_place(&self) -> Option<&TokenPlace> {
        match &self.plan.method {
            Method::Token(tokens) => Some(&tokens.place),
            Method::Basic(_) => None,
        }
    }

    /// The fields that it tells claims in.
    pub fn claim_fields(&self) -> impl Iterator<Item = &str> {
        self.plan.headers.iter().map(|(name, _)| &**name)
    }

    /// Keeps fresh what is to be kept fresh. On the control runtime; again is harmless.
    pub fn keep_fresh(&self, context: &Context) {
        if let Some(keyring) = &self.keyring {
            keyring.keep_fresh(context);
        }
    }

    /// Is in force from now on: what is kept fresh, is as it says.
    pub fn comes_into_force(&self, context: &Context) {
        if let (Some(keyring), Some(keys)) = (&self.keyring, fetched(&self.plan)) {
            keyring.adopt(keys.freshness);
            keyring.keep_fresh(context);
        }
    }

    /// Whether it has none of the keys that it fetches, and does not share this with an older plan.
    pub fn lacks_keys(&self, old: Option<&Self>) -> bool {
        let Some(keyring) = &self.keyring else { return false };
        let same = old.and_then(|old| old.keyring.as_ref()).is_some_and(|old| Arc::ptr_eq(old, keyring));
        keyring.is_empty() && !same
    }

    /// Waits until it has keys, if they are fetched.
    ///
    /// # Errors
    /// When there are none after so long: why not.
    pub async fn first_keys(&self, within: Duration) -> Result<(), KeysMissing> {
        match &self.keyring {
            Some(keyring) => keyring.first(within).await,
            None => Ok(()),
        }
    }

    /// Why nobody could be let in now, in a sentence.
    pub fn not_ready(&self) -> Option<String> {
        let empty = self.keyring.as_ref().is_some_and(|keyring| keyring.is_empty());
        empty.then(|| format!("the keys of auth {} have not been fetched yet", self.name))
    }
}

fn fetched(plan: &Plan) -> Option<&deepwater_auth::FetchedKeys> {
    match &plan.method {
        Method::Token(tokens) => match &tokens.keys {
            KeySource::Url(keys) => Some(keys),
            KeySource::Fixed(_) => None,
        },
        Method::Basic(_) => None,
    }
}

/// Whether two plans of one configuration have read the same keys or users.
fn is_same(one: &Plan, other: &Plan) -> bool {
    match (&one.method, &other.method) {
        (Method::Token(one), Method::Token(other)) => match (&one.keys, &other.keys) {
            (KeySource::Fixed(one), KeySource::Fixed(other)) => one.generation() == other.generation(),
            (KeySource::Url(one), KeySource::Url(other)) => one == other,
            _ => false,
        },
        (Method::Basic(one), Method::Basic(other)) => one.users.generation() == other.users.generation(),
        _ => false,
    }
}
