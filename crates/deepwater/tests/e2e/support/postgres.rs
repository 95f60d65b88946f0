//! Real PostgreSQL servers, the pooler in front of them, and the programs that applications use.

mod folder;
mod place;
mod pooler;
mod program;
mod server;

pub use place::Place;
pub use pooler::{Pooler, Setup};
pub use program::{node, pgbench, psql, python};
pub use server::{Database, Postgres, Version};
