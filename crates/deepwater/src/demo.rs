//! `deepwater demo`.

use crate::cli::Failure;

/// What the demo takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Commands the demo gives itself.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Hidden {}

pub(crate) fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Ok(())
}

pub(crate) fn hidden(hidden: Hidden) -> Result<(), Failure> {
    match hidden {}
}
