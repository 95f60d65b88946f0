//! The root of the configuration: the planes' own tables, side by side.

mod addresses;
mod flags;

use std::path::{Path, PathBuf};

use deepwater_core::config::{Checker, Document, Place, Problem, Problems};
use deepwater_edge::config as edge;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::{Failure, RunArguments};

/// The configuration where none is named.
pub(crate) const DEFAULT_FILE: &str = "deepwater.toml";

/// Deepwater's configuration file. A plane that is not in it does not run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Dashboard, administration API and metrics.
    pub console: deepwater_lens::console::Config,
    /// The HTTP and TCP edge.
    pub edge: deepwater_edge::Config,
    /// Servers that requests are passed to, by name.
    pub pools: deepwater_edge::Pools,
    /// The cache that routes with `cache` share.
    pub cache: edge::Cache,
    /// Ways to prove who one is, by name; a route names the one it asks for.
    pub auth: edge::Auths,
    /// Where the answers of requests with idempotency keys are kept.
    pub idempotency: edge::Idempotency,
    /// The PostgreSQL pooler.
    pub postgres: deepwater_pool::Config,
    /// Measures, says which scalability cliff is next and what to do about it.
    pub lens: deepwater_lens::Config,
}

impl Settings {
    /// Reads and validates a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, as one text.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        Self::load(file).map_err(|problems| Failure::Usage(problems.to_string()))
    }

    /// Reads and validates a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn load(file: &Path) -> Result<Self, Problems> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| Problem {
            file: None,
            line: None,
            column: None,
            key: String::new(),
            what: format!("cannot read {name}: {error}"),
            fix: Some(if file == Path::new(DEFAULT_FILE) {
                "give the configuration with -c FILE, or front an application without one: deepwater run --to \
                 http://127.0.0.1:3000"
                    .into()
            } else {
                "give the path of a file that may be read; a relative one starts at the present directory".into()
            }),
        })?;
        let document = Document::parse(&text, &name)?;
        let settings: Self = document.decode()?;
        let checker = document.checker();
        settings.validate(&checker.root(), &directory_of(file));
        checker.finish()?;
        Ok(settings)
    }

    /// The configuration that `--to` and `--postgres` stand for.
    ///
    /// # Errors
    /// When an argument cannot be meant.
    pub(crate) fn fronting(arguments: &RunArguments) -> Result<Self, Failure> {
        let console = arguments.console.parse();
        let console = console.map_err(|error: String| Failure::Usage(format!("--console: {error}")))?;
        let mut settings = Self {
            console: deepwater_lens::console::Config { listen: console, token: None },
            ..Self::default()
        };
        if !arguments.to.is_empty() {
            settings.edge.listen = vec![edge::Listen::http(&arguments.listen)];
            settings.edge.route = vec![edge::Route { pool: Some("app".into()), ..edge::Route::default() }];
            settings.pools = [("app".to_owned(), edge::Pool::of(arguments.to.iter().cloned()))].into();
        }
        if let Some(url) = &arguments.postgres {
            let url = url.parse().map_err(|error| Failure::Usage(format!("--postgres: {error}")))?;
            settings.postgres = deepwater_pool::Config::fronting(url, &arguments.postgres_listen);
        }
        let checker = Checker::without_document();
        settings.validate(&checker.root(), Path::new("."));
        checker.finish().map_err(|problems| Failure::Usage(flags::named(problems).to_string()))?;
        Ok(settings)
    }

    /// What the edge is configured by.
    pub(crate) fn edge_tables(&self) -> edge::Tables<'_> {
        edge::Tables {
            edge: &self.edge,
            pools: &self.pools,
            cache: &self.cache,
            auth: &self.auth,
            idempotency: &self.idempotency,
        }
    }

    fn validate(&self, root: &Place<'_>, directory: &Path) {
        self.console.validate(&root.at("console"), directory);
        deepwater_edge::validate(self.edge_tables(), directory, root);
        deepwater_pool::validate(&self.postgres, directory, &root.at("postgres"));
        self.lens.validate(&root.at("lens"), directory);
        addresses::validate(self, root);
        if self.edge.listen.is_empty() && self.postgres.listen.is_none() {
            root.at("edge").problem_with_fix(
                "there is nothing to listen on",
                "add [[edge.listen]] with address = \"0.0.0.0:8080\", or [postgres] with listen = \"127.0.0.1:6432\"",
            );
        }
        let http = self.edge.listen.iter().any(|listen| listen.protocol == edge::ListenProtocol::Http);
        if http && self.edge.route.is_empty() {
            root.at("edge").problem_with_fix(
                "there is no route, so every request would get 404",
                "add [[edge.route]] with pool = \"<name>\"",
            );
        }
    }
}

/// What relative paths in a configuration file are relative to.
pub(crate) fn directory_of(file: &Path) -> PathBuf {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_core::config;

    const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/deepwater.schema.json");

    #[test]
    fn every_key_has_a_meaning_and_a_default() {
        assert_eq!(config::undocumented::<Settings>(), Vec::<String>::new());
    }

    #[test]
    fn the_reference_and_the_schema_are_not_stale() {
        let fix = "run `make docs` and commit the result";
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            read(REFERENCE) == crate::check::reference(),
            "docs/reference/configuration.md is stale: {fix}"
        );
        assert!(
            read(SCHEMA) == crate::check::schema(),
            "docs/reference/deepwater.schema.json is stale: {fix}"
        );
    }

    #[test]
    fn the_example_is_valid_and_prints_as_itself() {
        let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deepwater.toml"));
        let Ok(settings) = Settings::read(example) else { panic!("deepwater.toml is not valid") };
        let printed = config::to_toml(&settings).unwrap();
        let again: Settings = Document::parse(&printed, "printed").unwrap().decode().unwrap();
        assert_eq!(settings, again);
    }
}
