//! One attempt at a request: the hold it has on its key, from its beginning to its outcome.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::event;
use tokio::time::sleep;

use super::answer::Kept;
use super::digest::Digest;
use super::keeper::Keeper;
use super::pipe::Pipe;
use super::plan::KeyPlan;
use super::store::{Hold, Owner};

/// How often an answer is offered to a store that fails.
const MOST_OFFERS: u32 = 5;

event! {
    /// An answer could not be stored: its repeats are told that its outcome is unknown.
    pub struct IdempotentAnswerLost { reason: String }
    idempotent_answer_lost: Warn, "the answer of a request with an idempotency key could not be stored: {reason}"
}

/// A request that is to be done once.
pub(crate) struct Attempt {
    keeper: Rc<Keeper>,
    plan: Arc<KeyPlan>,
    lookup: Digest,
    owner: Owner,
    was_sent: Cell<bool>,
    is_lost: Cell<bool>,
}

/// Why a request may not be sent: its hold is lost, or the store cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MayNotSend;

/// What an attempt has come to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It had no effect, or one that may be repeated: its key is free.
    Free,
    /// This is for its repeats.
    Finished(Arc<Kept>),
    /// Nobody knows. Its key is held until its lease runs out.
    Unknown,
}

impl Attempt {
    pub(super) fn new(keeper: Rc<Keeper>, plan: Arc<KeyPlan>, lookup: Digest, owner: Owner) -> Self {
        Self { keeper, plan, lookup, owner, was_sent: Cell::new(false), is_lost: Cell::new(false) }
    }

    pub(super) fn plan(&self) -> &KeyPlan {
        &self.plan
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Whether the request may have reached an origin.
    pub(super) fn was_sent(&self) -> bool {
        self.was_sent.get()
    }

    /// To be called before the first byte goes to an origin, and again before each further try: once the store knows
    /// that the request may have taken effect, it never becomes free by itself.
    ///
    /// # Errors
    /// When nothing may be sent.
    pub async fn sending(&self) -> Result<(), MayNotSend> {
        if self.is_lost.get() {
            return Err(MayNotSend);
        }
        if self.was_sent.get() {
            return Ok(());
        }
        let step = self.keeper.store().sending(&self.lookup, self.owner, self.plan.terms).await;
        let may = match self.keeper.heard(step) {
            Ok(Hold::Held) => true,
            // Others may have sent it meanwhile.
            Ok(Hold::Lost) => false,
            Err(_) => self.keeper.passes_uncovered(),
        };
        self.was_sent.set(may);
        self.is_lost.set(!may);
        may.then_some(()).ok_or(MayNotSend)
    }

    /// Drives an exchange and holds the key meanwhile. When the client has left, the exchange goes on for one lease.
    pub(super) async fn drive(&self, exchange: impl Future<Output = ()>, pipe: &Pipe) {
        let lease = self.plan.terms.lease;
        let renewing = async {
            loop {
                sleep(lease / 3).await;
                let step = self.keeper.store().renew(&self.lookup, self.owner, self.plan.terms).await;
                if matches!(self.keeper.heard(step), Ok(Hold::Lost)) {
                    // What comes of it can still be told to the client, but to nobody else.
                    self.is_lost.set(true);
                    return std::future::pending::<()>().await;
                }
            }
        };
        let deserted = async {
            pipe.gone().await;
            sleep(lease).await;
        };
        let (mut exchange, mut renewing, mut deserted) = (pin!(exchange), pin!(renewing), pin!(deserted));
        tokio::select! {
            biased;
            () = &mut exchange => {}
            () = &mut renewing => {}
            () = &mut deserted => {}
        }
    }

    /// Tells the store what has become of it.
    ///
    /// # Errors
    /// When the store fails; it is worth telling it [again](Self::insist).
    pub(super) async fn settle(&self, outcome: &Outcome) -> Result<(), String> {
        let store = self.keeper.store();
        let step = match outcome {
            Outcome::Free => store.abandon(&self.lookup, self.owner).await,
            Outcome::Finished(kept) => {
                store.finish(&self.lookup, self.owner, Arc::clone(kept), self.plan.terms.keep).await
            }
            Outcome::Unknown => return Ok(()),
        };
        // A hold that was lost is for whoever has it now to settle.
        self.keeper.heard(step).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Tells the store again and again, for less than a lease.
    pub(super) async fn insist(&self, outcome: &Outcome, mut reason: String) {
        let mut pause = Duration::from_millis(100).min(self.plan.terms.lease / 32);
        for _ in 1..MOST_OFFERS {
            sleep(pause).await;
            pause *= 2;
            match self.settle(outcome).await {
                Ok(()) => return,
                Err(error) => reason = error,
            }
        }
        if let Outcome::Finished(_) = outcome {
            self.keeper.events().emit(IdempotentAnswerLost { reason });
        }
    }
}
