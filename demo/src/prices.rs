//! What a product costs right now.
//!
//! Most prices are a function of product and time alone, so instances agree without talking to each other. Some
//! stand until somebody sets another: that of the deal of the week, and whatever an operator has set.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};

use crate::catalogue::{self, DEAL, Product, ProductId};
use crate::clock::unix_seconds;

/// What the deal of the week costs at first.
pub(crate) const DEAL_PRICE: Euros = Euros { cents: 10_900 };
/// The highest price that can be set.
const HIGHEST: Euros = Euros { cents: 10_000_000 };

/// How long a price stands.
const STEP_SECONDS: u64 = 10;

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Euros {
    pub(crate) cents: u64,
}

impl Euros {
    pub(crate) fn times(self, quantity: u32) -> Self {
        Self { cents: self.cents * u64::from(quantity) }
    }
}

impl std::iter::Sum for Euros {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self { cents: amounts.map(|amount| amount.cents).sum() }
    }
}

impl fmt::Display for Euros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

impl Serialize for Euros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.cents as f64 / 100.0)
    }
}

/// A price and the moment it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) price: Euros,
    /// Unix seconds.
    pub(crate) since: u64,
}

/// A price that cannot be set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Nothing has this number.
    #[error("There is no product {0}.")]
    NoSuchProduct(ProductId),
    /// Nothing costs this.
    #[error("A price is from 0.01 to {HIGHEST}.")]
    OutOfRange,
}

/// Whether a product may cost this.
pub(crate) fn check(product: ProductId, price: Euros) -> Result<(), PriceError> {
    catalogue::find(product).ok_or(PriceError::NoSuchProduct(product))?;
    if price.cents == 0 || price > HIGHEST {
        return Err(PriceError::OutOfRange);
    }
    Ok(())
}

/// The prices of one instance that has them in memory.
pub(crate) struct Prices {
    /// Those that stand; at most one per product.
    standing: Mutex<BTreeMap<ProductId, Quote>>,
}

impl Prices {
    /// The deal's price stands, and those given in cents do.
    ///
    /// # Errors
    /// One of them is no price of the shop.
    pub(crate) fn new(given: &BTreeMap<ProductId, u64>) -> Result<Self, PriceError> {
        let prices = Self { standing: Mutex::default() };
        prices.set(DEAL, DEAL_PRICE)?;
        for (&product, &cents) in given {
            prices.set(product, Euros { cents })?;
        }
        Ok(prices)
    }

    /// From now on a product costs this.
    pub(crate) fn set(&self, product: ProductId, price: Euros) -> Result<(), PriceError> {
        check(product, price)?;
        self.lock().insert(product, Quote { price, since: unix_seconds() });
        Ok(())
    }

    /// All prices as they are now: what is shown together belongs together.
    pub(crate) fn now(&self) -> PriceList {
        PriceList::new(unix_seconds(), self.lock().clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProductId, Quote>> {
        // A single statement runs under the lock, so a panic elsewhere leaves the map sound.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The prices of one moment.
pub(crate) struct PriceList {
    /// Unix seconds.
    pub(crate) now: u64,
    standing: BTreeMap<ProductId, Quote>,
}

impl PriceList {
    /// Of the moment `now` (Unix seconds), at which these prices stand.
    pub(crate) fn new(now: u64, standing: BTreeMap<ProductId, Quote>) -> Self {
        Self { now, standing }
    }

    pub(crate) fn of(&self, product: &Product) -> Quote {
        self.standing.get(&product.id).copied().unwrap_or_else(|| drifting(product, self.now))
    }
}

/// The price of `product` at `now` (Unix seconds): within 8 % of its list price, changing every 10 s.
/// Each product changes at its own second, so that not all of them change at once.
fn drifting(product: &Product, now: u64) -> Quote {
    let offset = u64::from(product.id) * 7 % STEP_SECONDS;
    let since = ((now + offset) / STEP_SECONDS * STEP_SECONDS).saturating_sub(offset);
    // Two waves of different length: a path that looks like a market's and never leaves its band.
    let phase = f64::from(product.id) * 0.7;
    let wave = |period: f64| (since as f64 % period / period * TAU + phase).sin();
    let swing = 0.05 * wave(600.0) + 0.03 * wave(170.0);
    let cents = (f64::from(product.list_price_cents) * (1.0 + swing)).round();
    Quote { price: Euros { cents: cents as u64 }, since }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::PRODUCTS;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_price_stays_within_its_band_and_moves() {
        for product in &PRODUCTS {
            let list = f64::from(product.list_price_cents);
            let prices: Vec<u64> = (NOW..NOW + 600).map(|t| drifting(product, t).price.cents).collect();
            for &cents in &prices {
                assert!((cents as f64 - list).abs() <= list * 0.08 + 1.0, "{}: {cents}", product.name);
            }
            assert!(prices.iter().min() < prices.iter().max(), "{} never moves", product.name);
        }
    }

    #[test]
    fn a_price_stands_for_ten_seconds() {
        for product in &PRODUCTS {
            let mut changes = 0;
            for t in NOW..NOW + 100 {
                let (now, next) = (drifting(product, t), drifting(product, t + 1));
                assert!(now.since <= t && t - now.since < STEP_SECONDS);
                changes += u32::from(now.since != next.since);
            }
            assert_eq!(changes, 10);
        }
    }

    #[test]
    fn a_price_that_was_set_stands() {
        let tent = catalogue::find(1).unwrap();
        let deal = catalogue::deal();
        let prices = Prices::new(&BTreeMap::from([(1, 19_950)])).unwrap();
        assert_eq!(prices.now().of(tent).price.to_string(), "199.50");
        assert_eq!(prices.now().of(deal).price, DEAL_PRICE);

        let before = prices.now();
        prices.set(DEAL, Euros { cents: 9_900 }).unwrap();
        assert_eq!(prices.now().of(deal).price.cents, 9_900);
        assert_eq!(before.of(deal).price, DEAL_PRICE, "what was read together stays together");
    }

    #[test]
    fn what_is_no_price_changes_nothing() {
        let prices = Prices::new(&BTreeMap::new()).unwrap();
        assert_eq!(prices.set(99, DEAL_PRICE), Err(PriceError::NoSuchProduct(99)));
        for cents in [0, HIGHEST.cents + 1] {
            assert_eq!(prices.set(DEAL, Euros { cents }), Err(PriceError::OutOfRange));
        }
        assert_eq!(prices.now().of(catalogue::deal()).price, DEAL_PRICE);
        assert!(Prices::new(&BTreeMap::from([(0, 100)])).is_err());
    }
}
