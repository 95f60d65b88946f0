//! From values to a configuration: what single settings write, and what several of them come to together.

use std::path::{Path, PathBuf};

use deepwater_core::config::Problem;

use super::files::Files;
use super::ini::{Ini, Spot};
use super::settings::{Effect, SETTINGS};
use super::{Given, Note, Process, Syslog, databases, listen, users};
use crate::config::{AuthMethod, ClientTlsMode, Config};
use crate::lines::Fault;

/// A configuration under construction.
pub(super) struct Draft<'d> {
    pub(super) config: Config,
    pub(super) process: Process,
    pub(super) listen_addr: Vec<String>,
    pub(super) check_query: String,
    pub(super) log_stats: bool,
    pub(super) syslog: bool,
    pub(super) syslog_to: Syslog,
    pub(super) files: &'d dyn Files,
    directory: &'d Path,
    given: &'d Given,
    place: Place,
    notes: Vec<Note>,
    problems: Vec<Problem>,
}

/// What is being read.
#[derive(Default)]
struct Place {
    key: String,
    spot: Option<Spot>,
}

/// Builds a configuration from everything that was given.
///
/// # Errors
/// Everything that contradicts.
pub(super) fn derive(
    ini: &Ini,
    given: &Given,
    directory: &Path,
    files: &dyn Files,
) -> Result<(Config, Process, Vec<Note>), Vec<Problem>> {
    let mut draft = Draft {
        config: Config {
            // PgBouncer lets any number of clients wait.
            max_waiting: 0,
            ..Config::default()
        },
        process: Process::default(),
        listen_addr: Vec::new(),
        check_query: String::new(),
        log_stats: true,
        syslog: false,
        syslog_to: Syslog::default(),
        files,
        directory,
        given,
        place: Place::default(),
        notes: Vec::new(),
        problems: Vec::new(),
    };
    // PgBouncer asks for clear passwords wherever it is told to.
    draft.config.auth.plain_without_tls = true;
    draft.settings();
    draft.combine();
    listen::addresses(&mut draft);
    databases::read(&mut draft, &ini.databases);
    users::read(&mut draft, &ini.users);
    draft.peers(ini);
    draft.reserve();
    if draft.problems.is_empty() {
        Ok((draft.config, draft.process, draft.notes))
    } else {
        Err(draft.problems)
    }
}

impl Draft<'_> {
    /// Something is understood and does less here than it says.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        let Place { key, spot } = &self.place;
        self.notes.push(Note {
            file: spot.as_ref().map(|spot| spot.file.to_string()),
            line: spot.as_ref().map(|spot| spot.line),
            key: key.clone(),
            what: what.into(),
        });
    }

    pub(super) fn report(&mut self, fault: Fault) {
        let Place { key, spot } = &self.place;
        self.problems.push(match spot {
            Some(spot) => spot.problem(key, fault),
            None => fault.at(None, None, key),
        });
    }

    /// What follows concerns this key of a section.
    pub(super) fn at(&mut self, key: impl Into<String>, spot: Option<&Spot>) {
        self.place = Place { key: key.into(), spot: spot.cloned() };
    }

    /// What follows concerns this setting.
    pub(super) fn at_setting(&mut self, name: &str) {
        let spot = self.given.get(name).and_then(|(_, spot)| spot.clone());
        self.place = Place { key: name.to_owned(), spot };
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// An absolute path; relative ones start at the directory of the process, as PgBouncer takes them.
    pub(super) fn file(&self, text: &str) -> Result<Option<PathBuf>, Fault> {
        Ok((!text.is_empty()).then(|| self.directory.join(text)))
    }

    fn settings(&mut self) {
        for setting in SETTINGS {
            self.at_setting(setting.name);
            let given = self.given.get(setting.name).map(|(value, _)| value.clone());
            let default = setting.default.map(|text| setting.read(text)).transpose();
            let value = match (given, default) {
                (Some(given), Ok(default)) => {
                    if let Effect::Nothing(_, why) = setting.effect
                        && default.as_ref() != Some(&given)
                    {
                        self.note(format!("has no effect: {why}"));
                    }
                    given
                }
                (None, Ok(Some(default))) => default,
                (None, Ok(None)) => continue,
                (_, Err(fault)) => {
                    self.report(fault);
                    continue;
                }
            };
            if let Err(fault) = setting.apply(self, &value) {
                self.report(fault);
            }
        }
    }

    /// Settings that mean something together only.
    fn combine(&mut self) {
        match self.check_query.as_str() {
            "<empty>" => self.config.check_query = String::new(),
            // PgBouncer tests nothing then.
            "" => self.config.timeouts.server_check = deepwater_core::config::Duration::ZERO,
            query => self.config.check_query = query.to_owned(),
        }
        if self.log_stats {
            self.config.log.stats_every = self.process.stats_period.into();
        }
        if self.syslog {
            self.process.syslog = Some(self.syslog_to.clone());
        }
        let tls = &self.config.tls;
        if tls.mode != ClientTlsMode::Disable && (tls.cert.is_none() || tls.key.is_none()) {
            self.at_setting("client_tls_sslmode");
            self.report(
                Fault::new("TLS with clients needs a certificate and its key")
                    .fix("set client_tls_cert_file and client_tls_key_file"),
            );
        }
        let verified = self.config.tls.mode == ClientTlsMode::VerifyFull;
        if verified && self.config.tls.ca.is_none() {
            self.at_setting("client_tls_sslmode");
            self.report(
                Fault::new("certificates of clients can be verified only against authorities")
                    .fix("set client_tls_ca_file"),
            );
        }
        if self.config.auth.method == AuthMethod::Cert && !verified {
            self.at_setting("auth_type");
            self.report(
                Fault::new("`cert` needs certificates of clients")
                    .fix("set client_tls_sslmode = verify-full"),
            );
        }
        if self.config.auth.method == AuthMethod::Hba && self.config.auth.hba.is_none() {
            self.at_setting("auth_type");
            self.report(Fault::new("`hba` needs a file of rules").fix("set auth_hba_file"));
        }
    }

    fn peers(&mut self, ini: &Ini) {
        if let Some(entry) = ini.peers.first() {
            self.at("[peers]", Some(&entry.spot));
            self.report(
                Fault::new(
                    "peers are not supported: one process serves on all cores and cancels its own queries",
                )
                .fix("start one process in place of the group, and remove peer_id and [peers]"),
            );
        }
        for spot in &ini.restarts {
            self.at("[pgbouncer]", Some(spot));
            self.note(
                "the section starts again: settings given before this line do not count, as with PgBouncer",
            );
        }
    }

    /// To PgBouncer a time of zero switches the reserve off.
    fn reserve(&mut self) {
        if !self.config.timeouts.reserve_pool.is_zero() {
            return;
        }
        let config = &mut self.config;
        config.reserve_pool_size = 0;
        config.databases.values_mut().for_each(|database| database.reserve_pool_size = None);
        config.users.values_mut().for_each(|user| user.reserve_pool_size = None);
    }
}
