//! Real PostgreSQL servers, the pooler in front of them, and the programs that applications use.

mod eavesdropper;
mod encrypted;
mod folder;
mod place;
mod pooler;
mod program;
mod server;

pub use eavesdropper::Eavesdropper;
pub use folder::tools;
pub use place::Place;
pub use pooler::{Pooler, Setup};
pub use program::{node, pgbench, psql, psql_over, python};
pub use server::{Database, Postgres, Version};
