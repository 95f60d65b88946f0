//! The `[lens]` table.

use std::path::PathBuf;

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
    /// A file that what was measured is kept in when the process ends, and read from when it starts. None by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PathBuf>,
    /// Limits that the machine does not tell, or that are tighter than what it tells.
    pub limits: Limits,
    /// Where the system's files are.
    pub system: System,
    /// Who is told when the level of a cliff changes. Nobody by default.
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
    /// Reports what the types cannot say.
    pub fn validate(&self, place: &Place<'_>) {
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
            webhook.validate(&place.at("webhook"));
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
