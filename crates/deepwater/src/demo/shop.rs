//! One instance of the sample shop as a process of its own, so that killing it is real.
//!
//! The parent holds a pipe to each instance's standard input and never writes to it. When the parent ends,
//! even by SIGKILL, the system closes the pipe, and the instance sees the end of its input and ends too.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::cli::Failure;
use crate::client::Call;

const JWT_SECRET: &str = "SHOP_JWT_SECRET";
const DEMO_TOKEN: &str = "SHOP_DEMO_TOKEN";
const DATABASE_URL: &str = "SHOP_DATABASE_URL";
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-demo-token");
/// What an instance's first line begins with, before its address.
const LISTENING: &str = "listening ";

/// For an instance to listen and to call itself healthy.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// For an instance to end once its input has.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// What an instance is told on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct ShopArguments {
    /// Its name.
    #[arg(long)]
    name: String,
    /// Port on 127.0.0.1; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What the deal of the week costs, in cents, if it is not what the shop thinks.
    #[arg(long)]
    deal_price: Option<u64>,
}

/// The life of an instance, in its own process: until standard input ends.
pub(super) fn serve(arguments: ShopArguments) -> Result<(), Failure> {
    let jwt_secret = std::env::var(JWT_SECRET).map_err(|_| {
        Failure::Usage(format!("`demo-shop` is a part of `deepwater demo`: {JWT_SECRET} is not set"))
    })?;
    let demo_token = std::env::var(DEMO_TOKEN).ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        let bound =
            TcpListener::bind(listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (listen, listener) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                // The parent reads the first line; standard error may not be seen.
                say(&format!("cannot listen on {listen}: {error}"))?;
                return Err(Failure::Running(format!(
                    "{}: cannot listen on {listen}: {error}",
                    arguments.name
                )));
            }
        };
        say(&format!("{LISTENING}{listen}"))?;
        let orphaned = end_of_input()?;
        let prices = arguments.deal_price.map(|cents| (deepwater_shop::DEAL, cents)).into_iter().collect();
        let database = std::env::var(DATABASE_URL).ok();
        let options = deepwater_shop::Options {
            listen,
            instance: arguments.name,
            jwt_secret,
            demo_token,
            prices,
            database,
        };
        tokio::select! {
            served = deepwater_shop::serve(listener, options, std::future::pending()) => Ok(served?),
            // The edge has drained, or is gone: there is nobody left to finish anything for.
            _ = orphaned => Ok(()),
        }
    })
}

pub(super) fn say(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn end_of_input() -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
    let (ended, orphaned) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("parent".into()).spawn(move || {
        // An error means as well that nobody holds the other end.
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        let _ = ended.send(());
    })?;
    Ok(orphaned)
}

/// What all instances have in common.
pub(super) struct Shops<'a> {
    /// The executable that knows `demo-shop`.
    pub executable: &'a Path,
    /// Signs sign-in tokens of every instance.
    pub jwt_secret: String,
    /// Where prices, carts and orders live, if not in each instance.
    pub database: Option<String>,
    /// Opens the controls under `/_demo/`.
    pub token: HeaderValue,
    pub token_text: String,
    /// Whether instances may write to standard error; not while a live table is drawn.
    pub may_complain: bool,
    /// What the deal of the week costs by now, in cents, if somebody has changed it.
    pub deal_price: Option<u64>,
}

impl<'a> Shops<'a> {
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(
        executable: &'a Path,
        database: Option<String>,
        may_complain: bool,
    ) -> std::io::Result<Self> {
        let (jwt_secret, token_text) = (random_text()?, random_text()?);
        let token = HeaderValue::from_str(&token_text).map_err(std::io::Error::other)?;
        Ok(Self { executable, jwt_secret, database, token, token_text, may_complain, deal_price: None })
    }
}

/// 128 random bits in hexadecimal.
pub(super) fn random_text() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An instance, alive or not.
pub(super) struct Instance {
    pub name: String,
    /// Where it listens; the same again when it comes back.
    pub address: SocketAddr,
    /// Whether it was slowed down.
    pub slow: bool,
    /// Whether it answers everything with 500.
    pub fails: bool,
    process: Option<Process>,
}

struct Process {
    child: Child,
    /// Held open: its end is the instance's sign to end.
    input: Option<ChildStdin>,
}

