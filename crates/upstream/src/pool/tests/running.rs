//! Pools that are run, in time that only passes when everybody waits.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{self, Duration, SystemTime};

use deepwater_core::{Clock, Context, Events, Shutdown, config};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::health::HealthCheck;
use crate::lease::{FailureKind, Outcome};
use crate::outlier::Outlier;
use crate::picker::Ask;
use crate::pool::{Pool, PoolSpec};
use crate::probe::{Probe, ProbeFuture, Report, TcpProbe};
use crate::resolve::{Resolve, ResolveError, ResolveFuture, Resolved, SystemResolver};
use crate::status::State;
use crate::target::Target;
use crate::testing::{address, spec};

/// The runtime's time, which a paused runtime moves.
struct RuntimeClock;

impl Clock for RuntimeClock {
    fn now(&self) -> time::Instant {
        Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

fn context() -> Context {
    let mut context = Context::new(1, Events::silent());
    context.clock = Arc::new(RuntimeClock);
    context
}

/// Answers each check with the next of its answers, then the last for ever; `None` never answers.
struct Script {
    answers: Mutex<VecDeque<Option<bool>>>,
    checks: AtomicUsize,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Option<bool>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), checks: AtomicUsize::new(0) })
    }

    fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }
}

impl Probe for Script {
    fn probe<'a>(&'a self, _: &'a Target, _: Instant) -> ProbeFuture<'a> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = answers[0];
        if answers.len() > 1 {
            answers.pop_front();
        }
        Box::pin(async move {
            match answer {
                Some(true) => Report::healthy("status 200", Duration::ZERO),
                Some(false) => Report {
                    failing: vec!["database".into()],
                    ..Report::unhealthy("status 503", Duration::ZERO)
                },
                None => std::future::pending().await,
            }
        })
    }
}

/// Runs a pool until it is dropped.
struct Run {
    pool: Arc<Pool>,
    context: Context,
    start: Instant,
    task: JoinHandle<()>,
}

impl Run {
    fn new(spec: PoolSpec, probe: Arc<dyn Probe>, resolver: Arc<dyn Resolve>) -> Self {
        let context = context();
        let pool = Pool::with_resolver(spec, &context, resolver);
        let task = tokio::spawn(Arc::clone(&pool).run(probe, context.shutdown.clone()));
        Self { pool, context, start: Instant::now(), task }
    }

    /// Waits until a status is as wanted; how long after the start that was, in seconds.
    async fn until(&self, wanted: impl Fn(&crate::PoolStatus) -> bool) -> f64 {
        while !wanted(&self.pool.status()) {
            self.pool.changed().await;
        }
        self.start.elapsed().as_secs_f64()
    }

