//! Pictures to look at: ten minutes of what a test says, and the cliffs it says.

use super::{Advice, Rule, Verdict};
use crate::cliffs::{At, Cliff, Cliffs, Kind, Level, LoadNow, Range};
use crate::config::Limits;
use crate::facts::{Application, Database, Facts, Route};
use crate::picture::Picture;
use crate::signal::Signal;
use crate::store::{Store, Table};

/// Seconds that were measured.
pub(super) const SECONDS: usize = 300;

/// A cliff that is near its end, now unless it is told at what load.
pub(super) fn cliff(kind: Kind, resource: &str, level: Level, at: Option<f64>) -> Cliff {
    let at = at.map(|load| At { load, low: 0.9 * load, high: 1.1 * load, confidence: 0.9 });
    Cliff {
        id: format!("{}:{resource}", kind.as_str()),
        kind,
        resource: resource.to_owned(),
        level,
        since: String::new(),
        state: if at.is_some() { "forecast" } else { "pressing" },
        at,
        within: None::<Range>,
        headroom: None,
        used: None,
        limit: None,
        unit: "",
        text: format!("{resource} is near its end"),
        evidence: Vec::new(),
    }
}

/// One picture.
pub(super) struct Scene {
    /// Signals, their labels, and what they were in each second.
    series: Vec<(&'static Signal, String, Vec<f64>)>,
    /// By database.
    pub(super) tables: Vec<(String, Table)>,
    pub(super) facts: Facts,
    pub(super) cliffs: Cliffs,
    pub(super) limits: Limits,
}

impl Scene {
    pub(super) fn new() -> Self {
        let load = Some(LoadNow { value: 100.0, unit: "requests per second" });
        let cliffs = Cliffs { load, ..Cliffs::default() };
        Self {
            series: Vec::new(),
            tables: Vec::new(),
            facts: Facts::default(),
            cliffs,
            limits: Limits::default(),
        }
    }

    /// A signal that is the same all the time, in place of what it was.
    pub(super) fn all(&mut self, signal: &'static Signal, label: &str, value: f64) {
        self.each(signal, label, std::iter::repeat_n(value, SECONDS));
    }

    /// A signal by second.
    pub(super) fn each(
        &mut self,
        signal: &'static Signal,
        label: &str,
        values: impl IntoIterator<Item = f64>,
    ) {
        self.series.retain(|(known, of, _)| *known != signal || of != label);
        self.series.push((signal, label.to_owned(), values.into_iter().collect()));
    }

    pub(super) fn application(&mut self, name: &str) {
        let targets = vec!["127.0.0.1:3000".to_owned()];
        self.facts.applications.push(Application {
            name: name.to_owned(),
            targets,
            ..Application::default()
        });
    }

    pub(super) fn route(&mut self, name: &str, application: &str) -> &mut Route {
        let application = Some(application.to_owned());
        self.facts.routes.push(Route { name: name.to_owned(), application, ..Route::default() });
        self.facts.routes.last_mut().expect("one was pushed")
    }

    pub(super) fn database(&mut self, name: &str) -> &mut Database {
        self.facts.databases.push(Database {
            name: name.to_owned(),
            server: "db:5432".into(),
            pool_size: 20,
            application_servers: 1,
            mode: "transaction".into(),
            ..Database::default()
        });
        self.facts.databases.last_mut().expect("one was pushed")
    }

    pub(super) fn cliff(&mut self, kind: Kind, resource: &str, level: Level, at: Option<f64>) -> &mut Cliff {
        self.cliffs.cliffs.push(cliff(kind, resource, level, at));
        self.cliffs.cliffs.last_mut().expect("one was pushed")
    }

    pub(super) fn verdict(&self, rule: &dyn Rule) -> Verdict {
        self.look(|picture, cliffs| rule.look(picture, cliffs))
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Picture<'_>, &Cliffs) -> T) -> T {
        let mut store = Store::new(1 << 26);
        let seconds = self.series.iter().map(|(_, _, values)| values.len()).max().unwrap_or(SECONDS);
        for second in 0..seconds {
            for (signal, label, values) in &self.series {
                if let Some(value) = values.get(second) {
                    store.put(signal, label, *value);
                }
            }
            store.pass(1);
        }
        for (database, table) in &self.tables {
            store.set_tables(database, vec![table.clone()]);
        }
        let picture =
            Picture { store: &store, facts: &self.facts, limits: &self.limits, target: 0.1, seed: 7 };
        look(&picture, &self.cliffs)
    }

    pub(super) fn advised(&self, rule: &dyn Rule) -> Vec<Advice> {
        match self.verdict(rule) {
            Verdict::Advise(advice) => advice,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn no_need(&self, rule: &dyn Rule) -> String {
        match self.verdict(rule) {
            Verdict::NoNeed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn cannot_tell(&self, rule: &dyn Rule) -> String {
        match self.verdict(rule) {
            Verdict::CannotTell(why) => why,
            other => panic!("{other:?}"),
        }
    }
}
