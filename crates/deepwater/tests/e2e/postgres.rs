//! The PostgreSQL pooler: real servers behind it, real clients before it.

mod conversations;
mod programs;
mod servers;
