//! Shopping carts, in the memory of this instance and nowhere else.
//!
//! That is the habit that makes sticky sessions necessary: a customer sent to another instance finds an
//! empty cart, and a restart forgets them all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::catalogue::ProductId;

const MAX_SESSIONS: usize = 10_000;
const IDLE_LIMIT: Duration = Duration::from_secs(30 * 60);
const MAX_QUANTITY: u32 = 99;

/// What a customer means to buy: quantity by product. Never more than the catalogue is long.
pub(crate) type Cart = BTreeMap<ProductId, u32>;

/// A line of the cart would hold more than 99 pieces.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("A cart takes from 1 to {MAX_QUANTITY} pieces of a product.")]
pub(crate) struct QuantityError;

/// A quantity a cart takes.
pub(crate) fn check_quantity(quantity: u32) -> Result<u32, QuantityError> {
    if (1..=MAX_QUANTITY).contains(&quantity) { Ok(quantity) } else { Err(QuantityError) }
}

struct Session {
    cart: Cart,
    last_seen: Instant,
}

/// All carts of this instance, by session. Bounded: beyond 10,000 the longest idle one makes room.
#[derive(Default)]
pub(crate) struct Carts {
    sessions: Mutex<HashMap<String, Session>>,
}

impl Carts {
    /// The session's cart; `None` when this instance does not know the session.
    pub(crate) fn get(&self, session: &str) -> Option<Cart> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(session)?;
        session.last_seen = Instant::now();
        Some(session.cart.clone())
    }

    /// Adds to the session's cart. A session this instance does not know is replaced by a new one: an
    /// identifier is accepted only from whoever issued it. Returns the session that holds the cart.
    pub(crate) fn add(
        &self,
        session: Option<&str>,
        product: ProductId,
        quantity: u32,
    ) -> Result<(String, Cart), QuantityError> {
        check_quantity(quantity)?;
        let mut sessions = self.lock();
        let id = match session.filter(|id| sessions.contains_key(*id)) {
            Some(known) => known.to_owned(),
            None => {
                make_room(&mut sessions);
                new_session_id()
            }
        };
        let now = Instant::now();
        let session = sessions.entry(id.clone()).or_insert(Session { cart: Cart::new(), last_seen: now });
        session.last_seen = now;
        let held = session.cart.get(&product).copied().unwrap_or(0);
        session.cart.insert(product, check_quantity(held + quantity)?);
        Ok((id, session.cart.clone()))
    }

    /// Takes a product out of the cart; `None` when the session is unknown or the product not in its cart.
    pub(crate) fn remove(&self, session: &str, product: ProductId) -> Option<Cart> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(session)?;
        session.cart.remove(&product)?;
        session.last_seen = Instant::now();
        Some(session.cart.clone())
    }

    /// Empties the cart and hands over what was in it; `None` when there was nothing. Of two checkouts at
    /// the same moment one gets the cart.
    pub(crate) fn take(&self, session: &str) -> Option<Cart> {
        let mut sessions = self.lock();
        let cart = std::mem::take(&mut sessions.get_mut(session)?.cart);
        (!cart.is_empty()).then_some(cart)
    }

    /// How many sessions this instance holds, of how many it may.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.lock().len(), MAX_SESSIONS)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // No invariant spans two statements under the lock, so a panic elsewhere leaves the map sound.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(sessions: &mut HashMap<String, Session>) {
    if sessions.len() < MAX_SESSIONS {
        return;
    }
    sessions.retain(|_, session| session.last_seen.elapsed() < IDLE_LIMIT);
    if sessions.len() >= MAX_SESSIONS {
        let longest_idle =
            sessions.iter().min_by_key(|(_, session)| session.last_seen).map(|(id, _)| id.clone());
        if let Some(id) = longest_idle {
            sessions.remove(&id);
        }
    }
}

/// 128 random bits, in hexadecimal.
pub(crate) fn new_session_id() -> String {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random number generator is available");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_add_up_and_stay_within_bounds() {
        let carts = Carts::default();
        let (session, _) = carts.add(None, 1, 2).unwrap();
        let (same, cart) = carts.add(Some(&session), 1, 3).unwrap();
        assert_eq!((same, cart[&1]), (session.clone(), 5));

        assert_eq!(carts.add(Some(&session), 1, 95), Err(QuantityError));
        assert_eq!(carts.add(Some(&session), 2, 0), Err(QuantityError));
        assert_eq!(carts.get(&session), Some(Cart::from([(1, 5)])), "a refused quantity changes nothing");
    }

    #[test]
    fn a_session_of_another_instance_is_not_adopted() {
        let (here, there) = (Carts::default(), Carts::default());
        let (session, _) = here.add(None, 1, 1).unwrap();
        let (other, cart) = there.add(Some(&session), 2, 1).unwrap();
        assert_ne!(session, other);
        assert_eq!(cart, Cart::from([(2, 1)]));
        assert_eq!(there.get(&session), None);
    }

    #[test]
    fn one_of_two_checkouts_gets_the_cart() {
        let carts = Carts::default();
        let (session, cart) = carts.add(None, 3, 1).unwrap();
        assert_eq!(carts.take(&session), Some(cart));
        assert_eq!(carts.take(&session), None);
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let carts = Carts::default();
        for _ in 0..MAX_SESSIONS + 5 {
            carts.add(None, 1, 1).unwrap();
        }
        assert_eq!(carts.usage(), (MAX_SESSIONS, MAX_SESSIONS));
    }
}
