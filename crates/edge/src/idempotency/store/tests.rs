//! One suite for every store, run against memory and against a real Redis, and the two compared step by step.

mod compared;
mod crowd;
mod full;
mod lost;
mod rig;
mod suite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::config::UnknownOutcome;
use crate::head::Fields;
use crate::idempotency::answer::{Answer, Kept};
use crate::idempotency::digest::{Digest, Digesting};

use super::{Begun, Hold, Owner, Store, StoreError, Terms};
use rig::{MemoryRig, RedisRig, Rig};

const SECOND: Duration = Duration::from_secs(1);

const TERMS: Terms = Terms {
    lease: Duration::from_secs(10),
    keep: Duration::from_secs(60),
    unknown: UnknownOutcome::Conflict,
};

fn digest(name: &str) -> Digest {
    let mut digesting = Digesting::new("test");
    digesting.part(name.as_bytes());
    digesting.finish()
}

fn owner(number: u8) -> Owner {
    Owner([number; 24])
}

fn kept(body: &str) -> Arc<Kept> {
    let mut fields = Fields::default();
    fields.add(b"location", b"/orders/7");
    let body = Bytes::copy_from_slice(body.as_bytes());
    let answer = Answer { status: StatusCode::CREATED, fields, body, trailers: Fields::default() };
    Arc::new(Kept::Whole(Arc::new(answer)))
}

/// What was found, in a word, for comparing.
fn word(begun: &Begun) -> String {
    match begun {
        Begun::Fresh => "fresh".into(),
        Begun::InFlight(_) => "in flight".into(),
        Begun::Done(kept) => match &**kept {
            Kept::Whole(answer) => format!("done: {}", String::from_utf8_lossy(&answer.body)),
            Kept::TooLarge(status) => format!("too large: {status}"),
        },
        Begun::Mismatch => "mismatch".into(),
        Begun::Unknown => "unknown".into(),
        Begun::Full => "full".into(),
    }
}
