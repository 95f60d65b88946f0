//! What a request must pass before anything is done for it: its address, its rate, its proof of identity.
//!
//! Cheapest first. A route without guards has none of this: it is not even looked at.

pub(crate) mod auth;
mod build;
mod rate;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deepwater_auth::{AddressList, Claims};

use crate::failure::Failure;
use crate::head::{Fields, Request};
use crate::route::Captures;
use crate::worker::{Local, Worker};

pub(crate) use build::{Builder, claim_fields};
pub(crate) use rate::RateState;

use auth::{ClaimFields, RouteAuth};
use rate::Rate;

/// The guards of a route.
pub(crate) struct Guard {
    addresses: Option<AddressList>,
    /// Rates by what is known before anything is verified.
    rates: Vec<Rate>,
    auth: Option<RouteAuth>,
    /// What clients may not say, though the route itself may ask for no proof.
    claim_fields: Arc<ClaimFields>,
    /// Rates by verified claims.
    claim_rates: Vec<Rate>,
}

/// What is known of a request that passed.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// What it proved.
    pub claims: Option<Rc<Claims>>,
    /// Where the rate nearest to its limit stands.
    pub rate: Option<RateState>,
}

/// Why a request did not pass, and what the client is told beside that.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub failure: Failure,
    pub fields: Vec<(&'static [u8], Vec<u8>)>,
}

impl Refusal {
    pub fn new(failure: Failure) -> Self {
        Self { failure, fields: Vec::new() }
    }

    /// With a field for the client.
    pub fn with(mut self, name: &'static [u8], value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

impl Guard {
    /// Removes what a client says of who has come: that is the guards' alone to say.
    pub fn clean(&self, fields: &mut Fields) {
        if !self.claim_fields.is_empty() {
            self.claim_fields.remove_from(fields);
        }
    }

    /// Lets a request of that time pass what needs no proof, or says why not.
    pub fn admit(
        &self,
        request: &Request,
        captures: &Captures,
        (client_ip, now): (IpAddr, Instant),
    ) -> Result<Admitted, Refusal> {
        if let Some(addresses) = &self.addresses
            && !addresses.allows(client_ip)
        {
            return Err(Refusal::new(Failure::Forbidden));
        }
        let mut admitted = Admitted::default();
        for rate in &self.rates {
            rate.take(request, captures, None, (client_ip, now), &mut admitted.rate)?;
        }
        Ok(admitted)
    }

    /// Which of all `[auth]` it asks for.
    pub fn auth(&self) -> Option<usize> {
        self.auth.as_ref().map(RouteAuth::index)
    }

    /// Whether [`Self::verify`] has anything to do.
    pub fn verifies(&self) -> bool {
        self.auth.is_some() || !self.claim_rates.is_empty()
    }

    /// Lets an admitted request pass by what it proves, or says why not. What it proves is told in its fields, which are
    /// [clean](Self::clean) by then. Nothing is waited for longer than `until`.
    #[allow(clippy::too_many_arguments)]
    pub async fn verify(
        &self,
        worker: &Rc<Worker>,
        local: &Rc<Local>,
        request: &mut Request,
        captures: &Captures,
        (client_ip, now): (IpAddr, Instant),
        until: Option<Instant>,
        admitted: &mut Admitted,
    ) -> Result<(), Refusal> {
        if let Some(auth) = &self.auth {
            admitted.claims = auth.check(worker, local, request, until).await?;
        }
        for rate in &self.claim_rates {
            let claims = admitted.claims.as_deref();
            rate.take(request, captures, claims, (client_ip, now), &mut admitted.rate)?;
        }
        Ok(())
    }

    /// Keys whose counts were forgotten too early by its rates, if it has any.
    pub fn forgotten_keys(&self) -> Option<u64> {
        self.rates.iter().chain(&self.claim_rates).map(Rate::forgotten_keys).reduce(|all, more| all + more)
    }

    /// Whether a field is the guard's alone to write.
    pub fn owns(&self, name: &[u8]) -> bool {
        self.claim_fields.has(name)
    }
}
