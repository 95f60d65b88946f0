//! The pool: between an application and its PostgreSQL. Thousands of client connections run on a few server
//! connections, with back-pressure in place of collapse.
//!
//! A client is accepted and logged in ([`login`]), and from then on a [`session`]: what it says is passed to a server
//! connection that the [`ledger`] lends it for a transaction. Connections are opened by [`connect`].

mod admin;
mod advice;
mod ask;
mod cancel;
mod cleaning;
mod clients;
pub mod config;
mod connect;
mod control;
mod events;
pub mod hba;
mod history;
mod janitor;
mod keepalive;
mod ledger;
mod lines;
mod login;
mod measure;
mod notify;
pub mod pgbouncer;
mod plan;
mod plane;
mod pools;
mod replication;
mod secrets;
mod server;
mod session;
mod settings;
mod shared;
mod statements;
mod stream;
mod talk;
pub mod userlist;
mod worker;

pub use config::Config;
pub use control::{Control, Ending, SettingRow, Settings};
pub use plan::{Face, validate};
pub use plane::{Bound, Handle, StartError, start};
