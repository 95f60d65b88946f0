use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use deepwater_auth::{KeySource, Method, Plan};
use deepwater_core::config::{Checker, Duration as Time};
use deepwater_core::{Events, ManualClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::*;
use crate::config::Auth;

/// Nothing here takes this long unless it hangs.
const IN_VAIN: Duration = Duration::from_secs(20);

/// A set of one key with this name.
fn set_of(kid: &str) -> String {
    let key = "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"";
    format!("{{\"keys\":[{{{key},\"kid\":\"{kid}\"}}]}}")
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Whoever publishes keys.
struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: watch::Receiver<usize>,
    /// One permit for each answer that may be given.
    may_answer: Arc<Semaphore>,
}

impl Issuer {
    async fn saying(answer: String, answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let may_answer = Arc::new(Semaphore::new(answers));
        let (count, asked) = watch::channel(0);
        let (says, may) = (Arc::clone(&answer), Arc::clone(&may_answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4_096];
                let len = stream.read(&mut head).await.unwrap();
                assert!(head[..len].starts_with(b"GET /keys?v=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
                count.send_modify(|count| *count += 1);
                may.acquire().await.unwrap().forget();
                let answer = says.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, answer, asked, may_answer }
    }

    async fn is_asked(&self, times: usize) {
        let mut asked = self.asked.clone();
        tokio::time::timeout(IN_VAIN, asked.wait_for(|asked| *asked >= times)).await.unwrap().unwrap();
    }

    fn times_asked(&self) -> usize {
        *self.asked.borrow()
    }

    fn says(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }
}

fn keyring_of(url: String) -> Arc<Keyring> {
    let config = Auth {
        jwks: Some(url),
        cooldown: Time::from_secs(30),
        max_stale: Time::from_secs(3_600),
        ..Auth::default()
    };
    let checker = Checker::without_document();
    let place = checker.at("auth").at("users");
    let plan = Plan::build("users", &config, Path::new("."), &place).unwrap();
    let Method::Token(tokens) = plan.method else { panic!("tokens") };
    let KeySource::Url(keys) = tokens.keys else { panic!("a URL") };
    Arc::new(Keyring::build("users", keys, &place).unwrap())
}

/// Keys of an issuer, with a clock in hand.
struct Scene {
    issuer: Issuer,
    keyring: Arc<Keyring>,
    clock: Arc<ManualClock>,
    context: Context,
}

impl Scene {
    async fn begin(answer: String, answers: usize) -> Self {
        let issuer = Issuer::saying(answer, answers).await;
        let keyring = keyring_of(format!("http://{}/keys?v=1", issuer.address));
        let clock = Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH));
        let context = Context { clock: Arc::clone(&clock) as _, ..Context::new(1, Events::silent()) };
        keyring.adopt(**keyring.freshness.load());
        keyring.keep_fresh(&context);
        keyring.keep_fresh(&context);
        Self { issuer, keyring, clock, context }
    }

    async fn ends(&self, fetches: u64) {
        let mut progress = self.keyring.progress.subscribe();
        let ended = progress.wait_for(|progress| progress.ended >= fetches);
        let ended = tokio::time::timeout(IN_VAIN, ended).await;
        assert!(ended.unwrap().is_ok());
    }

    fn now(&self) -> Instant {
        self.context.clock.now()
    }

    fn generation(&self) -> Option<u64> {
        self.keyring.with(self.now(), KeySet::generation)
    }

    /// The latest first.
    fn complaints(&self) -> Vec<String> {
        let rows = self.context.events.recent(100).into_iter();
        rows.filter(|row| row.event == "keys_fetch_failed").map(|row| row.message).collect()
    }
}

#[tokio::test]
async fn keys_count_from_their_fetch_until_they_are_too_old() {
    let scene = Scene::begin(ok(&set_of("a")), 0).await;
    assert!(scene.keyring.is_empty() && scene.generation().is_none());
    scene.issuer.may_answer.add_permits(1);
    scene.ends(1).await;
    assert!(!scene.keyring.is_empty() && scene.generation().is_some());
    scene.clock.advance(Duration::from_secs(3_600));
    assert!(scene.generation().is_some());
    scene.clock.advance(Duration::from_millis(1));
    assert!(scene.generation().is_none(), "too old");
    assert_eq!(scene.issuer.times_asked(), 1, "one task, one fetch");
}

#[tokio::test]
async fn a_crowd_with_an_unknown_key_causes_one_fetch_in_each_cooldown() {
    let scene = Scene::begin(ok(&set_of("a")), 1).await;
    scene.ends(1).await;
    let old = scene.generation().unwrap();
    assert!(!scene.keyring.has_others_than(old, scene.now()).await, "it was fetched just now");

    scene.clock.advance(Duration::from_secs(30));
    scene.issuer.says(ok(&set_of("b")));
    let crowd: Vec<_> = (0..100)
        .map(|_| {
            let (keyring, now) = (Arc::clone(&scene.keyring), scene.now());
            tokio::spawn(async move { keyring.has_others_than(old, now).await })
        })
        .collect();
    scene.issuer.is_asked(2).await;
    scene.issuer.may_answer.add_permits(1);
    for one in crowd {
        assert!(one.await.unwrap(), "there are others now");
    }
    let new = scene.generation().unwrap();
    assert!(scene.keyring.has_others_than(old, scene.now()).await, "known already");
    assert!(!scene.keyring.has_others_than(new, scene.now()).await);
    scene.clock.advance(Duration::from_secs(29));
    assert!(!scene.keyring.has_others_than(new, scene.now()).await);
    assert_eq!(scene.issuer.times_asked(), 2);

    // The same set again is no other.
    scene.clock.advance(Duration::from_secs(1));
    scene.issuer.may_answer.add_permits(1);
    assert!(!scene.keyring.has_others_than(new, scene.now()).await);
    assert_eq!((scene.issuer.times_asked(), scene.generation()), (3, Some(new)));
}

#[tokio::test]
async fn what_is_no_key_set_leaves_the_keys_as_they_are() {
    let scene = Scene::begin(ok(&set_of("a")), 100).await;
    scene.ends(1).await;
    let keys = scene.generation();
    let too_large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", FetchedKeys::MAX_BYTES + 1);
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":";
    for (told, answer) in [
        ("302", redirect.to_owned()),
        ("256 KiB", too_large),
        ("broke off", cut.to_owned()),
        ("without an answer", String::new()),
        ("JSON", ok("<html>")),
        ("no list", ok("{\"keys\":{}}")),
        ("no list", ok("{\"keys\":[7]}")),
    ] {
        let before = scene.complaints().len();
        scene.issuer.says(answer);
        scene.clock.advance(Duration::from_secs(30));
        // A retry of its own may come between: the complaint is the same.
        while scene.complaints().len() == before {
            assert!(!scene.keyring.has_others_than(keys.unwrap(), scene.now()).await, "{told}");
        }
        let complaint = scene.complaints().remove(0);
        assert!(complaint.contains(told), "{told}: {complaint}");
        assert!(complaint.contains("count for another"), "{complaint}");
        assert_eq!(scene.generation(), keys);
    }
}

#[tokio::test]
async fn the_last_key_can_be_withdrawn() {
    let scene = Scene::begin(ok(&set_of("a")), 100).await;
    scene.ends(1).await;
    let full = scene.generation().unwrap();
    let secret = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"}]}";
    for (answer, why) in [("{\"keys\":[]}", "log in"), (secret, "not used: number 1: ")] {
        for (answer, keys) in [(answer, 0), (&*set_of("a"), 1)] {
            let before = scene.generation().unwrap();
            scene.issuer.says(ok(answer));
            scene.clock.advance(Duration::from_secs(30));
            assert!(scene.keyring.has_others_than(before, scene.now()).await, "{answer}");
            assert_eq!(scene.keyring.with(scene.now(), |set| set.keys().len()), Some(keys));
        }
        assert_eq!(scene.generation(), Some(full), "it is the same set again");
        let told = scene.context.events.recent(100).into_iter().find(|row| row.event == "keys_withdrawn");
        let told = told.expect("it is told").message;
        assert!(told.contains("nobody can log in") && told.contains(why), "{told}");
    }
    assert!(!scene.keyring.is_empty() && scene.complaints().is_empty());
}

#[tokio::test]
async fn other_times_are_adopted_without_a_fetch() {
    let scene = Scene::begin(ok(&set_of("a")), 2).await;
    scene.ends(1).await;
    let seconds = |refresh, cooldown, max_stale| {
        let [refresh, cooldown, max_stale] = [refresh, cooldown, max_stale].map(Duration::from_secs);
        Freshness { refresh, cooldown, max_stale }
    };
    scene.keyring.adopt(seconds(600, 1_000, 60));
    scene.clock.advance(Duration::from_secs(60));
    let generation = scene.generation().expect("as old as they may be");
    assert!(!scene.keyring.has_others_than(generation, scene.now()).await, "it cools for longer");
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.generation().is_none(), "too old by now");
    assert_eq!(scene.issuer.times_asked(), 1);
    scene.keyring.adopt(seconds(0, 1_000, 3_600));
    // Overdue by its new time, of itself.
    scene.ends(2).await;
    assert!(scene.generation().is_some());
}

