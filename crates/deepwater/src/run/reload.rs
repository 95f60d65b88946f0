//! Reading the configuration again: from a signal, the console or a change of the file, one way.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use deepwater_core::config::{Problem, Problems};
use deepwater_core::{Endpoint, Reply};
use deepwater_lens::out::webhook;
use deepwater_lens::{FactSource, Facts, Listener};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::difference::{self, Difference};
use super::hidden::Written;
use super::{Planes, facts};
use crate::settings::{Settings, directory_of};

deepwater_core::event! {
    /// The configuration file was read again and is in force.
    pub struct Reloaded { file: String, what: String, changed: Vec<String>, needs_restart: Vec<String> }
    reloaded: Info, "{file} was read again: {what}"
}

deepwater_core::event! {
    /// The configuration file was read again and cannot be meant; nothing has changed.
    pub struct ReloadRefused { reason: String }
    reload_refused: Warn, "nothing was reloaded: {reason}"
}

/// Why nothing was reloaded.
pub(crate) struct Refused {
    status: u16,
    reason: String,
    problems: Vec<Problem>,
}

impl Refused {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), problems: Vec::new() }
    }

    /// What the console answers.
    fn reply(&self) -> Reply {
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| {
                let Problem { file, line, column, key, what, fix } = problem;
                json!({ "file": file, "line": line, "column": column, "key": key, "what": what, "fix": fix })
            })
            .collect();
        Reply { status: self.status, body: json!({ "error": self.reason, "problems": problems }) }
    }
}

impl From<Problems> for Refused {
    fn from(problems: Problems) -> Self {
        Self { problems: problems.iter().cloned().collect(), ..Self::new(422, problems.to_string()) }
    }
}

/// What was asked for by the console, and is answered when it is done.
pub(crate) type Asked = oneshot::Sender<Result<Difference, Refused>>;

/// Reloads that may wait for each other.
const WAITING: usize = 16;

/// The console's command, and where it is heard.
pub(crate) fn command() -> (Endpoint, mpsc::Receiver<Asked>) {
    let (sender, asked) = mpsc::channel::<Asked>(WAITING);
    let about = "Read the configuration file again; 422 with what is wrong with it, when nothing changes";
    let endpoint = Endpoint::post_slow("/api/reload", about, move |_| {
        let sender = sender.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            if sender.try_send(answer).is_err() {
                return Reply::error(503, "too many reloads wait, or the process is about to end: try again");
            }
            match answered.await {
                Ok(Ok(difference)) => Reply::ok(&difference),
                Ok(Err(refused)) => refused.reply(),
                Err(_) => Reply::error(503, "the process is about to end, so nothing was reloaded"),
            }
        }
    });
    (endpoint, asked)
}

/// The configuration in force: as read, but for what needs a restart.
pub(super) struct Configuration {
    file: Option<PathBuf>,
    settings: Mutex<Settings>,
    /// As the file has them.
    written: Mutex<Written>,
    /// The same as `/api/config` shows it.
    shown: Arc<Mutex<Value>>,
    /// The same as the lens sees it.
    facts: Arc<ArcSwap<Facts>>,
}

impl Configuration {
    pub(super) fn new(settings: &Settings, listeners: Vec<Listener>) -> Self {
        let shown = serde_json::to_value(settings).unwrap_or_default();
        Self {
            file: None,
            written: Mutex::default(),
            settings: Mutex::new(settings.clone()),
            shown: Arc::new(Mutex::new(shown)),
            facts: Arc::new(ArcSwap::from_pointee(facts::of(settings, listeners))),
        }
    }

