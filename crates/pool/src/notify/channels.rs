//! Who listens on which channel, and what the server has yet to be told. Pure: it opens no socket.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Word;
use super::name::{is_exact, quoted};
use crate::clients::ClientInfo;

/// Channels of one pool.
const MAX_CHANNELS: usize = 10_000;
/// Clients times channels of one pool.
const MAX_SUBSCRIPTIONS: usize = 1_000_000;

/// Who listens on what.
#[derive(Debug, Default)]
pub(super) struct Channels {
    by_name: HashMap<Arc<str>, Channel>,
    by_client: HashMap<u64, HashSet<Arc<str>>>,
    subscriptions: usize,
    /// Channels of which the server may have to be told something, each once.
    to_do: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Channel {
    clients: HashMap<u64, Arc<ClientInfo>>,
    /// Those among the clients who have not been told that the server listens.
    waiting: Vec<(u64, oneshot::Sender<Word>)>,
    on_server: OnServer,
    in_to_do: bool,
}

/// What the server does for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum OnServer {
    #[default]
    Nothing,
    /// LISTEN was sent.
    Beginning,
    Listens,
    /// UNLISTEN was sent.
    Ending,
}

/// What the server is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Listen(Arc<str>),
    Unlisten(Arc<str>),
}

impl Command {
    pub(super) fn sql(&self) -> String {
        match self {
            Self::Listen(channel) => format!("LISTEN {}", quoted(channel)),
            Self::Unlisten(channel) => format!("UNLISTEN {}", quoted(channel)),
        }
    }
}

impl Channels {
    /// Subscribes a client to a channel; the word is given when the server listens on it. Whether the server has to be
    /// told something.
    pub(super) fn subscribe(
        &mut self,
        name: &str,
        client: &Arc<ClientInfo>,
        word: oneshot::Sender<Word>,
    ) -> bool {
        if let Err(reason) = self.may_subscribe(name) {
            // A client that has left needs no word, here and below.
            let _ = word.send(Err(reason));
            return false;
        }
        let name = match self.by_name.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let channel = self.by_name.entry(Arc::clone(&name)).or_default();
        if channel.clients.insert(client.id, Arc::clone(client)).is_none() {
            self.subscriptions += 1;
            self.by_client.entry(client.id).or_default().insert(Arc::clone(&name));
        }
        if channel.on_server == OnServer::Listens {
            let _ = word.send(Ok(()));
            return false;
        }
        channel.waiting.push((client.id, word));
        self.look_at(&name)
    }

    fn may_subscribe(&self, name: &str) -> Word {
        if !is_exact(name) {
            return Err("the name of the channel is not UTF-8; fix: use client_encoding UTF8".into());
        }
        if self.by_name.len() >= MAX_CHANNELS && !self.by_name.contains_key(name) {
            return Err(format!(
                "the clients of this pool listen on {MAX_CHANNELS} channels, the most there may be; fix: UNLISTEN what \
                 is not needed, or use one channel for many purposes and tell them apart by the payload"
            ));
        }
        if self.subscriptions >= MAX_SUBSCRIPTIONS {
            return Err(format!(
                "the clients of this pool listen {MAX_SUBSCRIPTIONS} times, the most there may be; fix: UNLISTEN what \
                 is not needed"
            ));
        }
        Ok(())
    }

    /// Ends a subscription. Whether the server has to be told something.
    pub(super) fn unsubscribe(&mut self, name: &str, client: u64) -> bool {
        let Some(channels) = self.by_client.get_mut(&client) else { return false };
        let Some(name) = channels.take(name) else { return false };
        if channels.is_empty() {
            self.by_client.remove(&client);
        }
        self.leave(&name, client)
    }

    /// Ends all subscriptions of a client. Whether the server has to be told something.
    pub(super) fn forget(&mut self, client: u64) -> bool {
        let channels = self.by_client.remove(&client).unwrap_or_default();
        channels.iter().fold(false, |to_do, name| self.leave(name, client) | to_do)
    }

    fn leave(&mut self, name: &Arc<str>, client: u64) -> bool {
        let Some(channel) = self.by_name.get_mut(name) else { return false };
        if channel.clients.remove(&client).is_some() {
            self.subscriptions -= 1;
        }
        channel.waiting.retain(|(waiting, _)| *waiting != client);
        channel.clients.is_empty() && self.look_at(name)
    }

    /// Has a channel looked at when the server is next told something. False if it will be anyway.
    fn look_at(&mut self, name: &Arc<str>) -> bool {
        let Some(channel) = self.by_name.get_mut(name) else { return false };
        if std::mem::replace(&mut channel.in_to_do, true) {
            return false;
        }
        self.to_do.push_back(Arc::clone(name));
        true
    }

    /// What the server is to be told next.
    pub(super) fn next_command(&mut self) -> Option<Command> {
        while let Some(name) = self.to_do.pop_front() {
            let Some(channel) = self.by_name.get_mut(&name) else { continue };
            channel.in_to_do = false;
            match (channel.clients.is_empty(), channel.on_server) {
                (false, OnServer::Nothing) => {
                    channel.on_server = OnServer::Beginning;
                    return Some(Command::Listen(name));
                }
                (true, OnServer::Listens) => {
                    channel.on_server = OnServer::Ending;
                    return Some(Command::Unlisten(name));
                }
                (true, OnServer::Nothing) => {
                    self.by_name.remove(&name);
                }
                // It is as it should be, or is looked at again when the server has answered.
                (false, OnServer::Listens) | (_, OnServer::Beginning | OnServer::Ending) => {}
            }
        }
        None
    }

    /// Takes the server's answer to a LISTEN, and tells those who wait for it.
    pub(super) fn listened(&mut self, name: &Arc<str>, answer: &Word) {
        let Some(channel) = self.by_name.get_mut(name) else { return };
        let waiting = std::mem::take(&mut channel.waiting);
        match answer {
            Ok(()) => channel.on_server = OnServer::Listens,
            Err(_) => {
                channel.on_server = OnServer::Nothing;
                // All who listen have waited for this answer.
                for (client, _) in &waiting {
                    self.unsubscribe(name, *client);
                }
            }
        }
        for (_, word) in waiting {
            let _ = word.send(answer.clone());
        }
        self.look_at(name);
    }

    /// The server has answered an UNLISTEN.
    pub(super) fn unlistened(&mut self, name: &Arc<str>) {
        if let Some(channel) = self.by_name.get_mut(name) {
            channel.on_server = OnServer::Nothing;
        }
        self.look_at(name);
    }

    /// Hands a whole NotificationResponse to those who listen.
    pub(super) fn deliver(&self, name: &str, notification: &[u8]) {
        let Some(channel) = self.by_name.get(name) else { return };
        for client in channel.clients.values() {
            client.deliver(notification);
        }
    }

    /// Whether nobody listens, and the server does not either.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Tells those who wait for a LISTEN that nothing comes of it. The others, who rely on one, are returned.
    pub(super) fn fail(self, reason: &str) -> Vec<Arc<ClientInfo>> {
        let mut relying = HashMap::new();
        for mut channel in self.by_name.into_values() {
            for (client, word) in channel.waiting {
                channel.clients.remove(&client);
                let _ = word.send(Err(reason.into()));
            }
            relying.extend(channel.clients);
        }
        relying.into_values().collect()
    }
}
