//! A route, its clients and its origin, all in memory and in the test's own time.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use deepwater_core::Events;
use deepwater_core::clock::Clock;
use deepwater_core::config::Checker;
use http::{Method, StatusCode};
use tokio::task::LocalSet;

use crate::body::{BodyError, BodyWrite};
use crate::config::{IdempotencyTable, OnStoreError};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Request, Response};
use crate::http1::framing::Framing;
use crate::idempotency::buffers::Buffers;
use crate::idempotency::store::{Memory, Store};
use crate::idempotency::{
    Admission, Asking, Attempt, Buffered, Keeper, KeyPlan, Passed, Recorder, Tap, replay,
};
use crate::io::Deadline;

/// Runs a test where tasks may stay on one thread.
pub(super) async fn in_local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

/// The time of tokio, which the tests let stand still.
struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// A route, and the store of its keys.
pub(super) struct Scene {
    pub keeper: Rc<Keeper>,
    pub plan: Arc<KeyPlan>,
    pub buffers: Arc<Buffers>,
    pub events: Events,
}

impl Scene {
    /// With the default settings, but for some.
    pub fn new(change: impl FnOnce(&mut IdempotencyTable)) -> Self {
        let memory = Arc::new(Memory::new(16 << 20, Arc::new(TokioClock)));
        Self::over(Rc::new(memory), OnStoreError::Fail, change)
    }

    pub fn over(
        store: Rc<dyn Store>,
        on_error: OnStoreError,
        change: impl FnOnce(&mut IdempotencyTable),
    ) -> Self {
        let mut table = IdempotencyTable::default();
        change(&mut table);
        let checker = Checker::without_document();
        let plan = KeyPlan::build(&checker.at("idempotency"), &table, None).expect("it is valid");
        let (buffers, events) = (Buffers::new(4 << 20), Events::silent());
        let keeper = Keeper::over(store, Arc::clone(&buffers), on_error, events.clone());
        Self { keeper, plan: Arc::new(plan), buffers, events }
    }

    /// A request with a key.
    pub async fn ask(&self, key: &str, body: &str) -> Admission {
        self.ask_with(&[("Idempotency-Key", key)], body).await
    }

    /// A request with these fields.
    pub async fn ask_with(&self, fields: &[(&str, &str)], body: &str) -> Admission {
        let mut request = Request::default();
        request.method = Method::POST;
        request.set_target(b"/orders");
        request.fields.add_all(fields);
        let (deadline, received_bytes) = (Deadline::default(), Cell::new(0));
        let asking = Asking {
            keeper: &self.keeper,
            plan: &self.plan,
            request: &request,
            client_ip: [127, 0, 0, 1].into(),
            claims: None,
            deadline: &deadline,
            stall: Duration::from_secs(60),
            received_bytes: &received_bytes,
        };
        let framing = if body.is_empty() { Framing::Empty } else { Framing::Length(body.len() as u64) };
        let mut body = Buffered::stored(Bytes::copy_from_slice(body.as_bytes()), &Fields::default());
        asking.admit(&mut body, framing, &mut Client::default()).await
    }

    /// The first request with a key.
    pub async fn begin(&self, key: &str) -> Rc<Attempt> {
        match self.ask(key, "{}").await {
            Admission::Begun(attempt, _) => attempt,
            other => panic!("it is not the first, but {}", word(&other)),
        }
    }

    /// What a repeat finds, in a word.
    pub async fn repeat(&self, key: &str) -> String {
        word(&self.ask(key, "{}").await)
    }

    /// A first request whose exchange with the origin is this, and the client that waits for its answer.
    pub async fn run(&self, key: &str, exchange: impl AsyncFnOnce(&mut Recording) + 'static) -> Tap {
        let attempt = self.begin(key).await;
        let (recorder, tap) = Recorder::new(Rc::clone(&attempt), no_failure as fn() -> Option<Failure>);
        tokio::task::spawn_local(recorder.run(async move |recorder| {
            attempt.sending().await.expect("it may be sent");
            exchange(recorder).await;
        }));
        tap
    }
}

/// The recorder of an exchange that comes from the origin.
pub(super) type Recording = Recorder<fn() -> Option<Failure>>;

fn no_failure() -> Option<Failure> {
    None
}

