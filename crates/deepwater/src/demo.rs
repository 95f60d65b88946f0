//! `deepwater demo`: three instances of a sample shop, the edge and its cache in front of them, customers, and a
//! keyboard to hurt them with.

mod breaking;
mod cliff;
mod configuration;
mod file;
mod guards;
mod keys;
mod look;
mod others;
mod overload;
mod pool;
mod postgres;
mod price;
mod reloading;
mod screen;
mod shop;
mod stage;
mod stampede;
mod story;
mod trend;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use deepwater_core::{Context, Events};
use deepwater_lens::console::Listen;
use deepwater_shop::load::{Load, LoadOptions};

use crate::cli::Failure;
use crate::run::{self, Planes};
use crate::settings::Settings;
use crate::table::{count, counted, lasting, latency};
use configuration::Pooled;
use file::ConfigurationFile;
use guards::GuardWatch;
use keys::Key;
use look::Figures;
use pool::PoolWatch;
use postgres::Server;
use screen::{MENU, Screen};
use shop::{Instance, Shops};
use stage::{Signals, Stage};
use trend::Trend;

/// How many instances the shop has.
const INSTANCES: usize = 3;
/// How long requests under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);
/// Customers at the least: so few that in half a minute all have left, and their successors find an instance that
/// came back.
const VISITORS: usize = 24;
/// How long a flash sale lasts.
const SALE_LASTS: Duration = Duration::from_secs(20);
/// The same customers every time.
const SEED: u64 = 1;

/// What the demo takes.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Where the shop is visited, through Deepwater; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the console listens; `off` for none.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    console: Listen,
    /// Requests per second of the customers.
    #[arg(long, value_name = "N", default_value_t = 40.0, value_parser = rate)]
    rate: f64,
    /// End after so many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Send no customers: you are the only one.
    #[arg(long)]
    no_load: bool,
    /// Compare what protects the shop from a crowd at one page, then end.
    #[arg(long)]
    stampede: bool,
    /// Visitors in that crowd.
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    crowd: usize,
    /// Change a price and purge it everywhere by its tag, then end.
    #[arg(long)]
    new_price: bool,
    /// Hold a flash sale for so many seconds, then end.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "20")]
    flash_sale: Option<u64>,
    /// Show what the edge does when instances fail, when more come than the shop can carry, or when the configuration
    /// changes under load, then end.
    #[arg(long, value_name = "SCENE", value_enum)]
    scene: Vec<Scene>,
    /// Keep the shop's data in memory even if there is a PostgreSQL; --stampede, --new-price and the scenes that are
    /// not about it always do.
    #[arg(long)]
    no_postgres: bool,
}

/// What can be shown of the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scene {
    /// One instance fails, then all: circuit breakers open, and close when all is well.
    Breaker,
    /// The waiting room is full: the lowest priority is refused first, at once.
    Overload,
    /// A server more, another balance, a file with a mistake: no request fails.
    Reload,
    /// The lens names the next cliff; a sale goes over it; its advice is followed; the same sale comes again. Needs PostgreSQL.
    Cliff,
}

impl Scene {
    const ALL: [(Self, Key); 4] = [
        (Self::Breaker, Key::Break),
        (Self::Overload, Key::Overload),
        (Self::Reload, Key::Reload),
        (Self::Cliff, Key::Advice),
    ];
}

const HELP: &str = "\
Keys, from a terminal or from a pipe (echo fc | deepwater demo --seconds 30):
  1 2 3  kill an instance (SIGKILL), or bring it back
  s      slow an instance down by 400 ms, or cure it
  b      break an instance, then all: circuit breakers open and close: the same as --scene breaker
  o      overload: more than the shop can carry, the lowest priority is refused first: the same as --scene overload
  r      reload: another configuration while visitors go on: the same as --scene reload
  a      advice: the lens names the next cliff, a sale goes over it, advice is followed, the same sale comes again:
         the same as --scene cliff
  f      flash sale: the lens names the next cliff, ten times the requests come for 20 s, and with PostgreSQL a crowd
         that buys: the same as --flash-sale
  c      a crowd at one page, in front of ever better protected caches: the same as --stampede
  p      a new price, purged everywhere by its tag: the same as --new-price
  q      quit";

