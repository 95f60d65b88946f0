//! Accepting connections, and finding out what is spoken on each.

mod places;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_upstream::{Ask, FailureKind, Outcome, TargetId};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::body::{h1 as bytes, relay_both};
use crate::downstream::{h1, h2};
use crate::http1::framing::Framing;
use crate::io::{Buffer, Deadline, Slabs, Transport};
use crate::origin::connect;
use crate::peer::Peer;
use crate::plan::ListenerPlan;
use crate::proxy_protocol::{self, Parsed};
use crate::tunnel::{self, TunnelCounters};
use crate::worker::Worker;

use places::Place;

pub(crate) use places::Places;

/// Connections the system may hold for us before they are accepted.
const BACKLOG: i32 = 4_096;
/// How long accepting pauses when the system has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

deepwater_core::event! {
    /// The system refused another connection.
    pub struct AcceptFailed { address: String, reason: String }
    accept_failed: Warn, "cannot accept on {address}: {reason}"
}

/// Opens one socket per core on an address. They share it (`SO_REUSEPORT`), so that a connection stays on the core
/// where it arrived.
///
/// `beside` a listener of ours with the same port, which may be about to close, addresses may overlap.
///
/// # Errors
/// When the address cannot be had, above all when another process has it.
pub(crate) fn open(
    mut address: SocketAddr,
    cores: usize,
    beside: bool,
) -> io::Result<Vec<std::net::TcpListener>> {
    if !beside || address.port() == 0 {
        // Sharing would let a second process join unseen: the address must be free first.
        let probe = socket(address)?;
        probe.bind(&address.into())?;
        address = probe.local_addr()?.as_socket().unwrap_or(address);
    }
    (0..cores)
        .map(|_| {
            let socket = socket(address)?;
            #[cfg(unix)]
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        })
        .collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier process in TIME_WAIT must not keep a restart from listening.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// How a listener closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Connections that wait in its queue are served first: closing the socket would reset them.
    AfterQueue,
    /// Another process accepts from the same queue.
    AtOnce,
}

/// By what a core serves the connections of a listener, and whether it goes on accepting.
pub(crate) struct Gate {
    plan: RefCell<Arc<ListenerPlan>>,
    closing: Cell<Option<Closing>>,
    told: Notify,
}

impl Gate {
    pub fn new(plan: Arc<ListenerPlan>) -> Self {
        Self { plan: RefCell::new(plan), closing: Cell::new(None), told: Notify::new() }
    }

    /// Serves connections to come otherwise.
    pub fn serve_by(&self, plan: Arc<ListenerPlan>) {
        self.plan.replace(plan);
    }

    /// Accepts no more.
    pub fn close(&self, how: Closing) {
        self.closing.set(Some(how));
        self.told.notify_waiters();
    }

    async fn closing(&self) -> Closing {
        loop {
            // Nothing else runs on this thread between the look and the wait.
            match self.closing.get() {
                Some(how) => return how,
                None => self.told.notified().await,
            }
        }
    }

    fn plan(&self) -> Arc<ListenerPlan> {
        Arc::clone(&self.plan.borrow())
    }
}

/// Accepts until the gate closes, from when it is this process's turn. A permit is held per connection: beyond the limit
/// the system queues.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    listener: TcpListener,
    gate: Rc<Gate>,
    connections: Arc<Places>,
) {
    let how = tokio::select! {
        biased;
        how = gate.closing() => how,
        // Whatever it waits for, it holds no connection meanwhile.
        () = accept_all(&worker, &listener, &gate, &connections) => return,
    };
    if how == Closing::AfterQueue
        && let Ok(socket) = listener.into_std()
    {
        empty_queue(&worker, &socket, &gate, &connections).await;
    }
}