    fn told(&self, event: &str) -> u64 {
        self.context.events.counts().get(event).copied().unwrap_or(0)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn checked(targets: &[u32]) -> PoolSpec {
    PoolSpec { health: Some(HealthCheck::default()), ..spec(targets) }
}

fn state(status: &crate::PoolStatus, target: usize) -> State {
    status.targets[target].state
}

#[tokio::test(start_paused = true)]
async fn checks_begin_at_once_and_thresholds_decide() {
    let answers = [Some(false), Some(false), Some(false), Some(true), Some(true)];
    let run = Run::new(checked(&[1]), Script::new(answers), Arc::new(SystemResolver));
    let unhealthy = run.until(|status| state(status, 0) == State::Unhealthy).await;
    assert!((18.0..=22.0).contains(&unhealthy), "the third check at 20 s ± 10 %: {unhealthy}");
    let target = run.pool.status().targets.remove(0);
    assert_eq!(target.reason.as_deref(), Some("status 503 (failing: database)"));
    let check = target.check.unwrap();
    assert_eq!((check.healthy, check.failed_in_a_row, check.failing), (false, 3, vec!["database".into()]));

    let healthy = run.until(|status| state(status, 0) == State::Healthy).await;
    assert!((36.0..=44.0).contains(&healthy), "the fifth check at 40 s ± 10 %: {healthy}");
    assert_eq!((run.told("target_unhealthy"), run.told("target_healthy")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_check_without_an_answer_fails_in_time() {
    let run = Run::new(checked(&[1]), Script::new([None]), Arc::new(SystemResolver));
    let unhealthy = run.until(|status| state(status, 0) == State::Unhealthy).await;
    assert!((24.0..=28.0).contains(&unhealthy), "three checks of 2 s, two waits of 10 s: {unhealthy}");
    let detail = run.pool.status().targets.remove(0).check.unwrap().detail;
    assert_eq!(detail, "no answer within 2s");
}

#[tokio::test(start_paused = true)]
async fn checks_follow_the_specification() {
    let script = Script::new([Some(true)]);
    let run = Run::new(spec(&[1]), Arc::clone(&script) as Arc<dyn Probe>, Arc::new(SystemResolver));
    tokio::task::yield_now().await;
    assert_eq!(script.checks(), 0);

    run.pool.update(checked(&[1, 1]));
    run.until(|status| (0..2).all(|target| state(status, target) == State::Healthy)).await;
    assert_eq!(script.checks(), 2);

    run.pool.update(spec(&[1, 1]));
    run.until(|status| status.targets.iter().all(|target| target.check.is_none())).await;
    assert_eq!(state(&run.pool.status(), 0), State::Unknown);
}

#[tokio::test(start_paused = true)]
async fn an_idle_pool_takes_back_what_it_ejected() {
    let outlier = Outlier { base_ejection: config::Duration::from_secs(1), ..Outlier::default() };
    let spec = PoolSpec { outlier, ..spec(&[1, 1]) };
    let run = Run::new(spec, Arc::new(TcpProbe), Arc::new(SystemResolver));
    let id = run.pool.targets()[0].id;
    let mut picker = run.pool.picker(0);
    for _ in 0..5 {
        let ask = Ask { sticky: Some(id), ..Ask::at(Instant::now().into_std()) };
        let latency = Duration::ZERO;
        picker.pick(&ask).unwrap().done(Outcome::Failure { kind: FailureKind::Timeout, latency });
    }
    assert_eq!(state(&run.pool.status(), 0), State::Ejected);
    let returned = run.until(|status| state(status, 0) != State::Ejected).await;
    assert!((1.0..=1.11).contains(&returned), "{returned}");
    assert_eq!(run.told("target_returned"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_the_shutdown_and_with_its_future() {
    let script = Script::new([Some(true)]);
    let probe = || Arc::clone(&script) as Arc<dyn Probe>;
    let context = context();
    let pool = Pool::new(checked(&[1, 1]), &context);
    {
        let mut run = pin!(Arc::clone(&pool).run(probe(), Shutdown::default()));
        tokio::select! {
            () = &mut run => unreachable!("nobody shut it down"),
            () = pool.changed() => {}
        }
    }
    let run = tokio::spawn(Arc::clone(&pool).run(probe(), context.shutdown.clone()));
    context.shutdown.drain(Duration::from_secs(1));
    run.await.unwrap();
    // Tasks that were aborted let go of the probe as soon as they are scheduled.
    while Arc::strong_count(&script) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_tcp_probe_needs_somebody_who_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap().to_string();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let health = HealthCheck {
        every: config::Duration::from_millis(10),
        unhealthy_threshold: 1,
        ..HealthCheck::default()
    };
    let spec = PoolSpec { health: Some(health), ..PoolSpec::new("app", [open, closed]) };
    let run = Run::new(spec, Arc::new(TcpProbe), Arc::new(SystemResolver));
    run.until(|status| (state(status, 0), state(status, 1)) == (State::Healthy, State::Unhealthy)).await;
}

/// Answers each lookup with the next of its answers, then the last for ever.
struct Answers {
    answers: Mutex<VecDeque<Result<Resolved, ResolveError>>>,
    lookups: Mutex<Vec<Instant>>,
}

impl Answers {
    fn new(answers: impl IntoIterator<Item = Result<Resolved, ResolveError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), lookups: Mutex::default() })
    }

    /// Seconds between the lookups so far.
    fn waits(&self) -> Vec<u64> {
        let lookups = self.lookups.lock().unwrap();
        lookups.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64().round() as u64).collect()
    }
}

impl Resolve for Answers {
    fn resolve<'a>(&'a self, host: &'a str) -> ResolveFuture<'a> {
        assert_eq!(host, "app.internal");
        self.lookups.lock().unwrap().push(Instant::now());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers[0].clone();
        if answers.len() > 1 {
            answers.pop_front();
        }
        Box::pin(async move { answer })
    }
}

fn found(addresses: &[&str], ttl: u64) -> Result<Resolved, ResolveError> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Ok(Resolved { addresses, ttl: Duration::from_secs(ttl) })
}

fn failed() -> Result<Resolved, ResolveError> {
    Err(ResolveError("no such name".into()))
}

fn named() -> PoolSpec {
    PoolSpec::new("app", ["app.internal:80".to_owned(), address(0)])
}

fn addresses(pool: &Pool) -> Vec<String> {
    let targets = pool.status().targets.into_iter();
    targets.filter(|target| target.name == "app.internal:80").map(|target| target.address).collect()
}

#[tokio::test(start_paused = true)]
async fn all_addresses_of_a_name_are_targets_and_follow_its_ttl() {
    let answers = Answers::new([
        found(&["192.0.2.2", "2001:db8::1", "192.0.2.1"], 30),
        found(&["192.0.2.1", "192.0.2.2", "2001:db8::1"], 0),
        found(&["192.0.2.1", "192.0.2.3"], 100_000),
    ]);
    let run = Run::new(named(), Arc::new(TcpProbe), Arc::clone(&answers) as Arc<dyn Resolve>);
    run.until(|status| status.targets.len() == 4).await;
    assert_eq!(addresses(&run.pool), ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80"]);
    let kept = run.pool.targets().remove(0);
    assert!(run.pool.drain("app.internal:80"));

    run.until(|status| status.targets.len() == 3).await;
    assert_eq!(addresses(&run.pool), ["192.0.2.1:80", "192.0.2.3:80"]);
    assert!(Arc::ptr_eq(&kept, &run.pool.targets()[0]), "what stays is the same");
    assert_eq!(state(&run.pool.status(), 1), State::Draining, "the name is drained, whatever its addresses");
    assert_eq!(run.told("dns_resolved"), 2, "another order is no change");
    run.until(|_| answers.waits().len() >= 3).await;
    assert_eq!(answers.waits(), [30, 1, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_keeps_what_was_known_and_is_retried() {
    let answers = Answers::new([failed(), failed(), found(&["192.0.2.1"], 60), failed()]);
    let only_named = PoolSpec::new("app", ["app.internal:80"]);
    let run = Run::new(only_named, Arc::new(TcpProbe), Arc::clone(&answers) as Arc<dyn Resolve>);
    assert!(run.pool.picker(0).pick(&Ask::at(Instant::now().into_std())).is_none());
    run.until(|status| !status.targets.is_empty()).await;
    assert_eq!(addresses(&run.pool), ["192.0.2.1:80"]);
    assert_eq!(run.pool.status().names[0].error, None);

    run.until(|_| answers.waits().len() >= 9).await;
    assert_eq!(answers.waits(), [1, 2, 60, 1, 2, 4, 8, 16, 30]);
    assert_eq!(addresses(&run.pool), ["192.0.2.1:80"]);
    assert_eq!(run.pool.status().names[0].error.as_deref(), Some("no such name"));
    assert_eq!((run.told("dns_failed"), run.told("dns_resolved")), (9, 1));
}