impl Arguments {
    /// What is to be shown without a keyboard; `None` to wait for keys.
    fn script(&self) -> Option<VecDeque<Key>> {
        let scenes = [
            (self.flash_sale.is_some(), Key::FlashSale),
            (self.stampede, Key::Crowd),
            (self.new_price, Key::Price),
        ];
        let named = Scene::ALL.map(|(scene, key)| (self.scene.contains(&scene), key));
        let wanted: VecDeque<Key> =
            scenes.into_iter().chain(named).filter_map(|(wanted, key)| wanted.then_some(key)).collect();
        (!wanted.is_empty()).then_some(wanted)
    }

    /// Whether the shop's data is to be in a database.
    fn wants_postgres(&self) -> bool {
        let about_others = self.stampede || self.new_price || !self.scene.is_empty();
        let about_it = self.flash_sale.is_some() || self.scene.contains(&Scene::Cliff);
        !self.no_postgres && (about_it || !about_others)
    }
}

/// Commands the demo gives itself.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Hidden {
    /// One instance of the shop.
    #[command(hide = true)]
    DemoShop(shop::ShopArguments),
    /// The shop's database.
    #[command(hide = true)]
    DemoPostgres(postgres::GuardArguments),
}

pub(crate) fn hidden(hidden: Hidden) -> Result<(), Failure> {
    match hidden {
        Hidden::DemoShop(arguments) => shop::serve(arguments),
        Hidden::DemoPostgres(arguments) => postgres::guard(&arguments),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let listen = address(&arguments.listen)?;
    must_be_free(listen, "--listen", "127.0.0.1:8081")?;
    if let Listen::At(console) = arguments.console {
        must_be_here(console, "--console")?;
        must_be_free(console, "--console", "127.0.0.1:9001")?;
    }
    let executable = std::env::current_exe()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(demonstrate(arguments, listen, &executable));
    // The thread that reads the keyboard cannot be waited for.
    runtime.shutdown_background();
    result
}

async fn demonstrate(arguments: &Arguments, listen: SocketAddr, executable: &Path) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut screen = Screen::new();
    // Making a database takes a moment.
    let title = "Fern & Flint, a sample shop on three instances, with Deepwater in front of it.\n";
    tell(screen.tell(title))?;
    // Whatever fails or is called off from here on, the database and the instances end when they are dropped.
    let database = tokio::select! {
        database = start_database(arguments, executable) => database?,
        () = signals.ending.received() => return Ok(()),
    };
    let (database, memory) = match database {
        Some(Ok(server)) => (Some(server), None),
        Some(Err(reason)) => (None, Some(format!("off: {reason}"))),
        None => (None, None),
    };
    // A port that was free a moment ago, taken for as long as nobody else may take it.
    let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let pool_at = reserved.local_addr()?;
    let pooled = database.as_ref().map(|server| Pooled { server, listen: pool_at });
    let url = pooled.as_ref().map(Pooled::url);
    let shops = Shops::new(executable, url.clone(), !screen.is_live())?;
    let instances = tokio::select! {
        instances = start_instances(&shops) => instances?,
        () = signals.ending.received() => return Ok(()),
    };
    let addresses: Vec<SocketAddr> = instances.iter().map(|instance| instance.address).collect();
    let file = ConfigurationFile::make(database.as_ref().map(|server| server.password.as_str()))?;
    file.write(&configuration::settings(listen, arguments.console, &addresses, pooled.as_ref()))?;
    // What is in force is what the file says, from the start.
    let settings = Settings::read(file.path())?;
    let (events, facts) = story::events();
    let context = Context::new(SEED, events);
    drop(reserved);
    let (command, asked) = run::command();
    let mut planes = Planes::start(&settings, file.folder(), context, vec![command]).await?;
    planes.reads(file.path());
    let shop_address = planes.edge.addresses().first().copied().unwrap_or(listen);

    let script = arguments.script();
    let addresses = Addresses {
        shop: shop_address,
        database: url.or(memory),
        console: planes.console.address(),
        file: &file,
    };
    tell(introduction(&mut screen, &addresses, script.is_some()))?;
    let load = if arguments.no_load { None } else { Some(customers(shop_address, arguments.rate)?) };
    let mut stage = Stage {
        shops,
        instances,
        spare: None,
        database,
        planes,
        settings,
        file,
        asked,
        shop: shop_address,
        load,
        rate: arguments.rate,
        started: Instant::now(),
        screen,
        keyboard: keys::KeyAtATime::take(),
        facts,
        trend: Trend::default(),
        sale_lasts: arguments.flash_sale.map_or(SALE_LASTS, Duration::from_secs),
        sale_ends: None,
        buyers: None,
        pool: PoolWatch::default(),
        guards: GuardWatch::default(),
        act: None,
        crowd: arguments.crowd,
        stampede: None,
        script,
        scene: None,
    };
    let keys = keys::read()?;
    let played = stage.play(keys, &mut signals, arguments.seconds.map(Duration::from_secs)).await;
    let ended = tokio::select! {
        ended = end(stage) => ended,
        // Told twice: at once. Instances see their input end with this process.
        () = signals.ending.received() => Ok(()),
    };
    tell(played.and(ended))
}

