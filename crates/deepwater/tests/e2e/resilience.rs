//! Servers that fail, are slow, or are asked too much: what the client gets, and what the servers are spared.

mod breakers;
mod deadlines;
mod overload;
mod retries;
mod stalls;
