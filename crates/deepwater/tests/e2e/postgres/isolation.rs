//! Nothing of one client is ever visible to another: many clients set all there is to set, in random order, over few
//! servers, and look around all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use deepwater_core::random::Random;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::support::pg_wire::say::{bind, call, close_statement, execute, parse, query, sync};
use crate::support::pg_wire::{Pg, Reply, error_in, succeeded};
use crate::support::postgres::{Place, Setup, Version};

const CLIENTS: u64 = 14;
const STEPS: usize = 120;
const SERVERS: usize = 3;
/// Who is pinned holds a server; one must stay for the others.
const PINNED: usize = SERVERS - 1;

/// Settings, their value where nobody has set them, and values they may be given.
const SETTINGS: [(&str, &str, [&str; 3]); 10] = [
    ("search_path", "\"$user\", public", ["pg_catalog", "a, b", "\"Odd, one\", public"]),
    ("TimeZone", "UTC", ["Asia/Tokyo", "Europe/Rome", "America/Lima"]),
    ("statement_timeout", "0", ["11s", "12s", "13s"]),
    ("lock_timeout", "0", ["21s", "22s", "23s"]),
    ("application_name", "", ["one", "it''s two", "three \"quoted\""]),
    ("DateStyle", "ISO, MDY", ["ISO, DMY", "German, DMY", "SQL, YMD"]),
    ("custom.one", "", ["1", "2", "a\\b"]),
    ("custom.two", "", ["x", "y ; z", "DEFAULT"]),
    ("client_encoding", "UTF8", ["LATIN1", "LATIN9", "UTF8"]),
    ("custom.three", "", ["é", "漢", "ascii"]),
];
/// Positions in it.
const TIME_ZONE: usize = 1;
const CUSTOM_ONE: usize = 6;
const CUSTOM_TWO: usize = 7;
const ENCODING: usize = 8;
const CUSTOM_THREE: usize = 9;

/// A literal that each time zone reads in its own way, and what is read.
const NOON: &str = "SELECT extract(epoch FROM '2024-01-01 12:00'::timestamptz)::int::text";
const NOONS: [(&str, &str); 4] = [
    ("UTC", "1704110400"),
    ("Asia/Tokyo", "1704078000"),
    ("Europe/Rome", "1704106800"),
    ("America/Lima", "1704128400"),
];
const NAMES: [&str; 3] = ["s", "t", "odd name"];

/// A client, and what it should find.
struct Client {
    id: u64,
    place: Place,
    other_role: String,
    /// A superuser that it may become.
    admin_role: String,
    /// The number of `set_config`.
    set_config: u32,
    session: Pg,
    random: Random,
    settings: BTreeMap<usize, String>,
    has_role: bool,
    statements: BTreeMap<&'static str, String>,
    by_sql: BTreeMap<&'static str, String>,
    locks: BTreeSet<u64>,
    has_table: bool,
    /// It is pinned until it discards all.
    is_opaque: bool,
    channels: BTreeSet<String>,
    counter: u64,
    pins: Arc<Semaphore>,
    pin: Option<OwnedSemaphorePermit>,
    done: Vec<String>,
}

impl Client {
    async fn new(id: u64, place: Place, roles: [String; 2], random: Random, pins: Arc<Semaphore>) -> Self {
        let mut session = Pg::login(&place).await;
        let [other_role, admin_role] = roles;
        let number = session.value("SELECT 'set_config(text, text, boolean)'::regprocedure::oid").await;
        Self {
            id,
            place,
            other_role,
            admin_role,
            set_config: number.parse().unwrap(),
            session,
            random,
            settings: BTreeMap::new(),
            has_role: false,
            statements: BTreeMap::new(),
            by_sql: BTreeMap::new(),
            locks: BTreeSet::new(),
            has_table: false,
            is_opaque: false,
            channels: BTreeSet::new(),
            counter: 0,
            pins,
            pin: None,
            done: Vec::new(),
        }
    }

    /// A word that no other client has.
    fn word(&mut self) -> String {
        self.counter += 1;
        format!("{}-{}", self.id, self.counter)
    }

    async fn say(&mut self, bytes: Vec<u8>, what: &str) -> Vec<Reply> {
        self.done.push(what.to_owned());
        let told = self.session.ask(bytes).await;
        for reply in told.iter().filter(|reply| reply.tag == b'A') {
            let words = reply.to_string();
            assert!(
                self.channels.iter().any(|channel| words.contains(channel.as_str())),
                "{words} was not asked for"
            );
        }
        told
    }

    async fn run(&mut self, sql: &str) -> Vec<Reply> {
        let told = self.say(query(sql), sql).await;
        succeeded(sql, &told);
        told
    }

