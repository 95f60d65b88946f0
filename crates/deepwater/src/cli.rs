//! The command line: what may be typed, and what it comes to.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{cache_size, check, demo, pgbouncer, purge, reload, run, status, top};

/// Version and commit.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DEEPWATER_COMMIT"), ")");

/// The scaling layer of a web application: put it in front, and let it tell you which cliff comes next.
#[derive(Debug, Parser)]
#[command(name = "deepwater", version = VERSION, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  deepwater run --to http://127.0.0.1:3000      front an application, no file needed
  deepwater run -c deepwater.toml               run what the file says
  deepwater run --postgres postgres://app:secret@127.0.0.1:5432/shop
                                                pool connections to a database, no file needed
  deepwater check -c deepwater.toml --print     validate, and show every setting in force
  deepwater top                                 watch which cliff comes next, and at what load
  deepwater purge --tag product:42              drop from the cache what carries a tag
  deepwater demo                                watch a sample shop survive a flash sale

Exit codes: 0 good, 1 failed while running, 2 bad usage or configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the planes of a configuration file, or front one application without a file.
    Run(RunArguments),
    /// Start a sample shop on three instances, put the edge in front, and let you hurt it.
    Demo(demo::Arguments),
    /// Validate a configuration file: every problem at once, with line and fix.
    Check(CheckArguments),
    /// Show how a running Deepwater is.
    Status(status::Arguments),
    /// Watch which scalability cliff is next, with load, latency, pools and routes, once a second.
    Top(top::Arguments),
    /// Stand in for PgBouncer: the same command line, `pgbouncer.ini`, signals, log and administration database.
    Pgbouncer(pgbouncer::Arguments),
    /// Purge the cache of a running Deepwater: by tag, URL, prefix, host or version, or all of it.
    Purge(purge::Arguments),
    /// Have a running Deepwater read its configuration file again.
    Reload(reload::Arguments),
    /// Tell how large the cache should be, from an access log.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    #[command(flatten)]
    Hidden(demo::Hidden),
}

/// About the cache.
#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Tell how large the cache should be: replay an access log through it at several sizes.
    Size(cache_size::Arguments),
}

const RUN_SIGNALS: &str = "\
Signals:
  HUP          read the configuration file again
  TERM, INT    finish what is under way, then end (at once, the second time)
  USR2         start the binary anew, give it the sockets, and end when it serves";

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = RUN_SIGNALS)]
#[command(group = clap::ArgGroup::new("fronted").args(["to", "postgres"]).multiple(true))]
pub(crate) struct RunArguments {
    /// Configuration file; without it and without --to or --postgres, `deepwater.toml` here.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["to", "postgres"])]
    pub config: Option<PathBuf>,
    /// The application to front: `http://127.0.0.1:3000`. Give it several times to balance between servers.
    #[arg(long, value_name = "URL")]
    pub to: Vec<String>,
    /// Where to listen, with --to.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", requires = "to")]
    pub listen: String,
    /// The database to pool connections to: `postgres://user:password@127.0.0.1:5432/shop`. Clients ask for it by its
    /// name, and log in as its user with the same password.
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// Where PostgreSQL clients connect, with --postgres.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6432", requires = "postgres")]
    pub postgres_listen: String,
    /// Where the console listens, with --to or --postgres; `off` for none.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000", requires = "fronted")]
    pub console: String,
    /// Read the configuration file again whenever it changes, as SIGHUP and `deepwater reload` do.
    #[arg(long, conflicts_with_all = ["to", "postgres"])]
    pub watch: bool,
    /// How long a process that takes over from this one (SIGUSR2) may need until it could serve.
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub upgrade_timeout: deepwater_core::config::Duration,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    pub log_json: bool,
}

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "deepwater.toml")]
    pub config: PathBuf,
    /// Print the effective configuration: every key, defaults filled in, secrets hidden.
    #[arg(long)]
    pub print: bool,
    /// Print the `deepwater.toml` that a `pgbouncer.ini` amounts to, instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "print", "schema", "reference", "dashboard", "alerts"])]
    pub from_pgbouncer: Option<PathBuf>,
    /// Print the JSON schema of the configuration instead.
    #[arg(long, conflicts_with_all = ["print", "reference", "dashboard", "alerts"])]
    pub schema: bool,
    /// Print the reference of all keys (Markdown) instead.
    #[arg(long, conflicts_with_all = ["print", "dashboard", "alerts"])]
    pub reference: bool,
    /// Print the dashboard for Grafana (JSON) instead.
    #[arg(long, conflicts_with_all = ["print", "alerts"])]
    pub dashboard: bool,
    /// Print the alert rules for Prometheus (YAML) instead.
    #[arg(long, conflicts_with = "print")]
    pub alerts: bool,
}

/// A command that did not succeed.
pub(crate) enum Failure {
    /// It was told something wrong: exit code 2.
    Usage(String),
    /// It failed while running: exit code 1.
    Running(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Running(error.to_string())
    }
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    // clap ends with 2 on bad usage, and with 0 after --help and --version.
    let result = match Cli::parse_from(pgbouncer::arguments()).command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Hidden(hidden) => demo::hidden(hidden),
        Command::Check(arguments) => check::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Pgbouncer(arguments) => pgbouncer::run(&arguments),
        Command::Purge(arguments) => purge::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Cache(CacheCommand::Size(arguments)) => cache_size::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "deepwater", &mut script);
            print(&script)
        }
    };
    let (code, message) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Running(message)) => (1, message),
        Err(Failure::Usage(message)) => (2, message),
    };
    let _ = writeln!(std::io::stderr(), "{}", message.trim_end());
    ExitCode::from(code)
}

/// Writes to standard output; a reader that has left (`| head`) is no failure.
pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
