//! A terminal, and a command that is looked at on it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::support::{Home, soon};

/// A command on a terminal of its own.
pub struct OnTerminal {
    child: Child,
    /// Where a person sits.
    person: OwnedFd,
    /// Where the command reads and writes.
    command: OwnedFd,
    /// All that was written so far.
    written: watch::Receiver<String>,
    before: Termios,
    _home: Home,
}

impl OnTerminal {
    /// Runs the binary with these arguments on a terminal with so many columns and rows.
    pub fn run(arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let command = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&command, size).unwrap();
        let before = tcgetattr(&command).unwrap();

        let home = Home::new();
        let end = || Stdio::from(command.try_clone().unwrap());
        // In a session of its own, of which this is the terminal: as a shell starts it.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_deepwater")])
            .args(arguments)
            .current_dir(home.path(""))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let written = read(person.try_clone().unwrap());
        Self { child, person, command, written, before, _home: home }
    }

    /// Waits until a text has been written.
    pub async fn shows(&self, text: &str) -> String {
        self.shows_after(0, text).await
    }

    /// Waits until a text has been written behind so many bytes.
    pub async fn shows_after(&self, start: usize, text: &str) -> String {
        let mut written = self.written.clone();
        let shown = |all: &String| all.get(start..).is_some_and(|rest| rest.contains(text));
        let found = soon(text, written.wait_for(shown)).await.map(|all| all.clone());
        found.unwrap_or_else(|_| panic!("the terminal closed before {text:?}: {}", self.written()))
    }

    /// All that was written.
    pub fn written(&self) -> String {
        self.written.borrow().clone()
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        rustix::io::write(&self.person, keys.as_bytes()).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("it runs").cast_signed()).unwrap()
    }

    /// Whether the system has stopped it.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    }

    /// Whether each key is handed over at once, unseen.
    pub fn hands_over_keys(&self) -> bool {
        !tcgetattr(&self.command).unwrap().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Whether the terminal is as it was found.
    pub fn is_as_before(&self) -> bool {
        let now = tcgetattr(&self.command).unwrap();
        now.local_modes == self.before.local_modes
            && now.input_modes == self.before.input_modes
            && now.output_modes == self.before.output_modes
    }

    /// Waits for the command to end; its exit code.
    pub async fn ends(&mut self) -> Option<i32> {
        soon("the command to end", self.child.wait()).await.unwrap().code()
    }
}

/// Collects what is written, on a thread: a terminal cannot be waited for as a socket can.
fn read(person: OwnedFd) -> watch::Receiver<String> {
    let (sender, written) = watch::channel(String::new());
    std::thread::spawn(move || {
        let mut person = std::fs::File::from(person);
        let (mut bytes, mut rest) = ([0; 4096], Vec::new());
        // Once nobody has the other end open, reading fails.
        while let Ok(count @ 1..) = person.read(&mut bytes) {
            rest.extend_from_slice(&bytes[..count]);
            let whole = std::str::from_utf8(&rest).map_or_else(|error| error.valid_up_to(), str::len);
            let text = String::from_utf8(rest.drain(..whole).collect()).unwrap();
            sender.send_modify(|all| all.push_str(&text));
        }
    });
    written
}