    /// Read from a file, which can be read again.
    pub(super) fn of_file(&mut self, file: Option<PathBuf>) {
        self.written = Mutex::new(file.as_deref().map(Written::read).unwrap_or_default());
        self.file = file;
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A copy of what was read last.
    pub(super) fn settings(&self) -> Settings {
        self.settings.lock().expect("no panic while settings are held").clone()
    }

    /// `/api/config`.
    pub(super) fn page(&self) -> Endpoint {
        let shown = Arc::clone(&self.shown);
        let about = "The effective configuration, secrets hidden";
        Endpoint::get("/api/config", about, move || {
            shown.lock().expect("no panic while settings are held").clone()
        })
    }

    /// What the lens is told of it.
    pub(super) fn facts(&self) -> FactSource {
        let facts = Arc::clone(&self.facts);
        Arc::new(move || facts.load_full())
    }

    fn adopt(
        &self,
        (read, written): (Settings, Written),
        planes: difference::Planes,
        listeners: Vec<Listener>,
    ) -> Difference {
        let value = serde_json::to_value(&read).unwrap_or_default();
        let mut shown = self.shown.lock().expect("no panic while settings are held");
        let mut settings = self.settings.lock().expect("no panic while settings are held");
        let mut difference = Difference::apply(&mut shown, &value, planes);
        let mut before = self.written.lock().expect("no panic while settings are held");
        difference.note_secrets(before.differing(&written, &value));
        *before = written;
        let told = difference.changed.len() + difference.needs_restart.len();
        if told == 0 && *settings != read {
            // It is not shown, and not where it is shown that something is hidden.
            difference.changed.push("a secret".into());
        }
        self.facts.store(Arc::new(facts::of(&read, listeners)));
        *settings = read;
        difference
    }
}

impl Planes {
    /// Names the file that is read again when a reload is asked for.
    pub(crate) fn reads(&mut self, file: &Path) {
        self.configuration.of_file(Some(file.to_owned()));
    }

    /// Reads the file again and puts it in force, or changes nothing; tells what has changed either way.
    pub(crate) async fn reload(&self) -> Result<Difference, Refused> {
        self.manager.reloading();
        let result = self.try_reload().await;
        self.manager.ready();
        match &result {
            Ok(difference) => self.context.events.emit(Reloaded {
                file: self.configuration.file().map(|file| file.display().to_string()).unwrap_or_default(),
                what: difference.sentence(),
                changed: difference.changed.clone(),
                needs_restart: difference.needs_restart.clone(),
            }),
            Err(refused) => self.context.events.emit(ReloadRefused { reason: refused.reason.clone() }),
        }
        result
    }

    async fn try_reload(&self) -> Result<Difference, Refused> {
        let Some(file) = self.configuration.file() else {
            let reason = "there is no file: what was given on the command line holds until a restart";
            return Err(Refused::new(409, reason));
        };
        // All planes are validated before one of them changes.
        let read = Settings::load(file)?;
        let written = Written::read(file);
        let directory = directory_of(file);
        let before = self.configuration.settings();
        if let Some(token) = &read.console.token {
            token.resolve(&directory).map_err(|error| Refused::new(422, error.to_string()))?;
        }
        webhook::check(read.lens.webhook.as_ref(), &directory)
            .map_err(|error| Refused::new(422, error.to_string()))?;
        self.edge
            .reload(read.edge_tables(), &directory)
            .await
            .map_err(|error| Refused::new(422, error.to_string()))?;
        if let Some(pool) = &self.pool
            && read.postgres.listen.is_some()
        {
            pool.reload(&read.postgres, &directory).map_err(|error| half(&error))?;
        }
        self.console.reload(&read.console, &directory).map_err(|error| half(&error))?;
        if let Some(lens) = &self.lens {
            lens.reload(&read.lens, &directory).map_err(|error| half(&error))?;
        }
        let planes = difference::Planes {
            cache: before.edge.route.iter().any(|route| route.cache.is_some()),
            postgres: self.pool.is_some(),
        };
        let listeners = facts::listeners(&read, &self.edge, self.pool.as_deref());
        Ok(self.configuration.adopt((read, written), planes, listeners))
    }
}

/// A file that was valid a moment ago no longer is: a secret it names has gone.
fn half(error: &dyn std::fmt::Display) -> Refused {
    Refused::new(500, format!("[edge] is as the file says, the rest is as before: {error}"))
}