    async fn step(&mut self) {
        match self.random.below(24) {
            0..4 => self.set().await,
            4 => self.reset().await,
            5 => self.change_role().await,
            6 | 7 => self.prepare().await,
            8 | 9 => self.execute().await,
            10 => self.close().await,
            11 => self.prepare_by_sql().await,
            12 => self.execute_by_sql().await,
            13 => self.pin_or_unpin().await,
            14 => self.listen().await,
            15 => self.discard().await,
            16 => self.leave().await,
            17 => self.fail().await,
            18 | 19 => self.read_a_literal().await,
            20 | 21 => self.set_by_execute().await,
            22 => self.run("SET seed = 0.5").await.clear(),
            _ => {}
        }
        self.look_around().await;
    }

    /// A setting, in one of the ways there are to set it.
    async fn set(&mut self) {
        let which = self.random.below(SETTINGS.len());
        let (name, _, values) = SETTINGS[which];
        // Said in another encoding it would be another value.
        if which == CUSTOM_THREE && self.settings.get(&ENCODING).is_some_and(|encoding| encoding != "UTF8") {
            return;
        }
        let value = values[self.random.below(values.len())];
        let set = if name == "search_path" || name == "DateStyle" {
            format!("SELECT set_config('{name}', '{value}', false)")
        } else {
            format!("SET {name} = '{value}'")
        };
        let kept = match self.random.below(6) {
            0 => {
                self.run(&format!("BEGIN; {set}")).await;
                self.run("ROLLBACK").await;
                false
            }
            1 => {
                self.run("BEGIN").await;
                self.run(&set).await;
                self.run("COMMIT").await;
                true
            }
            2 => {
                self.run(&format!(
                    "BEGIN; {}; COMMIT",
                    set.replacen("SET ", "SET LOCAL ", 1).replace("false", "true")
                ))
                .await;
                false
            }
            3 => {
                let pipeline = [parse("", &set), bind("", "", &[]), execute("", 0), sync()].concat();
                succeeded(&set, &self.say(pipeline, &set).await);
                true
            }
            _ => {
                self.run(&set).await;
                true
            }
        };
        if kept {
            self.settings.insert(which, value.replace("''", "'"));
        }
    }

    async fn reset(&mut self) {
        if self.random.below(4) == 0 {
            self.run("RESET ALL").await;
            self.settings.clear();
        } else {
            let which = self.random.below(SETTINGS.len());
            self.run(&format!("RESET {}", SETTINGS[which].0)).await;
            self.settings.remove(&which);
        }
    }

    /// A statement that sets something when it is run by name.
    async fn set_by_execute(&mut self) {
        let name = ["setter", "another"][self.random.below(2)];
        let value = self.word();
        let prepare = format!("PREPARE {name} (text) AS SELECT set_config('custom.one', $1, false)");
        let execute = format!("EXECUTE {name}('{value}')");
        match self.random.below(3) {
            0 => {
                self.run(&prepare).await;
                self.run(&execute).await;
                self.run(&format!("DEALLOCATE {name}")).await;
            }
            1 => {
                self.run(&prepare).await;
                self.run(&format!("BEGIN; {execute}; COMMIT")).await;
                self.run(&format!("SELECT 1; DEALLOCATE {name}; SELECT 2")).await;
            }
            // Nothing waits for anything.
            _ => {
                let said = [query(&prepare), query(&execute), query(&format!("DEALLOCATE {name}"))].concat();
                self.session.say(said).await;
                for _ in 0..2 {
                    succeeded(&execute, &self.session.hear_until(b'Z').await);
                }
                succeeded(&execute, &self.say(Vec::new(), &execute).await);
            }
        }
        self.settings.insert(CUSTOM_ONE, value);
    }

    /// A prepared statement, of a text that all have, means what the client's own time zone makes of it.
    async fn read_a_literal(&mut self) {
        let local = self.random.below(3) == 0;
        let zone =
            if local { "Europe/Rome" } else { self.settings.get(&TIME_ZONE).map_or("UTC", String::as_str) };
        let noon = NOONS.iter().find(|(known, _)| *known == zone).unwrap().1.to_owned();
        let name = if self.random.below(2) == 0 { "noon" } else { "" };
        let read = [parse(name, NOON), bind("", name, &[]), execute("", 0), close_statement(name), sync()];
        let begin = query("BEGIN; SET LOCAL TimeZone = 'Europe/Rome'");
        if local {
            self.say(begin, "a zone for the transaction").await;
        }
        let told = self.say(read.concat(), "read a literal").await;
        self.expect("noon", &told, Some(&noon));
        if local {
            self.run("COMMIT").await;
        }
    }

