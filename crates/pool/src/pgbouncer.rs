//! PgBouncer's configuration: `pgbouncer.ini` as PgBouncer 1.25 reads it, translated into [`Config`] and, for what is not
//! about pooling, [`Process`]. Facts come from PgBouncer's documentation; nothing is guessed in silence: what cannot be
//! meant here is refused by name, what has no effect is noted.

mod connstr;
mod databases;
mod draft;
mod equivalent;
mod files;
mod ini;
mod listen;
mod methods;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod users;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::config::{Problem, Problems, nearest};

use crate::config::Config;
use crate::lines::Fault;
use ini::{Ini, Spot};
use settings::{OTHERS, SETTINGS, Setting};
use value::Value;

pub use files::{Files, SystemFiles};

/// The version of PgBouncer this stands in for.
pub const VERSION: &str = "1.25.2";

/// Values that were given, by setting, and where.
type Given = BTreeMap<&'static str, (Value, Option<Spot>)>;

/// A configuration that was read. SET and RELOAD make another of it.
#[derive(Clone)]
pub struct Loaded {
    /// The pooler.
    pub config: Config,
    /// The process around it.
    pub process: Process,
    /// What is understood and does less here than it says.
    pub notes: Vec<Note>,
    ini: Ini,
    given: Given,
    directory: PathBuf,
    files: Arc<dyn Files>,
}

/// What PgBouncer's configuration says about the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// The file the configuration is read from, now and at the next RELOAD.
    pub conffile: PathBuf,
    /// The log file, reopened on RELOAD.
    pub logfile: Option<PathBuf>,
    /// Where the process's number is written.
    pub pidfile: Option<PathBuf>,
    /// The system's user to become.
    pub user: Option<String>,
    /// Log to the system's log too.
    pub syslog: Option<Syslog>,
    /// How much is logged: 0 to 3.
    pub verbose: u8,
    /// Between two rounds of averages (`SHOW STATS`).
    pub stats_period: Duration,
    /// The port of TCP listeners, and the number in the name of Unix sockets.
    pub listen_port: u16,
    /// The directory of the Unix socket; one that starts with `@` is in the abstract namespace.
    pub unix_socket_dir: Option<String>,
}

/// How the system's log is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Syslog {
    /// `daemon`, `local0`, …
    pub facility: String,
    /// The name lines start with.
    pub ident: String,
}

/// Something that is understood and does less than it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file as it was named; `None` for what was not read from one.
    pub file: Option<String>,
    /// Its line, counted from 1.
    pub line: Option<usize>,
    /// The setting, or `[databases] name`.
    pub key: String,
    /// A sentence without a full stop.
    pub what: String,
}

/// A row of SHOW CONFIG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRow {
    /// The setting.
    pub key: &'static str,
    /// Its value; `None` for NULL.
    pub value: Option<String>,
    /// Its default; `None` for NULL.
    pub default: Option<&'static str>,
    /// Whether SET and RELOAD change it.
    pub changeable: bool,
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, each with file, line, reason and fix.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    // Without a current directory relative names lead nowhere, and are reported as files that cannot be read.
    load_with(path, &std::env::current_dir().unwrap_or_default(), Arc::new(SystemFiles))
}

/// Reads a file; `directory` is where relative names start, the process's own.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, directory: &Path, files: Arc<dyn Files>) -> Result<Loaded, Problems> {
    let ini = ini::read(path, directory, &*files).map_err(Problems::from)?;
    let (mut given, mut problems) = values(&ini);
    let conffile = Value::Text(path.display().to_string());
    given.entry("conffile").or_insert((conffile, None));
    match draft::derive(&ini, &given, directory, &*files) {
        Ok((config, process, notes)) if problems.is_empty() => {
            Ok(Loaded { config, process, notes, ini, given, directory: directory.to_owned(), files })
        }
        Ok(_) => Err(problems.into()),
        Err(more) => {
            problems.extend(more);
            Err(problems.into())
        }
    }
}