impl Instance {
    /// Starts an instance on a free port and waits until it calls itself healthy.
    ///
    /// # Errors
    /// Why it does not serve, in a sentence.
    pub(super) async fn start(name: String, shops: &Shops<'_>) -> Result<Self, String> {
        let (process, address) = Process::start(&name, 0, shops).await?;
        Ok(Self { name, address, slow: false, fails: false, process: Some(process) })
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Ends it the hard way: SIGKILL, so that connections break and carts are gone.
    pub(super) async fn kill(&mut self) {
        (self.slow, self.fails) = (false, false);
        if let Some(mut process) = self.process.take() {
            // It may have ended a moment ago by itself.
            let _ = process.child.kill().await;
        }
    }

    /// Starts it anew where it was.
    ///
    /// # Errors
    /// Why it does not serve, in a sentence.
    pub(super) async fn bring_back(&mut self, shops: &Shops<'_>) -> Result<(), String> {
        let (process, _) = Process::start(&self.name, self.address.port(), shops).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Makes it wait before every answer; zero for no longer.
    ///
    /// # Errors
    /// Why it could not be told.
    pub(super) async fn slow_down(&mut self, by: Duration, shops: &Shops<'_>) -> Result<(), String> {
        self.tell("/_demo/slow", format!(r#"{{"ms":{}}}"#, by.as_millis()), shops).await?;
        self.slow = !by.is_zero();
        Ok(())
    }

    /// Makes it answer everything but its health check with 500, or no longer.
    ///
    /// # Errors
    /// Why it could not be told.
    pub(super) async fn fail(&mut self, fails: bool, shops: &Shops<'_>) -> Result<(), String> {
        self.tell("/_demo/failing", format!(r#"{{"value":{fails}}}"#), shops).await?;
        self.fails = fails;
        Ok(())
    }

    /// Sets the price of a product, in cents.
    ///
    /// # Errors
    /// Why it could not be told.
    pub(super) async fn set_price(&self, product: u32, cents: u64, shops: &Shops<'_>) -> Result<(), String> {
        let euros = cents as f64 / 100.0;
        self.tell("/_demo/price", format!(r#"{{"product":{product},"price":{euros}}}"#), shops).await
    }

    /// Uses one of its hidden controls.
    async fn tell(&self, control: &str, json: String, shops: &Shops<'_>) -> Result<(), String> {
        let address = self.address.to_string();
        let key = Some((TOKEN_HEADER, shops.token.clone()));
        match (Call { key, ..Call::post(&address, control, json) }).send().await? {
            (status, _) if status.is_success() => Ok(()),
            (status, _) => Err(format!("it answered {status}")),
        }
    }

    /// How the process ended, if it did so without being told.
    pub(super) fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.child.try_wait().ok()??;
        self.process = None;
        (self.slow, self.fails) = (false, false);
        Some(status)
    }

    /// Ends it by the end of its input; the hard way if it does not follow.
    pub(super) async fn end(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.input = None;
        if timeout(END_DEADLINE, process.child.wait()).await.is_err() {
            let _ = process.child.kill().await;
        }
    }
}

impl Process {
    async fn start(name: &str, port: u16, shops: &Shops<'_>) -> Result<(Self, SocketAddr), String> {
        let starting = Self::spawn(name, port, shops);
        match timeout(START_DEADLINE, starting).await {
            Ok(result) => result.map_err(|reason| format!("{name} did not start: {reason}")),
            Err(_) => Err(format!("{name} was not healthy within {} s", START_DEADLINE.as_secs())),
        }
    }

    async fn spawn(name: &str, port: u16, shops: &Shops<'_>) -> Result<(Self, SocketAddr), String> {
        let mut child = Command::new(shops.executable)
            .args(["demo-shop", "--name", name, "--port", &port.to_string()])
            .args(shops.deal_price.map(|cents| format!("--deal-price={cents}")))
            .env(JWT_SECRET, &shops.jwt_secret)
            .env(DEMO_TOKEN, &shops.token_text)
            .envs(shops.database.as_ref().map(|url| (DATABASE_URL, url)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if shops.may_complain { Stdio::inherit() } else { Stdio::null() })
            // Ctrl-C is for the parent, which then ends its instances in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let process = Self { child, input };

        let mut line = String::new();
        let output = output.ok_or("it has no output")?;
        BufReader::new(output).read_line(&mut line).await.map_err(|error| error.to_string())?;
        let address = match line.trim_end().strip_prefix(LISTENING).map(str::parse) {
            Some(Ok(address)) => address,
            _ if line.is_empty() => return Err("it ended at once".into()),
            _ => return Err(line.trim_end().to_owned()),
        };
        match Call::get(&format!("{address}"), "/health").send().await? {
            (StatusCode::OK, _) => Ok((process, address)),
            (status, _) => Err(format!("its health check answers {status}")),
        }
    }
}