    async fn change_role(&mut self) {
        // Its temporary table would be another's.
        if self.has_table {
            return;
        }
        let sql = if self.has_role { "RESET ROLE".into() } else { format!("SET ROLE {}", self.other_role) };
        self.run(&sql).await;
        self.has_role = !self.has_role;
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.random.below(NAMES.len())]
    }

    async fn prepare(&mut self) {
        let name = self.name();
        let known = self.statements.contains_key(name) || self.by_sql.contains_key(name);
        // Half of the texts are the same for all clients, so that servers have them already.
        let word =
            if self.random.below(2) == 0 { format!("all {}", self.random.below(5)) } else { self.word() };
        let sql = format!("SELECT '{word}'");
        let told = self.say([parse(name, &sql), sync()].concat(), &format!("Parse {name} {sql}")).await;
        let code = told.iter().find(|reply| reply.tag == b'E').map(Reply::code);
        let expected = known.then_some("42P05");
        assert_eq!(code.as_deref(), expected, "client {}, {name}, after {:#?}", self.id, self.last_steps());
        if !known {
            self.statements.insert(name, word);
        }
    }

    async fn execute(&mut self) {
        let name = self.name();
        let told = self
            .say([bind("", name, &[]), execute("", 0), sync()].concat(), &format!("Execute {name}"))
            .await;
        self.expect(name, &told, self.statements.get(name).or(self.by_sql.get(name)));
    }

    fn expect(&self, what: &str, told: &[Reply], word: Option<&String>) {
        let error = told.iter().find(|reply| reply.tag == b'E');
        let row = told.iter().find(|reply| reply.tag == b'D').map(Reply::row);
        let found = row.and_then(|row| row[0].clone());
        let code = error.map(Reply::code);
        let expected = if word.is_some() { None } else { Some("26000") };
        let (found, code) = (found.as_ref(), code.as_deref());
        assert_eq!(
            (found, code),
            (word, expected),
            "client {}, {what}, after {:#?}",
            self.id,
            self.last_steps()
        );
    }

    async fn close(&mut self) {
        let name = self.name();
        succeeded(name, &self.say([close_statement(name), sync()].concat(), &format!("Close {name}")).await);
        self.statements.remove(name);
        self.by_sql.remove(name);
    }

    async fn prepare_by_sql(&mut self) {
        let name = self.name();
        if !self.statements.contains_key(name) && !self.by_sql.contains_key(name) {
            let word = self.word();
            self.run(&format!("PREPARE \"{name}\" AS SELECT '{word}'")).await;
            self.by_sql.insert(name, word);
        }
    }

    async fn execute_by_sql(&mut self) {
        let name = self.name();
        let sql = format!("EXECUTE \"{name}\"");
        let told = self.say(query(&sql), &sql).await;
        self.expect(name, &told, self.by_sql.get(name).or(self.statements.get(name)));
    }

    async fn pin_or_unpin(&mut self) {
        if self.is_opaque {
            return self.discard().await;
        }
        if self.pin.is_some() {
            for lock in std::mem::take(&mut self.locks) {
                self.run(&format!("SELECT pg_advisory_unlock({lock})")).await;
            }
            if std::mem::take(&mut self.has_table) {
                self.run("DROP TABLE pg_temp.mine").await;
            }
            self.pin = None;
            return;
        }
        let Ok(permit) = Arc::clone(&self.pins).try_acquire_owned() else { return };
        self.pin = Some(permit);
        let lock = self.id * 1_000_000 + self.random.below(1_000_000) as u64;
        match self.random.below(4) {
            0 => {
                self.run(&format!("SELECT pg_advisory_lock({lock})")).await;
                self.locks.insert(lock);
            }
            1 => {
                self.run("PREPARE locker (bigint) AS SELECT pg_advisory_lock($1)").await;
                self.run(&format!("EXECUTE locker({lock}); DEALLOCATE locker")).await;
                self.locks.insert(lock);
            }
            2 => {
                let word = self.word();
                let called = call(self.set_config, &[Some("custom.two"), Some(&word), Some("f")]);
                succeeded("a call", &self.say(called, "a function by number").await);
                self.settings.insert(CUSTOM_TWO, word);
                self.is_opaque = true;
            }
            _ => {
                self.run(&format!("CREATE TEMP TABLE mine AS SELECT {} AS owner", self.id)).await;
                self.has_table = true;
            }
        }
    }

    async fn listen(&mut self) {
        let channel = format!("channel-{}", self.random.below(4));
        match self.random.below(3) {
            // What was under way may still come after it is no longer asked for, so channels are not forgotten here.
            0 => drop(self.run(&format!("UNLISTEN \"{channel}\"")).await),
            1 => {
                self.channels.insert(channel.clone());
                self.run(&format!("LISTEN \"{channel}\"")).await;
            }
            _ => drop(self.run(&format!("NOTIFY \"{channel}\", '{}'", self.id)).await),
        }
    }

    /// All that a session can hold is gone.
    fn forget(&mut self) {
        self.settings.clear();
        self.has_role = false;
        self.statements.clear();
        self.by_sql.clear();
        self.locks.clear();
        self.has_table = false;
        self.is_opaque = false;
        self.pin = None;
    }

    async fn discard(&mut self) {
        self.run("DISCARD ALL").await;
        self.forget();
    }

    /// Leaves, in one way or another, and comes back as a new client.
    async fn leave(&mut self) {
        let how = self.random.below(5);
        self.done.push(format!("left, {how}"));
        let next = Pg::login(&self.place).await;
        let mut session = std::mem::replace(&mut self.session, next);
        match how {
            0 => session.leave().await,
            1 => drop(session),
            // Its server cannot put that back.
            2 => {
                let role = &self.admin_role;
                let set = "SET session_replication_role = replica; SET search_path = left_behind";
                session.run(&format!("SET ROLE {role}; {set}; RESET ROLE")).await;
                session.leave().await;
            }
            3 => {
                session.run("DEALLOCATE ALL; BEGIN; SET custom.one = 'left behind'; PREPARE s AS SELECT 'left behind'").await;
                drop(session);
            }
            _ => {
                session.say(query("SET search_path = left_behind; SELECT pg_sleep(0.01)")).await;
                drop(session);
            }
        }
        self.channels.clear();
        self.forget();
    }

    /// Something fails that would have changed the session.
    async fn fail(&mut self) {
        let sql = "SET custom.one = 'failed'; SET search_path = failed; SELECT 1 / 0";
        assert_eq!(error_in(&self.say(query(sql), sql).await).code(), "22012");
    }

    async fn look_around(&mut self) {
        let settings: Vec<_> = SETTINGS
            .iter()
            .map(|(name, ..)| {
                let value = format!("coalesce(current_setting('{name}', true), '')");
                format!("encode(convert_to({value}, 'UTF8'), 'hex')")
            })
            .collect();
        let sql = format!(
            "SELECT {}, current_setting('session_replication_role'), current_user, to_regclass('pg_temp.mine') IS NOT NULL, \
             (SELECT coalesce(string_agg(objid::text, ' ' ORDER BY objid), '') FROM pg_locks \
              WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
            settings.join(", ")
        );
        let told = self.say(query(&sql), "look around").await;
        succeeded("looking around", &told);
        let row = told.iter().find(|reply| reply.tag == b'D').expect("a row").row();
        let found: Vec<String> = row.into_iter().map(Option::unwrap).collect();
        let mut expected: Vec<String> = Vec::new();
        for (which, (_, usual, _)) in SETTINGS.iter().enumerate() {
            let value = self.settings.get(&which).map_or(*usual, String::as_str);
            expected.push(value.bytes().map(|byte| format!("{byte:02x}")).collect());
        }
        expected.push("origin".to_owned());
        expected.push(if self.has_role { self.other_role.clone() } else { self.place.user.clone() });
        expected.push(if self.has_table { "t" } else { "f" }.to_owned());
        let locks: Vec<_> = self.locks.iter().map(u64::to_string).collect();
        expected.push(locks.join(" "));
        assert_eq!(found, expected, "client {} after {:#?}", self.id, self.last_steps());
    }

    fn last_steps(&self) -> &[String] {
        &self.done[self.done.len().saturating_sub(25)..]
    }
}

#[tokio::test]
async fn nobody_sees_anything_of_anybody_else() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let database = Version::Newest.database().await;
    let other = database.role("other", "").await;
    let mut admin = database.admin().await;
    let superuser = database.role("superuser", "SUPERUSER").await;
    admin.run(&format!("GRANT {}, {} TO {}", other.user, superuser.user, database.user)).await;
    let keys =
        format!("pool_size = {SERVERS}\nworkers = 2\nmax_prepared_statements = 4\nauto_prepare = true");
    let pooler = Setup::new().with(&keys).database(&database, "").start().await;
    let pins = Arc::new(Semaphore::new(PINNED));
    let mut clients = Vec::new();
    for id in 0..CLIENTS {
        let random = Random::from_seed(seed.wrapping_add(id));
        let (place, pins) = (pooler.place(&database), Arc::clone(&pins));
        let roles = [other.user.clone(), superuser.user.clone()];
        clients.push(tokio::spawn(async move {
            let mut client = Client::new(id, place, roles, random, pins).await;
            for _ in 0..STEPS {
                client.step().await;
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    assert!(database.backends().await.len() <= SERVERS + 1, "and one that listens");
}
