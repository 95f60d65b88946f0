//! The commands of the console.

use super::command::{Command, invalid};
use super::show;
use super::table::Table;
use super::{CANCEL, Console, DRAIN, End, KILL, PROTOCOL_VIOLATION, signalled};
use crate::control::AdministratorCommanded;
use crate::control::{self, Ending, are_released, are_renewed, until};
use crate::shared::Shared;

/// Where RELOAD refers to for more.
const RELOAD_FAILED: &str = "RELOAD failed, see logs for additional details";
/// The SQLSTATE of a file that cannot be put in force (PostgreSQL, `config_file_error`).
const CONFIG_FILE_ERROR: &str = "F0000";
const QUERY_CANCELED: &str = "57014";

/// What came of a command.
pub(super) enum Outcome {
    /// The command's tag.
    Done(String),
    /// Rows.
    Table(Table),
    /// A notice, and the command's tag.
    Notice { message: &'static str, detail: Option<&'static str>, tag: &'static str },
    /// SQLSTATE and sentence.
    Refused(&'static str, String),
    /// The session is over.
    End(End),
}

impl Outcome {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(PROTOCOL_VIOLATION, why.into())
    }
}

/// What a command waits for.
type Condition = Box<dyn Fn(&Shared) -> bool>;

/// What a command leads to.
enum Step {
    Over(Outcome),
    /// Wait, then answer with the tag.
    Wait(&'static str, Condition),
}

impl Console {
    pub(super) async fn execute(&mut self, command: Command, text: &str) -> Outcome {
        let (word, argument) = match command {
            Command::Set { key, value } => return self.set(&key, &value),
            Command::Plain { word, argument } => (word, argument),
        };
        if matches!(word.as_str(), "show" | "select") {
            return show::show(&self.shared, &argument, self.may_change, text);
        }
        let Some(action) = Action::read(&word, &argument) else {
            return Outcome::refused(invalid(text));
        };
        if !self.may_change {
            return Outcome::refused("admin access needed");
        }
        self.tell(&spelled(&word.to_ascii_uppercase(), &argument));
        match self.act(action) {
            Ok(Step::Over(outcome)) => outcome,
            Ok(Step::Wait(tag, condition)) => self.wait(tag, condition).await,
            Err(why) => Outcome::refused(why),
        }
    }

    fn act(&self, action: Action<'_>) -> Result<Step, String> {
        let shared = &self.shared;
        // What somebody else takes back is not waited for.
        let released = |database: Option<&str>, idle: bool| -> Condition {
            let name = database.map(str::to_owned);
            Box::new(move |shared| {
                let name = name.as_deref();
                are_released(shared, name, idle) || !shared.controls.is_paused(name.unwrap_or_default())
            })
        };
        let done = |tag: &str| Ok(Step::Over(Outcome::Done(tag.to_owned())));
        match action {
            Action::Pause(database) => {
                control::pause(shared, database)?;
                Ok(Step::Wait("PAUSE", released(database, false)))
            }
            Action::Suspend => {
                control::suspend(shared)?;
                Ok(Step::Wait("SUSPEND", released(None, true)))
            }
            Action::WaitClose(database) => {
                control::check(shared, database, "wait in")?;
                let name = database.map(str::to_owned);
                Ok(Step::Wait("WAIT_CLOSE", Box::new(move |shared| are_renewed(shared, name.as_deref()))))
            }
            Action::Resume(database) => control::resume(shared, database).and_then(|()| done("RESUME")),
            Action::Reconnect(database) => {
                control::reconnect(shared, database).and_then(|()| done("RECONNECT"))
            }
            Action::Kill(database) => control::kill(shared, database).and_then(|()| done("KILL")),
            Action::KillClient(id) => {
                let id = id.parse().map_err(|_| "invalid client pointer supplied")?;
                control::kill_client(shared, id).and_then(|()| done("KILL_CLIENT"))
            }
            Action::Disable(database) => {
                control::disable(shared, needed(database)?).and_then(|()| done("DISABLE"))
            }
            Action::Enable(database) => {
                control::enable(shared, needed(database)?).and_then(|()| done("ENABLE"))
            }
            Action::Reload => Ok(Step::Over(match control::reload(shared) {
                Ok(()) => Outcome::Done("RELOAD".into()),
                Err(why) if control::is_changeable(shared) => {
                    // The reason is in the log, as with PgBouncer; it may be long, or name files.
                    drop(why);
                    Outcome::Refused(CONFIG_FILE_ERROR, RELOAD_FAILED.into())
                }
                Err(why) => Outcome::refused(why),
            })),
            Action::ShutDown(Ending::Now) => {
                control::end(shared, Ending::Now);
                // The connection stays until the process has ended.
                Ok(Step::Wait("SHUTDOWN", Box::new(|_| false)))
            }
            Action::ShutDown(ending) => {
                control::end(shared, ending);
                done("SHUTDOWN")
            }
        }
    }