/// The shop's database, or why there is none; `None` when none is wanted.
async fn start_database(
    arguments: &Arguments,
    executable: &Path,
) -> io::Result<Option<Result<Server, String>>> {
    if !arguments.wants_postgres() {
        return Ok(None);
    }
    Ok(Some(Server::start(executable, shop::random_text()?).await))
}

/// All of them at once.
async fn start_instances(shops: &Shops<'_>) -> Result<Vec<Instance>, Failure> {
    let start = |number: usize| Instance::start(format!("shop-{number}"), shops);
    let (first, second, third) = tokio::join!(start(1), start(2), start(INSTANCES));
    [first, second, third].into_iter().collect::<Result<_, _>>().map_err(Failure::Running)
}

fn customers(shop: SocketAddr, rate: f64) -> Result<Load, Failure> {
    let options =
        LoadOptions { seed: SEED, visitors: VISITORS, ..LoadOptions::new(format!("http://{shop}"), rate) };
    Load::start(options).map_err(|error| Failure::Running(error.to_string()))
}

/// Customers first, so that none meets a closed door; then the planes, then the shop.
async fn end(mut stage: Stage<'_>) -> io::Result<()> {
    let lasted = stage.started.elapsed();
    stage.stampede = None;
    stage.buyers = None;
    stage.act = None;
    let seen = match stage.load.take() {
        Some(load) => Some(load.stop().await),
        None => None,
    };
    let told = stage.retell_rest();
    let Stage { instances, spare, database, planes, mut screen, keyboard, .. } = stage;
    let (events, metrics) = (planes.context.events.clone(), planes.context.metrics.clone());
    let shutdown = planes.context.shutdown.clone();
    shutdown.drain(DRAIN);
    shutdown.drained().await;
    planes.stop().await;
    for mut instance in instances.into_iter().chain(spare) {
        instance.end().await;
    }
    if let Some(database) = database {
        database.end().await;
    }
    drop(keyboard);
    // The customers remember latencies of the last seconds only, the edge those of the whole run.
    let edge = Figures::of_the_edge(&metrics);
    let p99 = edge.p99;
    let figures = seen.as_ref().map_or(edge, Figures::of_customers);
    told?;
    screen.clear()?;
    screen.tell(&summary(lasted, (figures.finished, figures.failed), p99, &events))
}

/// Where what can be visited.
struct Addresses<'a> {
    file: &'a ConfigurationFile,
    shop: SocketAddr,
    /// Its URL, or why there is none.
    database: Option<String>,
    console: Option<SocketAddr>,
}

