//! What a cart comes to.

use crate::carts::Cart;
use crate::catalogue::{self, Product};
use crate::prices::{Euros, PriceList};

/// One product of a cart, priced.
pub(crate) struct Line {
    pub(crate) product: &'static Product,
    pub(crate) quantity: u32,
    pub(crate) amount: Euros,
}

/// The lines of `cart` at these prices.
pub(crate) fn lines(cart: &Cart, prices: &PriceList) -> Vec<Line> {
    cart.iter()
        .filter_map(|(&id, &quantity)| {
            let product = catalogue::find(id)?;
            Some(Line { product, quantity, amount: prices.of(product).price.times(quantity) })
        })
        .collect()
}

/// The sum of all lines.
pub(crate) fn total(lines: &[Line]) -> Euros {
    lines.iter().map(|line| line.amount).sum()
}
