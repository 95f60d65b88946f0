//! Stores whose time the tests turn.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use deepwater_core::clock::ManualClock;
use tokio::sync::Mutex;

use super::super::{Memory, Redis, RedisPlan, Store};

/// A store, and time.
pub(super) trait Rig {
    fn store(&self) -> &dyn Store;
    /// Lets time pass for the store.
    async fn pass(&self, time: Duration);
}

pub(super) struct MemoryRig {
    memory: Arc<Memory>,
    pub clock: Arc<ManualClock>,
}

impl MemoryRig {
    pub fn new(capacity_bytes: usize) -> Self {
        let clock = Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH));
        let memory = Memory::new(capacity_bytes, Arc::clone(&clock) as _);
        Self { memory: Arc::new(memory), clock }
    }

    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }
}

impl Rig for MemoryRig {
    fn store(&self) -> &dyn Store {
        &self.memory
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// A Redis server of our own. It ends with whoever started it, since it is at the other end of a pipe.
pub(super) struct Server {
    pub port: u16,
    process: Child,
    stdin: Option<ChildStdin>,
    _directory: tempfile::TempDir,
}

impl Server {
    /// On a free port of loopback.
    pub fn start() -> Self {
        Self::start_on(&[])
    }

    fn start_on(further: &[&str]) -> Self {
        // Between finding a free port and listening on it another may have taken it.
        for _ in 0..20 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            let port = free.expect("a free port").port();
            if let Some(server) = Self::try_start(port, further) {
                return server;
            }
        }
        panic!("no Redis could be started");
    }

    /// On that port, if it is free.
    pub fn try_start(port: u16, further: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut process = Command::new("sh")
            .args(["-c", "redis-server \"$@\" & read -r _; kill $!; wait", "redis"])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(directory.path())
            .args(further)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("it is a pipe");
        let mut server = Self { port, process, stdin, _directory: directory };
        let mut lines = BufReader::new(stdout).lines();
        let mut said = false;
        for line in lines.by_ref().map_while(Result::ok) {
            said = true;
            if line.contains("Ready to accept connections") {
                // What it says later goes nowhere, and does not block it.
                std::thread::spawn(move || lines.for_each(drop));
                return Some(server);
            }
            if line.contains("Failed listening") || line.contains("exit") {
                server.stop();
                return None;
            }
        }
        assert!(said, "Redis is missing: run ./scripts/need-redis");
        None
    }

    /// Ends it, and waits for its end.
    pub fn stop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The one that most tests share.
pub(super) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

/// A way to it, under that prefix.
pub(super) fn redis(prefix: &str) -> Redis {
    Redis::new(RedisPlan::new(&shared().url(), None, prefix, Duration::from_secs(20)).unwrap())
}

/// Keys of its own on the shared Redis.
pub(super) struct RedisRig {
    pub prefix: String,
    redis: Redis,
    admin: Mutex<Option<redis::aio::MultiplexedConnection>>,
}

impl RedisRig {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("test {}:", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { redis: redis(&prefix), prefix, admin: Mutex::new(None) }
    }

    pub async fn admin(&self) -> redis::aio::MultiplexedConnection {
        let mut admin = self.admin.lock().await;
        if let Some(admin) = &*admin {
            return admin.clone();
        }
        let client = redis::Client::open(shared().url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        admin.insert(connection).clone()
    }
}

impl Rig for RedisRig {
    fn store(&self) -> &dyn Store {
        &self.redis
    }

    /// Redis goes by its own clock: so all that is to come comes nearer.
    async fn pass(&self, time: Duration) {
        let nearer = redis::Script::new(
            "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
               local left = redis.call('PTTL', key) - ARGV[2]
               redis.call('HINCRBY', key, 'u', -ARGV[2])
               if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
             end",
        );
        let mut nearer = nearer.prepare_invoke();
        nearer.arg(&self.prefix).arg(time.as_millis() as u64);
        nearer.invoke_async::<()>(&mut self.admin().await).await.unwrap();
    }
}
