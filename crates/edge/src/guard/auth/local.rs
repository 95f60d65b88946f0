//! One core's share of an `[auth.<name>]`: what it remembers and counts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use deepwater_auth::{
    BasicCache, BasicPlan, BasicRefusal, Checked, Claims, KeySet, KeySource, Method, Refusal as TokenRefusal,
    TokenCache, TokenPlace, TokenPlan, bearer, cookie, query,
};
use deepwater_core::Context;

use super::denied::Denied;
use super::plan::AuthPlan;
use crate::head::{Name, Request};
use crate::measure::AuthMetrics;

/// What one core has of it.
pub(crate) struct AuthLocal {
    pub(super) plan: Arc<AuthPlan>,
    pub(super) metrics: AuthMetrics,
    memory: Memory,
}

enum Memory {
    Tokens(RefCell<TokenCache>),
    Passwords(Box<RefCell<BasicCache>>),
}

impl AuthLocal {
    /// Nothing is remembered yet.
    pub fn new(plan: Arc<AuthPlan>, context: &Context) -> Self {
        let ttl = plan.plan.cache_ttl;
        let memory = match &plan.plan.method {
            Method::Token(tokens) => Memory::Tokens(RefCell::new(TokenCache::new(tokens.cache_size, ttl))),
            Method::Basic(basic) => {
                let cache = BasicCache::new(basic.cache_entries, ttl, &secret());
                Memory::Passwords(Box::new(RefCell::new(cache)))
            }
        };
        Self { metrics: AuthMetrics::register(&context.metrics, &plan.name), memory, plan }
    }

    /// Whether it is of this very plan: another has other keys, or asks for other things.
    pub fn is_of(&self, plan: &Arc<AuthPlan>) -> bool {
        Arc::ptr_eq(&self.plan, plan)
    }

    /// What the request proves.
    pub(super) async fn prove(&self, context: &Context, request: &Request) -> Result<Rc<Claims>, Denied> {
        match (&self.plan.plan.method, &self.memory) {
            (Method::Token(tokens), Memory::Tokens(memory)) => {
                self.by_token(context, tokens, memory, request).await
            }
            (Method::Basic(basic), Memory::Passwords(memory)) => {
                self.by_password(context, basic, memory, request).await
            }
            // They are made for each other.
            _ => Err(Denied::Unavailable),
        }
    }

    async fn by_token(
        &self,
        context: &Context,
        plan: &TokenPlan,
        memory: &RefCell<TokenCache>,
        request: &Request,
    ) -> Result<Rc<Claims>, Denied> {
        let token = token_of(&plan.place, request)?.ok_or(TokenRefusal::Missing)?;
        let judge = |keys: &KeySet| {
            let mut memory = memory.borrow_mut();
            let hits = memory.counts().hits;
            let verdict = memory.verify(&plan.policy, keys, token, unix_seconds(context.clock.wall()));
            if memory.counts().hits > hits {
                self.metrics.remembered.increment();
            } else {
                self.metrics.verified.increment();
            }
            (verdict, keys.generation())
        };
        let keyring = match (&plan.keys, &self.plan.keyring) {
            (KeySource::Fixed(keys), _) => return Ok(judge(keys).0?),
            (KeySource::Url(_), Some(keyring)) => keyring,
            (KeySource::Url(_), None) => return Err(Denied::Unavailable),
        };
        let now = context.clock.now();
        let (verdict, generation) = keyring.with(now, judge).ok_or(Denied::Unavailable)?;
        let is_unknown = matches!(verdict, Err(TokenRefusal::UnknownKid));
        if is_unknown && keyring.has_others_than(generation, now).await {
            let (verdict, _) = keyring.with(context.clock.now(), judge).ok_or(Denied::Unavailable)?;
            return Ok(verdict?);
        }
        Ok(verdict?)
    }

    async fn by_password(
        &self,
        context: &Context,
        plan: &BasicPlan,
        memory: &RefCell<BasicCache>,
        request: &Request,
    ) -> Result<Rc<Claims>, Denied> {
        let now = || unix_seconds(context.clock.wall());
        let fields = request.fields.all_known(Name::Authorization);
        let checked = memory.borrow_mut().check(&plan.users, fields, now());
        let user = match checked? {
            Checked::Known(user) => {
                self.metrics.remembered.increment();
                user
            }
            Checked::Work(job) => {
                self.metrics.verified.increment();
                let outcome = self.plan.hashing.run(job).await.map_err(|_| Denied::Busy)?;
                memory.borrow_mut().finish(outcome, now())?
            }
        };
        Ok(Rc::new(Claims::of_user(&user)))
    }
}

/// The token of a request; none if there is none where it is looked for.
///
/// # Errors
/// When it cannot be told which it is.
pub(crate) fn token_of<'r>(
    place: &TokenPlace,
    request: &'r Request,
) -> Result<Option<&'r [u8]>, TokenRefusal> {
    match place {
        TokenPlace::Authorization => bearer(request.fields.all_known(Name::Authorization)),
        TokenPlace::Cookie(name) => cookie(request.fields.all_known(Name::Cookie), name),
        TokenPlace::Query(name) => query(request.query(), name),
    }
}

/// A key that nobody guesses.
fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    // The system's generator fails only where TLS could not work either.
    aws_lc_rs::rand::fill(&mut secret).expect("the system has a source of randomness");
    secret
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl From<TokenRefusal> for Denied {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<BasicRefusal> for Denied {
    fn from(refusal: BasicRefusal) -> Self {
        Self::Basic(refusal)
    }
}
