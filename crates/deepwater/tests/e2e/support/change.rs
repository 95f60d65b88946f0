//! Processes that change while clients are there.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::deepwater::Deepwater;
use super::soon;
use super::wire::{Message, Wire};

const CONSOLE: &str = "[console]\nlisten = \"127.0.0.1:0\"\n";

impl Deepwater {
    /// Writes another configuration in the place of the one it was started with.
    pub fn rewrite(&self, config: &str) {
        self.home().write("deepwater.toml", format!("{CONSOLE}{config}"));
    }

    /// Has another configuration read; what the console says.
    pub async fn reload(&self, config: &str) -> Message {
        self.rewrite(config);
        self.command("/api/reload").await
    }

    /// Has another configuration read that is right; what the console says.
    pub async fn reloaded(&self, config: &str) -> Value {
        let answer = self.reload(config).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        serde_json::from_str(answer.text()).unwrap()
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.pid()), signal).unwrap();
    }

    /// Waits until another process serves; it is ended when the test is.
    pub async fn upgraded(&self) -> Successor {
        let line = self.log_line("upgraded").await;
        let words: Vec<&str> = line.split(' ').collect();
        let at = words.iter().position(|word| *word == "process").expect("it names the process");
        Successor(words[at + 1].parse().unwrap())
    }
}

impl Deepwater {
    /// Waits until another than that process answers at the console's address; it is ended when the test is.
    pub async fn served_by_another(&self, than: u32) -> Successor {
        let other = async {
            loop {
                let pid = self.json("/api/status").await["pid"].as_u64().unwrap();
                if pid != u64::from(than) {
                    break Successor(u32::try_from(pid).unwrap());
                }
            }
        };
        soon("another process", other).await
    }
}

/// Asks until an answer says that the connection is to be closed: the process has begun to leave.
pub async fn told_to_leave(client: &mut Wire) {
    let told = async {
        loop {
            let answer = client.get("/").await;
            assert_eq!(answer.status(), 200);
            if answer.lists("connection", "close") {
                return;
            }
        }
    };
    soon("an answer that closes the connection", told).await;
    assert!(!client.closes().await.reset);
}

/// A process that nobody's handle ends.
pub struct Successor(pub u32);

impl Successor {
    pub fn signal(&self, signal: Signal) {
        kill_process(pid(self.0), signal).unwrap();
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = kill_process(pid(self.0), Signal::KILL);
    }
}

fn pid(raw: u32) -> Pid {
    Pid::from_raw(raw.cast_signed()).unwrap()
}
