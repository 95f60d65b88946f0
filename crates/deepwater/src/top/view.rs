//! What is shown at one moment: four pages of the console.

use serde::Deserialize;

use super::figures::Figures;
use crate::cli::Failure;
use crate::console::{Console, understood};
use crate::seen::{Advised, Cliffs};

/// Everything at one moment.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub status: Status,
    pub cliffs: Cliffs,
    pub advised: Advised,
    pub figures: Figures,
}

/// `/api/status`, as far as it is shown.
#[derive(Deserialize, Clone, Debug, Default)]
pub(super) struct Status {
    pub version: String,
    pub pid: u32,
    pub uptime_seconds: f64,
    pub phase: String,
}

impl View {
    /// Asks for all of it.
    ///
    /// # Errors
    /// The console does not answer, or its lens is off.
    pub(super) async fn ask(console: &Console) -> Result<Self, Failure> {
        let status = understood(&console.page("/api/status").await?)?;
        let Some(cliffs) = console.newer_page("/api/cliffs").await? else {
            return Err(Failure::Running(
                "the lens is off, and nothing else measures\n  fix: set `enabled = true` in the [lens] table; \
                 `deepwater status` shows what is known without it"
                    .into(),
            ));
        };
        let advised = understood(&console.page("/api/advice").await?)?;
        let signals = understood(&console.page("/api/signals").await?)?;
        Ok(Self { status, cliffs: understood(&cliffs)?, advised, figures: Figures::of(signals) })
    }
}
