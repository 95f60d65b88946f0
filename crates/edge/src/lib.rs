//! The edge: HTTP and TCP in front of an application.

pub mod body;
pub mod config;
pub mod head;
pub mod http1;
pub mod hygiene;
pub mod io;
pub mod peer;
