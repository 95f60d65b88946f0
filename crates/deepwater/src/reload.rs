//! `deepwater reload`: has a running Deepwater read its configuration file again.

use std::time::Duration;

use serde::Deserialize;

use crate::cli::{Failure, print};
use crate::console::{self, deal, pretty, understood};

/// A reload waits for the keys of tokens and for cores that are busy, some 10 and 5 s.
const DEADLINE: Duration = Duration::from_secs(30);

/// Whom to tell.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    console: console::Arguments,
    /// Print the console's answer, which is JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let answer =
        deal(&arguments.console, async |console| console.slow_command("/api/reload", DEADLINE).await)?;
    let text = if arguments.json { pretty(&answer) } else { understood::<Answer>(&answer)?.sentences() };
    print(text.as_bytes())
}

/// What the console says has changed.
#[derive(Deserialize)]
struct Answer {
    changed: Vec<String>,
    unchanged: usize,
    needs_restart: Vec<String>,
}

impl Answer {
    /// One for each thing.
    fn sentences(&self) -> String {
        let changed = self.changed.iter().map(|key| format!("changed {key}\n"));
        let restart = self.needs_restart.iter().map(|key| format!("needs a restart: {key}\n"));
        let rest = format!("{} settings are as they were\n", self.unchanged);
        changed.chain(restart).chain([rest]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sentence_for_each_thing() {
        let answer =
            json!({ "changed": ["pools.app.targets"], "unchanged": 7, "needs_restart": ["cache.memory"] });
        let told = understood::<Answer>(&answer).ok().map(|answer| answer.sentences());
        let expected =
            "changed pools.app.targets\nneeds a restart: cache.memory\n7 settings are as they were\n";
        assert_eq!(told.as_deref(), Some(expected));
    }
}