async fn accept_all(worker: &Rc<Worker>, listener: &TcpListener, gate: &Gate, connections: &Arc<Places>) {
    worker.context.handover.opened().await;
    loop {
        let Some(place) = connections.one().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => spawn_serving(worker, stream, address, gate.plan(), place),
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                let (address, reason) = (gate.plan().address.to_string(), error.to_string());
                worker.context.events.emit(AcceptFailed { address, reason });
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Serves what the queue still holds, and nothing that comes after it was empty.
async fn empty_queue(
    worker: &Rc<Worker>,
    socket: &std::net::TcpListener,
    gate: &Gate,
    connections: &Arc<Places>,
) {
    loop {
        match socket.accept() {
            Ok((stream, address)) => {
                let Some(place) = connections.one().await else { return };
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    spawn_serving(worker, stream, address, gate.plan(), place);
                }
            }
            Err(error) if is_connection_error(&error) => {}
            Err(_) => return,
        }
    }
}

fn spawn_serving(
    worker: &Rc<Worker>,
    stream: TcpStream,
    address: SocketAddr,
    plan: Arc<ListenerPlan>,
    mut place: Place,
) {
    let open = worker.connection();
    tokio::task::spawn_local(async move {
        serve(Rc::clone(&open.worker), stream, address, plan, &mut place).await;
        drop((open, place));
    });
}

/// The connection failed before we had it; the listener is fine.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

// What only some connections need is boxed: the rest would carry its state for as long as they live.
async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    address: SocketAddr,
    plan: Arc<ListenerPlan>,
    place: &mut Place,
) {
    let limits = worker.limits();
    let deadline = Deadline::default();
    deadline.set(limits.header);
    // Small answers must not wait for acknowledgements; failing to say so costs only speed.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let mut ends = (address, local);
    if plan.config.proxy_protocol {
        match deadline.guard(Box::pin(announced_ends(&stream))).await {
            Ok(Ok(Some(announced))) => ends = announced,
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let secure = plan.tls.is_some();
    let trusted = worker.local();
    let mut peer = Peer::new(ends.0, ends.1, secure, &trusted.plan.trusted_networks);
    drop(trusted);
    let ip = peer.address.ip();
    // A proxy that is trusted speaks for many.
    if !peer.trusted && !place.is_for(ip, limits.max_connections_per_ip) {
        worker.metrics.hostile.refused(ip, Instant::now(), &worker.context.events);
        return Transport::Tcp(stream).abort_on_close();
    }
    peer.redirect_https = plan.config.redirect_https;
    if let Some(pool) = &plan.pool {
        return Box::pin(serve_bytes(&worker, stream, peer, pool, plan.tls.as_deref())).await;
    }
    let Some(tls) = &plan.tls else {
        return serve_cleartext(worker, stream, peer, &deadline, plan.config.http2).await;
    };
    deadline.set(limits.handshake);
    let handshake = Box::pin(tls.acceptor().accept(stream));
    let Ok(Ok(stream)) = deadline.guard(handshake).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let transport = Transport::TlsServer(Box::new(stream));
    drop(deadline);
    if is_http2 {
        Box::pin(h2::serve(worker, transport, peer)).await;
    } else {
        let buffer = Buffer::new(&worker.slabs);
        h1::serve(worker, transport, buffer, peer).await;
    }
}

/// HTTP/1.1, or HTTP/2 from clients that know beforehand (RFC 9113 §3.3): their first word is `PRI`.
async fn serve_cleartext(
    worker: Rc<Worker>,
    stream: TcpStream,
    peer: Peer,
    deadline: &Deadline,
    http2: bool,
) {
    if http2 {
        let mut first = [0; 3];
        match deadline.guard(stream.peek(&mut first)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
        if first == *b"PRI" {
            return Box::pin(h2::serve(worker, Transport::Tcp(stream), peer)).await;
        }
    }
    let buffer = Buffer::new(&worker.slabs);
    h1::serve(worker, Transport::Tcp(stream), buffer, peer).await;
}

/// Reads the PROXY protocol header and not a byte more.
async fn announced_ends(stream: &TcpStream) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
    let mut seen = [0; proxy_protocol::MAX_BYTES];
    let mut before = 0;
    loop {
        let n = stream.peek(&mut seen).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::parse(&seen[..n]) {
            Ok(Parsed::Complete { len, addresses }) => {
                take(stream, &mut seen[..len]).await?;
                return Ok(addresses);
            }
            Ok(Parsed::Incomplete) if n < seen.len() => {
                if n == before {
                    // Peeking does not wait for more than is there already.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                before = n;
            }
            Ok(Parsed::Incomplete) => return Err(io::ErrorKind::InvalidData.into()),
            Err(bad) => return Err(io::Error::new(io::ErrorKind::InvalidData, bad)),
        }
    }
}

async fn take(stream: &TcpStream, bytes: &mut [u8]) -> io::Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        stream.readable().await?;
        match stream.try_read(&mut bytes[at..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => at += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Layer 4: passes bytes to a target of the pool and back.
async fn serve_bytes(
    worker: &Worker,
    stream: TcpStream,
    peer: Peer,
    pool: &str,
    tls: Option<&crate::tls::ServerTls>,
) {
    let local = worker.local();
    let named = local.pools.iter().find(|known| known.plan.name == pool);
    // Gone with a reload since the connection came.
    let Some(pool) = named else { return Transport::Tcp(stream).abort_on_close() };
    let mut tried = SmallVec::<[TargetId; 4]>::new();
    while tried.len() < pool.plan.connect_attempts {
        let chosen_at = Instant::now();
        let client = Some(peer.address.ip());
        let ask = Ask { now: chosen_at, client, hash: None, sticky: None, avoid: &tried };
        let Some(lease) = pool.picker.borrow_mut().pick(&ask) else { break };
        if tried.contains(&lease.target().id) {
            break;
        }
        pool.metrics.connects.increment();
        let time = pool.plan.timeouts.connect.get();
        let origin = connect::raw(&pool.plan, lease.target(), &peer, &worker.slabs, time).await;
        let latency = chosen_at.elapsed();
        let origin = match origin {
            Ok(origin) => origin,
            Err(_) => {
                tried.push(lease.target().id);
                pool.metrics.retries.increment();
                lease.done(Outcome::Failure { kind: FailureKind::Connect, latency });
                continue;
            }
        };
        pool.metrics.response.observe(latency);
        let counters = TunnelCounters::default();
        let limits = tunnel::Limits { idle: local.plan.limits.tunnel_idle };
        match (tls, origin.io.into_inner()) {
            (None, Transport::Tcp(origin)) => {
                let _ = tunnel::splice(&stream, &origin, &worker.carriers, limits, &counters).await;
            }
            (tls, origin) => {
                let client = match tls {
                    None => Transport::Tcp(stream),
                    Some(tls) => {
                        let handshake = tls.acceptor().accept(stream);
                        match tokio::time::timeout(local.plan.limits.handshake, handshake).await {
                            Ok(Ok(stream)) => Transport::TlsServer(Box::new(stream)),
                            Ok(Err(_)) | Err(_) => return,
                        }
                    }
                };
                pass_bytes(client, origin, &worker.slabs, limits.idle, &counters).await;
            }
        }
        worker.metrics.received_bytes.add(counters.received.get());
        worker.metrics.sent_bytes.add(counters.sent.get());
        return lease.done(Outcome::Success { latency });
    }
    // Nobody to talk to: a reset tells the client at once.
    Transport::Tcp(stream).abort_on_close();
}

/// Passes bytes between connections that need more than the kernel's copying, such as TLS.
async fn pass_bytes(
    client: Transport,
    origin: Transport,
    slabs: &Slabs,
    idle: Duration,
    counters: &TunnelCounters,
) {
    let (client, origin) = (RefCell::new(client), RefCell::new(origin));
    let (mut from_client, mut from_origin) = (Buffer::new(slabs), Buffer::new(slabs));
    let (mut to_client, mut to_origin) = (Vec::new(), Vec::new());
    let mut client_writer = bytes::Writer::new(&client, &mut to_client);
    let mut origin_writer = bytes::Writer::new(&origin, &mut to_origin);
    client_writer.begin(Framing::UntilClose);
    origin_writer.begin(Framing::UntilClose);
    relay_both(
        (&mut bytes::Reader::new(&client, &mut from_client, Framing::UntilClose), &mut client_writer),
        (&mut bytes::Reader::new(&origin, &mut from_origin, Framing::UntilClose), &mut origin_writer),
        &Deadline::default(),
        idle,
        &counters.received,
        &counters.sent,
    )
    .await;
}
