//! Deepwater: the scaling layer of a web application, in one binary.

mod check;
mod cli;
mod demo;
mod run;
mod settings;
mod status;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