/// What became of a request, in a word.
pub(super) fn word(admission: &Admission) -> String {
    match admission {
        Admission::Keyless => "keyless".into(),
        Admission::Uncovered(_) => "uncovered".into(),
        Admission::Begun(..) => "begun".into(),
        Admission::Repeated(answer) => {
            format!("{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body))
        }
        Admission::Refused(problem) => problem.code().into(),
        Admission::Failed(failure) => format!("{failure:?}"),
    }
}

/// Writes a piece of a body, all of it.
pub(super) async fn piece(reply: &mut impl Reply, data: &[u8], last: bool) -> Result<(), BodyError> {
    let mut sent = 0;
    while sent < data.len() {
        sent += poll_fn(|cx| reply.poll_data(cx, &data[sent..], last)).await?;
    }
    Ok(())
}

/// Ends a body.
pub(super) async fn end(reply: &mut impl Reply, trailers: Option<&Fields>) {
    poll_fn(|cx| reply.poll_end(cx, trailers)).await.expect("it ends");
}

/// A whole answer of the origin.
pub(super) async fn answer(reply: &mut impl Reply, status: u16, body: &str) {
    let length = body.len().to_string();
    let fields = Fields::of(&[
        ("Content-Length", &length),
        ("X-Origin", "1"),
        ("Date", "then"),
        ("Set-Cookie", "a=b"),
    ]);
    let framing = if body.is_empty() { Framing::Empty } else { Framing::Length(body.len() as u64) };
    reply.head(StatusCode::from_u16(status).unwrap(), &fields, framing);
    piece(reply, body.as_bytes(), true).await.expect("it is taken");
    end(reply, None).await;
}

/// A client, and what it gets.
#[derive(Default)]
pub(super) struct Client {
    pub interims: Vec<u16>,
    pub status: u16,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Option<Fields>,
    pub is_whole: bool,
    pub is_aborted: bool,
    pub closes: bool,
    /// It has left.
    pub is_gone: bool,
    /// Bytes of a body that it takes before it stalls.
    pub takes: Option<usize>,
}

impl Client {
    /// Takes an answer as it comes.
    pub async fn take(&mut self, tap: Tap) -> Passed {
        let (deadline, sent) = (Deadline::default(), Cell::new(0));
        let (_, passed) = tap.pass(self, &deadline, Duration::from_secs(60), &sent).await;
        passed
    }

    /// Takes a stored answer.
    pub async fn take_again(&mut self, admission: &Admission) {
        let Admission::Repeated(answer) = admission else { panic!("it is {}", word(admission)) };
        let (deadline, sent) = (Deadline::default(), Cell::new(0));
        let timing = (&deadline, Duration::from_secs(60));
        let edit = |fields: &mut Fields| fields.add(b"date", b"now");
        assert!(replay(answer, self, edit, timing, &sent).await);
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.fields.get(name.as_bytes())?).ok()
    }
}

impl Reply for Client {
    fn interim(&mut self, response: &Response) {
        self.interims.push(response.status.as_u16());
    }

    fn head(&mut self, status: StatusCode, fields: &Fields, _framing: Framing) {
        self.status = status.as_u16();
        self.fields = fields.clone();
    }

    fn stored(&mut self, _: StatusCode, _: [&[u8]; 2], _: &[u8]) {
        unreachable!("answers come in parts");
    }

    fn tunnel(&mut self, _: StatusCode, _: &Fields, _: Option<&[u8]>) {
        unreachable!("there are no tunnels");
    }

    fn abort(&mut self) {
        self.is_aborted = true;
    }

    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        if self.is_gone { Poll::Ready(()) } else { Poll::Pending }
    }

    fn head_sent(&self) -> bool {
        self.status != 0
    }

    fn close_after(&mut self) {
        self.closes = true;
    }
}

impl BodyWrite for Client {
    fn poll_data(
        &mut self,
        _cx: &mut Context<'_>,
        data: &[u8],
        _last: bool,
    ) -> Poll<Result<usize, BodyError>> {
        let takes =
            self.takes.map_or(data.len(), |takes| takes.saturating_sub(self.body.len()).min(data.len()));
        if takes == 0 {
            return Poll::Pending;
        }
        self.body.extend_from_slice(&data[..takes]);
        Poll::Ready(Ok(takes))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        self.trailers = trailers.cloned();
        self.is_whole = true;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        Poll::Ready(Ok(()))
    }
}
