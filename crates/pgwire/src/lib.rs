//! The PostgreSQL protocol, version 3 (PostgreSQL documentation, chapter "Frontend/Backend Protocol"): framing and
//! messages, authentication, and as much of SQL as a pooler must understand. Pure: it opens no socket and reads no clock.

pub mod auth;
pub mod message;
pub mod sql;
pub mod startup;
