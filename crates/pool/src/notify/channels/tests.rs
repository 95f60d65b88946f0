//! Channels against a server that is no more than a set.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use deepwater_core::random::Random;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::{Channels, Command, MAX_CHANNELS};
use crate::clients::{ClientInfo, Clients, Introduction};
use crate::login::Peer;
use crate::notify::Word;

fn clients(n: usize) -> Vec<Arc<ClientInfo>> {
    let clients = Clients::default();
    let client = |_| {
        let who = Introduction {
            database: "app".into(),
            user: "app".into(),
            peer: Peer::Unix { path: String::new(), uid: None, pid: None },
            descriptor: -1,
            tls: None,
            application_name: "".into(),
            connected_at: std::time::SystemTime::UNIX_EPOCH,
            replication: false,
        };
        clients.enter(vec![0; 4], who)
    };
    (0..n).map(client).collect()
}

fn subscribe(channels: &mut Channels, name: &str, client: &Arc<ClientInfo>) -> oneshot::Receiver<Word> {
    let (word, receiver) = oneshot::channel();
    channels.subscribe(name, client, word);
    receiver
}

#[test]
fn what_is_over_before_the_server_hears_of_it_is_never_told() {
    let (mut channels, client) = (Channels::default(), &clients(1)[0]);
    let mut word = subscribe(&mut channels, "news", client);
    channels.unsubscribe("news", client.id);
    assert_eq!(channels.next_command(), None);
    assert!(channels.is_empty());
    assert_eq!(word.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn channels_are_limited() {
    let (mut channels, client) = (Channels::default(), &clients(1)[0]);
    let _kept: Vec<_> = (0..MAX_CHANNELS).map(|n| subscribe(&mut channels, &n.to_string(), client)).collect();
    let refused = subscribe(&mut channels, "one more", client).try_recv().unwrap().unwrap_err();
    assert!(refused.contains("10000 channels") && refused.contains("fix: "), "{refused}");
    // Those that there are take further clients.
    assert_eq!(subscribe(&mut channels, "0", client).try_recv(), Err(TryRecvError::Empty));
    channels.forget(client.id);
    assert_eq!(channels.next_command(), None);
    assert!(channels.is_empty());
    assert_eq!(channels.subscriptions, 0);
}

#[test]
fn a_channel_whose_name_is_not_utf8_is_refused() {
    let (mut channels, client) = (Channels::default(), &clients(1)[0]);
    let refused = subscribe(&mut channels, "gr\u{f7f6}sse", client).try_recv().unwrap().unwrap_err();
    assert!(refused.contains("client_encoding"), "{refused}");
    assert!(channels.is_empty());
}

#[test]
fn only_those_who_rely_on_a_listen_lose_something_with_it() {
    let (mut channels, clients) = (Channels::default(), clients(2));
    let mut confirmed = subscribe(&mut channels, "news", &clients[0]);
    assert_eq!(channels.next_command(), Some(Command::Listen("news".into())));
    channels.listened(&"news".into(), &Ok(()));
    assert_eq!(confirmed.try_recv(), Ok(Ok(())));
    let mut waiting = [&clients[0], &clients[1]].map(|client| subscribe(&mut channels, "sports", client));
    let lost: Vec<_> = channels.fail("gone").iter().map(|client| client.id).collect();
    assert_eq!(lost, [clients[0].id]);
    waiting.iter_mut().for_each(|word| assert_eq!(word.try_recv(), Ok(Err("gone".into()))));
}

/// Clients come and go at random, and the server answers late and sometimes with an error. Whoever has the word can rely
/// on it, nobody waits for ever, and in the end the server listens on what is listened on.
#[test]
fn random_comings_and_goings() {
    let given = std::env::var("DEEPWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("DEEPWATER_SEED={seed}");
    let mut random = Random::from_seed(seed);
    let clients = clients(5);
    let names = ["a", "b", "c", "d"];
    for _ in 0..50 {
        let mut world = World::default();
        for _ in 0..200 {
            let (client, name) = (&clients[random.below(clients.len())], names[random.below(names.len())]);
            match random.below(6) {
                // As sessions do: one LISTEN after the other.
                0 | 1 if !world.waiting.keys().any(|(waiting, _)| *waiting == client.id) => {
                    let word = subscribe(&mut world.channels, name, client);
                    world.waiting.insert((client.id, name), word);
                }
                2 => {
                    world.channels.unsubscribe(name, client.id);
                    world.forget(|(id, channel)| *id == client.id && *channel == name);
                }
                3 if random.below(4) == 0 => {
                    world.channels.forget(client.id);
                    world.forget(|(id, _)| *id == client.id);
                }
                4 => world.in_flight.extend(world.channels.next_command()),
                _ => world.answer(random.below(10) == 0),
            }
            world.check();
        }
        world.settle();
        let wanted: BTreeSet<_> = world.relying.iter().map(|(_, name)| (*name).to_owned()).collect();
        assert_eq!(world.server, wanted);
        assert!(world.waiting.is_empty(), "{:?}", world.waiting);
        assert_eq!(world.channels.subscriptions, world.relying.len());
        for client in &clients {
            world.channels.forget(client.id);
        }
        world.relying.clear();
        world.settle();
        assert!(world.channels.is_empty() && world.channels.by_client.is_empty() && world.server.is_empty());
    }
}

/// The channels, the server, and what clients believe.
#[derive(Default)]
struct World {
    channels: Channels,
    in_flight: VecDeque<Command>,
    server: BTreeSet<String>,
    waiting: BTreeMap<(u64, &'static str), oneshot::Receiver<Word>>,
    relying: BTreeSet<(u64, &'static str)>,
}

impl World {
    fn forget(&mut self, who: impl Fn(&(u64, &'static str)) -> bool) {
        self.waiting.retain(|key, _| !who(key));
        self.relying.retain(|key| !who(key));
    }

    fn answer(&mut self, with_error: bool) {
        match self.in_flight.pop_front() {
            Some(Command::Listen(name)) if with_error => self.channels.listened(&name, &Err("no".into())),
            Some(Command::Listen(name)) => {
                self.server.insert(name.to_string());
                self.channels.listened(&name, &Ok(()));
            }
            Some(Command::Unlisten(name)) => {
                self.server.remove(&*name);
                self.channels.unlistened(&name);
            }
            None => {}
        }
    }

    fn check(&mut self) {
        let relying = &mut self.relying;
        self.waiting.retain(|key, word| match word.try_recv() {
            Ok(Ok(())) => {
                relying.insert(*key);
                false
            }
            Ok(Err(_)) => false,
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Closed) => panic!("{key:?} waits for a word that never comes"),
        });
        for (client, name) in relying.iter() {
            assert!(self.server.contains(*name), "client {client} relies on {name}");
            assert!(self.channels.by_name[*name].clients.contains_key(client));
        }
    }

    fn settle(&mut self) {
        loop {
            self.in_flight.extend(self.channels.next_command());
            if self.in_flight.is_empty() {
                return;
            }
            self.answer(false);
            self.check();
        }
    }
}
