//! The sample shop: an ordinary web application, written the way a product team would write it.
//!
//! It knows nothing of what stands in front of it, or between it and its database. It keeps carts in the memory of one
//! instance or takes as many database connections as it has requests, renders pages from data and pushes prices over a WebSocket:
//! the habits that make an application hard to scale, in a size that fits on a page.

mod accounts;
mod app;
mod artwork;
mod bill;
mod carts;
mod catalogue;
mod clock;
mod database;
pub mod load;
mod negotiation;
mod operator;
mod pages;
mod prices;
mod problem;
mod random;
mod routes;
mod server;

pub use catalogue::DEAL;
pub use prices::PriceError;
pub use server::{Options, OptionsError, serve};