fn introduction(screen: &mut Screen, addresses: &Addresses<'_>, scripted: bool) -> io::Result<()> {
    screen.tell(&format!("  Shop      http://{}", addresses.shop))?;
    if let Some(database) = &addresses.database {
        screen.tell(&format!("  Database  {database}"))?;
    }
    match addresses.console {
        Some(console) => {
            screen.tell(&format!("  Console   http://{console}"))?;
            screen.tell(&format!("  Metrics   http://{console}/metrics"))?;
        }
        None => screen.tell("  Console   off")?,
    }
    screen.tell(&format!("  Settings  {}", addresses.file.path().display()))?;
    screen.tell("")?;
    if !screen.is_live() && !scripted {
        MENU.iter().try_for_each(|keys| screen.tell(&format!("  {keys}")))?;
        screen.tell("")?;
    }
    Ok(())
}

fn summary(lasted: Duration, requests: (u64, u64), p99: Option<Duration>, events: &Events) -> String {
    let (finished, failed) = requests;
    let mut text = format!(
        "\nIn {}, crowds apart: {}, {} failed, p99 {} at the edge.",
        lasting(lasted),
        counted(finished, "request"),
        count(failed),
        latency(p99.map(|p99| p99.as_secs_f64() * 1e3))
    );
    if let Some(account) = story::account(events) {
        text.push_str(&format!("\nWhat happened: {account}."));
    }
    text.push_str("\nYour own application next: deepwater run --to http://127.0.0.1:3000");
    text
}

/// A reader that has left (`| head`) is no failure.
fn tell(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=2_000.0).contains(&rate) => Ok(rate),
        _ => Err("requests per second, from 0 to 2000".into()),
    }
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    let numeric = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let wrong = |_| {
        Failure::Usage(format!("--listen: `{text}` is no address to listen on; write it like 127.0.0.1:8080"))
    };
    let address = numeric.parse().map_err(wrong)?;
    must_be_here(address, "--listen")?;
    Ok(address)
}

/// The demo is for whoever sits here: nobody else should be able to buy, or to kill.
fn must_be_here(address: SocketAddr, flag: &str) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{flag}: other machines can reach {address}, and the demo is for this one only\n  fix: {flag} 127.0.0.1:{}",
        address.port()
    )))
}

/// Told before anything is started, with the flag that helps.
fn must_be_free(address: SocketAddr, flag: &str, other: &str) -> Result<(), Failure> {
    let reason = match TcpListener::bind(address) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => "another process listens there".into(),
        Err(error) => error.to_string(),
    };
    Err(Failure::Usage(format!(
        "cannot listen on {address}: {reason}\n  fix: stop it, or choose another port: deepwater demo {flag} {other} \
         (port 0 takes a free one)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Usage(message)) => message,
            _ => String::new(),
        }
    }

    #[test]
    fn only_this_machine_may_visit() {
        assert!(address("localhost:0").is_ok() && address("[::1]:8080").is_ok());
        assert!(message(address("0.0.0.0:8080")).contains("fix: --listen 127.0.0.1:8080"));
        assert!(message(address("8080")).contains("write it like"));
    }

    #[test]
    fn a_port_in_use_is_told_with_its_fix() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let told = message(must_be_free(taken.local_addr().unwrap(), "--console", "127.0.0.1:9001"));
        assert!(told.contains("another process listens there"), "{told}");
        assert!(told.contains("deepwater demo --console 127.0.0.1:9001"), "{told}");
    }

    #[test]
    fn the_summary_counts() {
        let p99 = Some(Duration::from_millis(14));
        let text = summary(Duration::from_secs(72), (2_879, 2), p99, &Events::silent());
        assert!(
            text.contains("In 1 min 12 s, crowds apart: 2,879 requests, 2 failed, p99 14 ms at the edge."),
            "{text}"
        );
        assert!(!text.contains("What happened"), "{text}");
    }
}