fn values(ini: &Ini) -> (Given, Vec<Problem>) {
    let mut given = Given::new();
    let mut problems = Vec::new();
    for entry in &ini.settings {
        let read = find(&entry.key).and_then(|setting| Ok((setting.name, setting.read(&entry.value)?)));
        match read {
            Ok((name, value)) => {
                given.insert(name, (value, Some(entry.spot.clone())));
            }
            Err(fault) => problems.push(entry.spot.problem(&entry.key, fault)),
        }
    }
    (given, problems)
}

fn find(key: &str) -> Result<&'static Setting, Fault> {
    if let Some(setting) = Setting::named(key) {
        return Ok(setting);
    }
    if let Some((_, why)) = OTHERS.iter().find(|(name, _)| *name == key) {
        return Err(Fault::new(format!("`{key}` is not supported: {why}")).fix("remove it"));
    }
    let near = nearest(key, SETTINGS.iter().map(|setting| setting.name));
    let fix = near.map_or_else(|| "remove it".to_owned(), |near| format!("remove it, or write {near}"));
    Err(Fault::new(format!("there is no setting `{key}` in PgBouncer {VERSION}")).fix(fix))
}

impl Loaded {
    /// The rows of SHOW CONFIG.
    pub fn show(&self) -> Vec<ConfigRow> {
        let row = |setting: &Setting| {
            let default = || setting.default.and_then(|text| setting.read(text).ok());
            let given = self.given.get(setting.name).map(|(value, _)| value.clone());
            let value = given.or_else(default).map(|value| value.show());
            // C has no number that is not set.
            let unset = matches!(setting.shape(), value::Shape::Count(_)).then(|| "0".to_owned());
            ConfigRow {
                key: setting.name,
                value: value.or(unset),
                default: setting.default,
                changeable: setting.changeable,
            }
        };
        SETTINGS.iter().map(row).collect()
    }

    /// Changes one setting, as SET does: until the next RELOAD.
    ///
    /// # Errors
    /// When there is no such setting, its value cannot be, or it changes at the start only; then nothing changes.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let refused = |fault: Fault| fault.at(None, None, "").to_string();
        let setting = find(key).map_err(refused)?;
        if !setting.changeable {
            return Err(format!("`{key}` changes at the start of the process only"));
        }
        let mut given = self.given.clone();
        given.insert(setting.name, (setting.read(value).map_err(refused)?, None));
        self.derive(given).map_err(|problems| problems.to_string())
    }

    /// Reads the file again, as RELOAD does. What changes at the start only stays as it is, and is noted if the file
    /// says otherwise now.
    ///
    /// # Errors
    /// As [`load`]; then nothing changes.
    pub fn reload(&mut self) -> Result<(), Problems> {
        let mut fresh = load_with(&self.process.conffile, &self.directory, Arc::clone(&self.files))?;
        let mut given = fresh.given.clone();
        let mut kept = Vec::new();
        for setting in SETTINGS.iter().filter(|setting| !setting.changeable) {
            let old = self.given.get(setting.name);
            let new = given.get(setting.name);
            if old.map(|(value, _)| value) == new.map(|(value, _)| value) {
                continue;
            }
            let spot = new.and_then(|(_, spot)| spot.as_ref());
            kept.push(Note {
                file: spot.map(|spot| spot.file.to_string()),
                line: spot.map(|spot| spot.line),
                key: setting.name.to_owned(),
                what: "changes at the next start of the process only".to_owned(),
            });
            match old {
                Some(old) => given.insert(setting.name, old.clone()),
                None => given.remove(setting.name),
            };
        }
        fresh.derive(given)?;
        fresh.notes.extend(kept);
        *self = fresh;
        Ok(())
    }

    /// The same as `deepwater.toml`: what differs from the defaults, and as comments what has no place there. Passwords
    /// become references to environment variables, which the comments name.
    pub fn to_toml(&self) -> String {
        equivalent::document(self)
    }

    fn derive(&mut self, given: Given) -> Result<(), Problems> {
        let derived =
            draft::derive(&self.ini, &given, &self.directory, &*self.files).map_err(Problems::from)?;
        (self.config, self.process, self.notes) = derived;
        self.given = given;
        Ok(())
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, process, notes, .. } = self;
        f.debug_struct("Loaded")
            .field("config", config)
            .field("process", process)
            .field("notes", notes)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(f, "{file}:{line}: ")?;
        }
        write!(f, "{}: {}", self.key, self.what)
    }
}