#[tokio::test]
async fn the_first_keys_can_be_waited_for() {
    let scene = Scene::begin("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into(), 0).await;
    let missing = scene.keyring.first(Duration::ZERO).await.unwrap_err().to_string();
    let url = format!("http://{}/keys?v=1", scene.issuer.address);
    assert_eq!(missing, format!("the keys of [auth.users] cannot be fetched from {url}: no answer"));
    scene.issuer.may_answer.add_permits(1);
    scene.ends(1).await;
    let missing = scene.keyring.first(Duration::ZERO).await.unwrap_err().to_string();
    assert!(missing.contains("the answer is 503"), "{missing}");
    scene.issuer.says(ok(&set_of("a")));
    scene.issuer.may_answer.add_permits(100);
    assert!(scene.keyring.first(IN_VAIN).await.is_ok());
    assert!(scene.keyring.first(Duration::ZERO).await.is_ok());
}

#[tokio::test]
async fn a_failed_fetch_is_made_again_soon() {
    let scene = Scene::begin("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into(), 100).await;
    scene.ends(1).await;
    assert!(scene.keyring.is_empty());
    let [complaint] = &scene.complaints()[..] else { panic!("one complaint") };
    assert!(complaint.contains("503") && complaint.contains("nobody can log in"), "{complaint}");
    scene.issuer.says(ok(&set_of("a")));
    // Of itself, within a second: nobody's token asks for it.
    scene.ends(2).await;
    assert!(scene.generation().is_some());
}

#[tokio::test]
async fn nothing_is_fetched_for_keys_that_nobody_has_any_more() {
    let scene = Scene::begin(ok(&set_of("a")), 1).await;
    scene.ends(1).await;
    let keyring = Arc::downgrade(&scene.keyring);
    drop(scene.keyring);
    // The task has let go of it, and its sleep ends with the sender.
    let gone = async {
        while keyring.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(IN_VAIN, gone).await.unwrap();
}

#[test]
fn urls_are_taken_apart() {
    let parts = |url: &str| {
        let keyring = keyring_of(url.into());
        let Source { dial, port, host, path, tls, .. } = &keyring.source;
        (dial.clone(), *port, host.clone(), path.clone(), tls.is_some())
    };
    let told =
        |dial: &str, port, host: &str, path: &str, tls| (dial.into(), port, host.into(), path.into(), tls);
    assert_eq!(parts("http://localhost:80"), told("localhost", 80, "localhost", "/", false));
    assert_eq!(parts("http://[::1]:8080/a?b=c"), told("::1", 8080, "[::1]:8080", "/a?b=c", false));
}
