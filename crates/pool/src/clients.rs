//! The clients there are: what others may see of them, and how they are reached.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::task::Waker;
use std::time::SystemTime;

use foldhash::HashMap;

use crate::login::Peer;
use crate::server::ServerInfo;

/// What others may see of a client, and what they have to tell it.
#[derive(Debug)]
pub(crate) struct ClientInfo {
    /// Unique in this process.
    pub id: u64,
    /// What we gave it as its backend's process, for cancel requests.
    pub pid: u32,
    /// The secret we gave it for cancel requests.
    pub key: Vec<u8>,
    pub database: Arc<str>,
    pub user: Arc<str>,
    /// Where it is, and where it came to.
    pub peer: Peer,
    /// The number of its socket.
    pub descriptor: i32,
    /// Version and cipher of TLS, if it is used.
    pub tls: Option<String>,
    pub connected_at: SystemTime,
    pub application_name: Mutex<Arc<str>>,
    pub replication: bool,
    state: AtomicU8,
    /// Microseconds since the process began when the last request came.
    pub requested_at: AtomicU64,
    /// The same for when it began to wait; 0 while it does not.
    pub waiting_since: AtomicU64,
    /// The same for when its query was sent to a server; 0 while none runs. Kept only where deadlines are set.
    pub query_since: AtomicU64,
    /// The same for when its transaction began.
    pub transaction_since: AtomicU64,
    /// The same for when it was last heard of while it was its turn to speak.
    pub idle_since: AtomicU64,
    /// The same for when it stopped taking what is sent to it; 0 while it takes all.
    pub blocked_since: AtomicU64,
    /// Prepared statements it holds.
    pub prepared: AtomicU32,
    /// Why it is pinned to its server; 0 for no reason.
    pub pins: AtomicU8,
    /// The server that serves it, while one does.
    pub server: Mutex<Option<Arc<ServerInfo>>>,
    signals: AtomicU32,
    waker: OnceLock<Waker>,
    mail: Mutex<Mail>,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClientState {
    /// Between transactions.
    Idle,
    /// Served by a server.
    Active,
    /// In the queue.
    Waiting,
}

/// What is waiting to be told to a client.
#[derive(Debug, Default)]
struct Mail {
    kill: Option<Farewell>,
    /// Whole NotificationResponse messages.
    notifications: VecDeque<Box<[u8]>>,
    bytes: usize,
}

/// Why a client is disconnected: SQLSTATE and sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub code: &'static str,
    pub message: String,
}

/// Signal: there is a farewell.
pub(crate) const KILL: u32 = 1;
/// Signal: there are notifications.
pub(crate) const NOTIFY: u32 = 2;
/// Signal: a client that waits for a server is to give up its query.
pub(crate) const CANCEL: u32 = 4;
/// Signal: leave when idle, since the process drains.
pub(crate) const DRAIN: u32 = 8;
/// Signal: leave a server that is to be closed, as soon as it is between transactions.
pub(crate) const RENEW: u32 = 16;

/// Notifications a client may leave unread, in bytes, before it is disconnected.
const MAIL_BYTES: usize = 1 << 20;

/// Who a new client is.
pub(crate) struct Introduction {
    pub database: Arc<str>,
    pub user: Arc<str>,
    pub peer: Peer,
    pub descriptor: i32,
    pub tls: Option<String>,
    pub application_name: Arc<str>,
    pub connected_at: SystemTime,
    pub replication: bool,
}

