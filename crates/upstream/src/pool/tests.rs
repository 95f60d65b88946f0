//! Pools over time: by hand, and run.

mod ejection;
mod reload;
mod running;
mod threads;
