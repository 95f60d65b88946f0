//! Deepwater: the scaling layer of a web application, in one binary.

mod cache_size;
mod check;
mod cli;
mod client;
mod console;
mod demo;
mod notify;
mod pgbouncer;
mod purge;
mod reload;
mod run;
mod seen;
mod settings;
mod status;
mod table;
mod terminal;
mod top;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
