//! `deepwater top`: what the lens sees, once a second: on a terminal over and over in its place, elsewhere a block each time.

mod figures;
mod keys;
mod page;
mod screen;
mod view;
mod way;

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;

use deepwater_core::config::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::Failure;
use crate::console::{self, Console};
use crate::terminal::{self, Paint, put};
use keys::Key;
use page::Page;
use screen::Screen;
use view::View;

/// Nobody reads faster, and the console has other things to do.
const SHORTEST: std::time::Duration = std::time::Duration::from_millis(100);

/// Whom to ask, and how often.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYS)]
pub(crate) struct Arguments {
    #[command(flatten)]
    console: console::Arguments,
    /// Between two looks.
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    interval: Duration,
    /// Print one block and end.
    #[arg(long)]
    once: bool,
}

const KEYS: &str = "\
Keys:
  q                 quit
  p, space          pause, and go on
  up, down, k, j    scroll by a line
  page up and down  scroll by a page; home and end likewise

Where standard output is no terminal, a block is printed each interval.";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let console = Console::new(&arguments.console)?;
    let every = arguments.interval.get();
    if every < SHORTEST {
        return Err(Failure::Usage(format!(
            "--interval: {} is too short\n  fix: write 100ms or more",
            arguments.interval
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = match (arguments.once, terminal::is_capable()) {
        (true, _) => runtime.block_on(once(&console)),
        (false, true) => runtime.block_on(live(&console, every)),
        (false, false) => runtime.block_on(plain(&console, every)),
    };
    // The thread that reads the keyboard cannot be waited for.
    runtime.shutdown_background();
    done
}

async fn once(console: &Console) -> Result<(), Failure> {
    print(&block(&View::ask(console).await?))?;
    Ok(())
}

/// A block each time. The first look has to succeed; later ones may not, and say so.
async fn plain(console: &Console, every: std::time::Duration) -> Result<(), Failure> {
    let mut ending = Ending::listen()?;
    let mut text = block(&View::ask(console).await?);
    let mut ticks = ticks(every);
    ticks.tick().await;
    loop {
        if !print(&text)? {
            return Ok(());
        }
        let next = async {
            ticks.tick().await;
            View::ask(console).await
        };
        text = tokio::select! {
            view = next => view.map_or_else(|failure| format!("\n{}\n", reason(&failure)), |view| format!("\n{}", block(&view))),
            () = ending.received() => return Ok(()),
        };
    }
}

/// Everything at one moment, as it is printed.
fn block(view: &View) -> String {
    let Page { head, body } = Page::of(view, usize::MAX);
    let lines = head.into_iter().chain(body).map(|line| line.text + "\n");
    lines.collect()
}

/// Whether somebody still reads it.
fn print(text: &str) -> Result<bool, Failure> {
    match put(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// On a terminal, in its place, until the key `q` or a signal. Whatever happens, the terminal is as before afterwards.
async fn live(console: &Console, every: std::time::Duration) -> Result<(), Failure> {
    let mut ending = Ending::listen()?;
    let mut suspended = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
    let mut resumed = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let mut resized = signal(SignalKind::window_change())?;
    // Asked before the terminal is taken: why there is nothing to see is told where the command was typed.
    let view = View::ask(console).await?;
    let mut keys = Some(keys::read()?);
    let mut screen = Screen::take(view, Paint::new())?;
    let mut ticks = ticks(every);
    ticks.tick().await;
    let mut asking: Option<Asking<'_>> = None;
    loop {
        screen.draw()?;
        tokio::select! {
            answer = answered(&mut asking) => {
                asking = None;
                screen.learn(answer.map_err(|failure| reason(&failure)));
            }
            _ = ticks.tick(), if asking.is_none() && !screen.is_paused() => {
                asking = Some(Box::pin(View::ask(console)));
            }
            key = pressed(&mut keys) => match key {
                Some(Key::Quit) => return Ok(()),
                Some(key) => screen.press(key),
                // The end of a pipe is no wish to quit.
                None => keys = None,
            },
            _ = suspended.recv() => screen.suspend()?,
            _ = resumed.recv() => screen.enter()?,
            _ = resized.recv() => {}
            () = ending.received() => return Ok(()),
        }
    }
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<View, Failure>> + 'a>>;

/// Waits for what was asked, for ever when nothing was.
async fn answered(asking: &mut Option<Asking<'_>>) -> Result<View, Failure> {
    match asking {
        Some(asking) => asking.await,
        None => pending().await,
    }
}

async fn pressed(keys: &mut Option<mpsc::Receiver<Key>>) -> Option<Key> {
    match keys {
        Some(keys) => keys.recv().await,
        None => pending().await,
    }
}

fn ticks(every: std::time::Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Why there is nothing to see, in a line.
fn reason(failure: &Failure) -> String {
    let (Failure::Usage(message) | Failure::Running(message)) = failure;
    message.lines().next().unwrap_or_default().to_owned()
}

/// Signals that end a process.
struct Ending([Signal; 3]);

impl Ending {
    fn listen() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
