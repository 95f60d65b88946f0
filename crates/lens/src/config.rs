//! The `[lens]` table.

use std::path::{Path, PathBuf};

use deepwater_core::config::{Bitrate, Duration, Place, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::out::webhook;

/// The lens: measures once a second, says which scalability cliff is next and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it measures at all. Without it there are no cliffs, no advice and no signals; all else is the same.
    pub enabled: bool,
    /// A longer wait than this, for one request in twenty, counts as over the cliff.
    pub target: Duration,
    /// Memory for what was measured: a second for ten minutes, ten for six hours, a minute for fourteen days. Series that find
    /// no room are dropped, and counted.
    pub memory: Size,
    /// A file that what was measured is kept in, every ten minutes and when the process ends, and read from when it starts.
    /// Beside it, with `.advice.json` behind its name, is kept what advice was dismissed or followed, at once. None by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PathBuf>,
    /// Limits that the machine does not tell, or that are tighter than what it tells.
    pub limits: Limits,
    /// Where the system's files are.
    pub system: System,
    /// Who is told when the level of a cliff changes, or something is wrong with the answers. Nobody by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<webhook::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            target: Duration::from_millis(100),
            memory: Size::from_mib(48),
            snapshot: None,
            limits: Limits::default(),
            system: System::default(),
            webhook: None,
        }
    }
}

/// Limits that the machine does not tell, or that are tighter than what it tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory that the application's processes may use. By default what the machine or their group has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// What the network link is good for, each way. By default what the interface says; virtual machines often say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Bitrate>,
    /// Cores there are to use. By default those of the machine, less what a quota forbids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
}

/// Where the system's files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct System {
    /// The process file system: another one where the host's is mounted into a container.
    pub proc: PathBuf,
    /// The system file system, likewise.
    pub sys: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// Less holds too few series to say anything.
const LEAST_MEMORY: Size = Size::from_mib(4);

impl Config {
    /// Reports what the types cannot say. Relative paths start at `directory`.
    pub fn validate(&self, place: &Place<'_>, directory: &Path) {
        if self.memory < LEAST_MEMORY {
            place.at("memory").problem_with_fix(
                format!("{} is too little to measure anything with", self.memory),
                format!("give it {LEAST_MEMORY} or more, or set `enabled = false`"),
            );
        }
        if self.target.is_zero() {
            place.at("target").problem_with_fix("every wait is longer than none", "write \"100ms\"");
        }
        if let Some(webhook) = &self.webhook {
            webhook.validate(&place.at("webhook"), directory);
        }
        if let Some(file) = &self.snapshot {
            let file = directory.join(file);
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            if !folder.is_dir() {
                place.at("snapshot").problem_with_fix(
                    format!("there is no directory {}", folder.display()),
                    "make it, and let Deepwater's user write there; or leave snapshot out",
                );
            } else if file.is_dir() {
                place.at("snapshot").problem_with_fix(
                    format!("{} is a directory", file.display()),
                    "name a file: it is made when it is not there",
                );
            }
        }
        let limits = place.at("limits");
        if self.limits.memory.is_some_and(|memory| memory.bytes() == 0) {
            limits
                .at("memory")
                .problem_with_fix("nothing runs without memory", "leave it out, or write \"2GiB\"");
        }
        if self.limits.network.is_some_and(|network| network.bytes() == 0.0) {
            limits
                .at("network")
                .problem_with_fix("nothing passes such a link", "leave it out, or write \"1Gbit\"");
        }
        if self.limits.cores == Some(0) {
            limits.at("cores").problem_with_fix("nothing runs without a core", "leave it out, or write 4");
        }
    }
}

#[cfg(test)]
mod tests {
    use deepwater_core::config::Document;

    use super::*;

    fn problems(text: &str, directory: &Path) -> String {
        let document = Document::parse(text, "deepwater.toml").unwrap();
        let config: Config = document.decode().unwrap();
        let checker = document.checker();
        config.validate(&checker.root(), directory);
        checker.finish().map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn what_would_fail_at_the_start_is_told_with_its_place_and_fix() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        let told = |text: &str| problems(text, folder.path());
        assert_eq!(told("snapshot = \"lens.state\""), "");
        for (text, words) in [
            ("snapshot = \"nowhere/lens.state\"", ["1: snapshot: there is no directory", "make it"]),
            ("snapshot = \"taken\"", ["1: snapshot: ", "is a directory"]),
            (
                "[webhook]\nurl = \"env:DEEPWATER_NOT_SET\"",
                ["2: webhook.url: ", "`DEEPWATER_NOT_SET` is not set"],
            ),
            ("[webhook]\nurl = \"file:nothing\"", ["2: webhook.url: ", "fix: write it there"]),
            ("[webhook]\nurl = \"alerts\"", ["2: webhook.url: ", "https://alerts.example"]),
            (
                "[webhook]\nurl = \"https://a.example\"\ntoken = \"file:nothing\"",
                ["3: webhook.token: ", "nothing"],
            ),
        ] {
            let told = told(text);
            assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
        }
    }
}
