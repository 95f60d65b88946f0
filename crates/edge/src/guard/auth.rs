//! Proofs of identity: tokens and passwords, verified here rather than by the origin.

mod denied;
mod fields;
mod hashing;
mod keyring;
mod local;
mod plan;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deepwater_auth::{Claims, Method, Requirements};
use deepwater_core::config::Place;
use tokio::time::timeout_at;

use crate::config::RequiredAuth;
use crate::head::Request;
use crate::worker::{Local, Worker};

use super::Refusal;
use denied::Denied;

pub(crate) use fields::ClaimFields;
pub(crate) use local::{AuthLocal, token_of};
pub(crate) use plan::AuthPlan;

/// What a route asks.
pub(crate) struct RouteAuth {
    /// Which of all `[auth]`.
    index: usize,
    required: bool,
    requirements: Requirements,
}

impl RouteAuth {
    /// What the table says; `None` when something was reported.
    pub fn build(table: &RequiredAuth, auths: &[Arc<AuthPlan>], place: &Place<'_>) -> Option<Self> {
        let requirements = deepwater_auth::requirements(&table.claims, &place.at("claims"));
        let index = auths.iter().position(|auth| auth.name == table.name);
        if index.is_none() {
            let names = auths.iter().map(|auth| auth.name.as_str());
            place.unknown_name("auth", &table.name, "[auth]", names);
        }
        Some(Self { index: index?, required: table.required, requirements: requirements? })
    }

    /// Which of all `[auth]` it is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Verifies what the request proves, and tells the origin; none if it proves nothing and need not. Nothing is waited for
    /// longer than `until`.
    ///
    /// # Errors
    /// When it proves nothing and must, or something wrong.
    pub async fn check(
        &self,
        worker: &Rc<Worker>,
        local: &Rc<Local>,
        request: &mut Request,
        until: Option<Instant>,
    ) -> Result<Option<Rc<Claims>>, Refusal> {
        let auth = &local.auths[self.index];
        let proving = auth.prove(&worker.context, request);
        let proved = match until {
            None => proving.await,
            Some(until) => timeout_at(until.into(), proving).await.unwrap_or(Err(Denied::Late)),
        };
        let proved = proved.and_then(|claims| self.suffices(auth, claims));
        let claims = match proved {
            Ok(claims) => {
                auth.metrics.accepted.increment();
                Some(claims)
            }
            Err(denied) if denied.is_absence() && !self.required => {
                auth.metrics.anonymous.increment();
                None
            }
            Err(denied) => {
                denied.counter(&auth.metrics).increment();
                return Err(denied.refusal(&auth.plan.plan.realm));
            }
        };
        fields::tell(&mut request.fields, &auth.plan.plan.headers, claims.as_deref());
        Ok(claims)
    }

    /// Whether the claims are what this route asks for beyond what all do.
    fn suffices(&self, auth: &AuthLocal, claims: Rc<Claims>) -> Result<Rc<Claims>, Denied> {
        match self.requirements.check(&claims) {
            Ok(()) => Ok(claims),
            Err(refusal) => Err(match auth.plan.plan.method {
                Method::Token(_) => Denied::Token(refusal),
                Method::Basic(_) => Denied::NotThisUser,
            }),
        }
    }
}