    fn set(&self, key: &str, value: &str) -> Outcome {
        if show::pretended(key).is_some() {
            return Outcome::Notice { message: "SET ignored", detail: None, tag: "SET" };
        }
        if !self.may_change {
            return Outcome::refused("admin access needed");
        }
        match control::set(&self.shared, key, value) {
            Ok(()) => {
                self.tell(&format!("SET {key}"));
                Outcome::Done(format!("SET {key}={value}"))
            }
            // PgBouncer leaves the reason to its log.
            Err(why) => Outcome::refused(format!("SET failed: {why}")),
        }
    }

    fn tell(&self, command: &str) {
        let (user, command) = (self.info.user.to_string(), command.to_owned());
        self.shared.context.events.emit(AdministratorCommanded { user, command });
    }

    /// Waits for what a command brings about; the administrator may leave or give up meanwhile.
    async fn wait(&mut self, tag: &'static str, condition: Condition) -> Outcome {
        let done = until(&self.shared, condition);
        tokio::pin!(done);
        loop {
            tokio::select! {
                biased;
                () = &mut done => return Outcome::Done(tag.to_owned()),
                signals = signalled(&self.info, KILL | DRAIN | CANCEL) => {
                    self.info.clear(CANCEL);
                    if signals & CANCEL != 0 {
                        // As with PgBouncer: what cannot be waited for is taken back.
                        let _ = control::resume(&self.shared, None);
                        let message = "canceling statement due to user request";
                        return Outcome::Refused(QUERY_CANCELED, message.into());
                    }
                    if let Some(end) = self.end_for(signals) {
                        return Outcome::End(end);
                    }
                }
                message = self.talk.message(super::MAX_QUERY), if self.next.is_none() => match message {
                    Ok(message) => self.next = Some(message),
                    Err(_) => return Outcome::End(End::Left),
                },
            }
        }
    }
}

fn needed(database: &str) -> Result<&str, String> {
    if database.is_empty() { Err("a database is required".into()) } else { Ok(database) }
}

fn spelled(word: &str, argument: &str) -> String {
    if argument.is_empty() { word.to_owned() } else { format!("{word} {argument}") }
}

/// A command that only an administrator may give.
enum Action<'a> {
    Pause(Option<&'a str>),
    Resume(Option<&'a str>),
    Reconnect(Option<&'a str>),
    Kill(Option<&'a str>),
    KillClient(&'a str),
    Disable(&'a str),
    Enable(&'a str),
    WaitClose(Option<&'a str>),
    Suspend,
    Reload,
    ShutDown(Ending),
}

impl<'a> Action<'a> {
    /// None for what is no command, or has an argument that it does not take.
    fn read(word: &str, argument: &'a str) -> Option<Self> {
        let database = Some(argument).filter(|argument| !argument.is_empty());
        Some(match word {
            "pause" => Self::Pause(database),
            "resume" => Self::Resume(database),
            "reconnect" => Self::Reconnect(database),
            "kill" => Self::Kill(database),
            "kill_client" => Self::KillClient(argument),
            "disable" => Self::Disable(argument),
            "enable" => Self::Enable(argument),
            "wait_close" => Self::WaitClose(database),
            "suspend" if database.is_none() => Self::Suspend,
            "reload" if database.is_none() => Self::Reload,
            "shutdown" => Self::ShutDown(match argument.to_ascii_uppercase().as_str() {
                "" => Ending::Now,
                "WAIT_FOR_SERVERS" => Ending::ServersReleased,
                "WAIT_FOR_CLIENTS" => Ending::ClientsLeft,
                _ => return None,
            }),
            _ => return None,
        })
    }
}
