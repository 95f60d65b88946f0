//! The shop's pages. Each is a function of data and works without JavaScript.

mod cart;
mod catalogue;
mod layout;

pub(crate) use cart::{cart, order_placed};
pub(crate) use catalogue::{deal, home, listing, on_home, on_product_page, product};
pub(crate) use layout::message;
