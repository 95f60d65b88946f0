//! What a product costs right now.
//!
//! The price is a function of product and time alone, so instances agree without talking to each other.

use std::f64::consts::TAU;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::catalogue::Product;

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

/// The price of `product` at `now` (Unix seconds): within 8 % of its list price, changing every 10 s.
/// Each product changes at its own second, so that not all of them change at once.
pub(crate) fn quote(product: &Product, now: u64) -> Quote {
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
            let prices: Vec<u64> = (NOW..NOW + 600).map(|t| quote(product, t).price.cents).collect();
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
                let (now, next) = (quote(product, t), quote(product, t + 1));
                assert!(now.since <= t && t - now.since < STEP_SECONDS);
                changes += u32::from(now.since != next.since);
            }
            assert_eq!(changes, 10);
        }
    }
}
