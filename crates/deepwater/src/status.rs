//! `deepwater status`.

use crate::cli::Failure;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Ok(())
}