impl ClientInfo {
    fn new(id: u64, pid: u32, key: Vec<u8>, who: Introduction) -> Self {
        Self {
            id,
            pid,
            key,
            database: who.database,
            user: who.user,
            peer: who.peer,
            descriptor: who.descriptor,
            tls: who.tls,
            connected_at: who.connected_at,
            application_name: Mutex::new(who.application_name),
            replication: who.replication,
            state: AtomicU8::new(ClientState::Idle as u8),
            requested_at: AtomicU64::new(0),
            waiting_since: AtomicU64::new(0),
            query_since: AtomicU64::new(0),
            transaction_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            prepared: AtomicU32::new(0),
            pins: AtomicU8::new(0),
            server: Mutex::new(None),
            signals: AtomicU32::new(0),
            waker: OnceLock::new(),
            mail: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> ClientState {
        match self.state.load(Ordering::Relaxed) {
            0 => ClientState::Idle,
            1 => ClientState::Active,
            _ => ClientState::Waiting,
        }
    }

    #[inline]
    pub(crate) fn set_state(&self, state: ClientState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Whom signals wake: the task of the client, which is always the same.
    #[inline]
    pub(crate) fn listen_once(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// What was signalled and not yet taken.
    #[inline]
    pub(crate) fn signals(&self) -> u32 {
        self.signals.load(Ordering::Acquire)
    }

    /// Takes a signal back.
    pub(crate) fn clear(&self, signal: u32) {
        self.signals.fetch_and(!signal, Ordering::AcqRel);
    }

    pub(crate) fn signal(&self, signal: u32) {
        self.signals.fetch_or(signal, Ordering::AcqRel);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Disconnects the client; the first reason counts.
    pub(crate) fn kill(&self, code: &'static str, message: impl Into<String>) {
        let mut mail = self.mail();
        if mail.kill.is_none() {
            mail.kill = Some(Farewell { code, message: message.into() });
        }
        drop(mail);
        self.signal(KILL);
    }

    /// Why it is to be disconnected.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        self.mail().kill.take()
    }

    /// Leaves a whole NotificationResponse. A client that reads none of its mail is disconnected.
    pub(crate) fn deliver(&self, notification: &[u8]) {
        let mut mail = self.mail();
        if mail.bytes + notification.len() > MAIL_BYTES {
            drop(mail);
            return self.kill("57014", "too many notifications were left unread");
        }
        mail.bytes += notification.len();
        mail.notifications.push_back(notification.into());
        drop(mail);
        self.signal(NOTIFY);
    }

    /// Takes all notifications, appended to `out`.
    pub(crate) fn take_notifications(&self, out: &mut Vec<u8>) {
        self.clear(NOTIFY);
        let mut mail = self.mail();
        mail.bytes = 0;
        for notification in std::mem::take(&mut mail.notifications) {
            out.extend_from_slice(&notification);
        }
    }

    /// Which server serves it.
    #[inline]
    pub(crate) fn set_server(&self, server: Option<&Arc<ServerInfo>>) {
        *self.server.lock().expect("no panic while it is held") = server.cloned();
    }

    /// What it calls itself.
    pub(crate) fn set_application_name(&self, name: &str) {
        let mut known = self.application_name.lock().expect("no panic while it is held");
        if **known != *name {
            *known = name.into();
        }
    }

    fn mail(&self) -> std::sync::MutexGuard<'_, Mail> {
        self.mail.lock().expect("no panic while mail is held")
    }
}

/// All clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    all: RwLock<HashMap<u32, Arc<ClientInfo>>>,
    next: AtomicU64,
}

impl Clients {
    /// Enters a client that is about to log in; `key` is its secret for cancel requests.
    pub(crate) fn enter(&self, key: Vec<u8>, who: Introduction) -> Arc<ClientInfo> {
        self.enter_as(0, key, who)
    }

    /// Enters a client that was told its process and secret by another of ours, whose place this one takes. A process
    /// that somebody has already becomes another, and the client's cancel requests hit nothing.
    pub(crate) fn enter_as(&self, pid: u32, key: Vec<u8>, who: Introduction) -> Arc<ClientInfo> {
        let mut all = self.all.write().expect("no panic while clients are held");
        let mut pid = pid;
        let id = loop {
            let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
            if pid == 0 || all.contains_key(&pid) {
                // A process id is a positive number of 31 bits to many drivers.
                pid = (id & 0x7fff_ffff) as u32;
            }
            if pid != 0 && !all.contains_key(&pid) {
                break id;
            }
        };
        let client = Arc::new(ClientInfo::new(id, pid, key, who));
        all.insert(pid, Arc::clone(&client));
        client
    }

    /// Begins to count beyond a number: clients of a process whose place this one takes keep theirs.
    pub(crate) fn count_from(&self, number: u32) {
        self.next.store(u64::from(number), Ordering::Relaxed);
    }

    /// Forgets a client.
    pub(crate) fn leave(&self, client: &ClientInfo) {
        self.all.write().expect("no panic while clients are held").remove(&client.pid);
    }

    /// The client that was given this process and secret.
    pub(crate) fn find(&self, pid: u32, key: &[u8]) -> Option<Arc<ClientInfo>> {
        let all = self.all.read().expect("no panic while clients are held");
        let client = all.get(&pid)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(&client.key, key)
            .is_ok()
            .then(|| Arc::clone(client))
    }

    /// Everybody.
    pub(crate) fn all(&self) -> Vec<Arc<ClientInfo>> {
        let mut all: Vec<_> =
            self.all.read().expect("no panic while clients are held").values().cloned().collect();
        all.sort_by_key(|client| client.id);
        all
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.read().expect("no panic while clients are held").len()
    }
}
