//! The pool: between an application and its PostgreSQL. Thousands of client connections run on a few server
//! connections, with back-pressure in place of collapse.

pub mod config;
pub mod hba;
mod lines;
pub mod pgbouncer;
pub mod userlist;

pub use config::Config;
