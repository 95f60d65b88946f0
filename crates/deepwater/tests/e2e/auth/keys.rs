//! Keys behind a URL: fetched, kept fresh, exchanged and withdrawn.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::support::tokens::{Signer, claims_of, get_as, key_set};
use crate::support::{Authority, Deepwater, Home, LISTEN, Origin, Visit, ok, pool, soon};

/// Whoever publishes keys.
pub(super) struct Issuer {
    pub server: Origin,
    set: Arc<Mutex<String>>,
    /// One permit for each answer that may be given.
    pub may_answer: Arc<Semaphore>,
}

impl Issuer {
    pub async fn publishing(keys: &[&Signer], answers: usize) -> Self {
        let set = Arc::new(Mutex::new(key_set(keys)));
        let may_answer = Arc::new(Semaphore::new(answers));
        let (says, may) = (Arc::clone(&set), Arc::clone(&may_answer));
        let server = Origin::scripted(move |mut visit: Visit| {
            let (says, may) = (Arc::clone(&says), Arc::clone(&may));
            async move {
                while visit.request().await.is_some() {
                    may.acquire().await.unwrap().forget();
                    let set = says.lock().unwrap().clone();
                    visit.send(ok(&set)).await;
                }
            }
        })
        .await;
        Self { server, set, may_answer }
    }

    pub fn publish(&self, keys: &[&Signer]) {
        *self.set.lock().unwrap() = key_set(keys);
    }

    pub fn fetches(&self) -> usize {
        self.server.heard().len()
    }

    pub fn url(&self) -> String {
        format!("http://{}/keys.json", self.server.address)
    }
}

/// Users with keys of a URL, on two cores.
pub(super) fn users(url: &str, more: &str, origin: &Origin) -> String {
    let listen = LISTEN.replace("workers = 1", "workers = 2");
    let route = "[[edge.route]]\nname = \"app\"\npool = \"app\"\nauth = \"users\"\n";
    format!("{listen}{route}[auth.users]\njwks = \"{url}\"\n{more}\n{}", pool("app", &[origin.address]))
}

pub(super) async fn is_ready(edge: &Deepwater) {
    soon("the keys", async { while edge.page("/readyz").await.status() != 200 {} }).await;
}

/// Asks with a token until it is answered so.
pub(super) async fn becomes(edge: &Deepwater, token: &str, status: u16) {
    let mut client = edge.client().await;
    let what = format!("a token to be answered with {status}");
    soon(&what, async { while client.ask(get_as("/", token)).await.status() != status {} }).await;
}

#[tokio::test]
async fn before_its_keys_are_there_nobody_passes_and_the_edge_is_not_ready() {
    let (ada, origin) = (Signer::ed25519().named("a"), Origin::named("ok").await);
    let issuer = Issuer::publishing(&[&ada], 0).await;
    let edge = Deepwater::start(&users(&issuer.url(), "", &origin)).await;
    issuer.server.hears(1).await;
    let page = edge.page("/readyz").await;
    assert_eq!(page.status(), 503);
    assert!(page.text().contains("the keys of auth users have not been fetched yet"), "{}", page.text());
    let answer = edge.ask(get_as("/", &ada.token(&claims_of("ada")))).await;
    assert_eq!((answer.status(), answer.get("www-authenticate")), (503, None));
    assert!(answer.get("retry-after").is_some());
    issuer.may_answer.add_permits(1);
    is_ready(&edge).await;
    assert_eq!(edge.ask(get_as("/", &ada.token(&claims_of("ada")))).await.status(), 200);
    let told = edge.log_line("keys_fetched").await;
    assert!(told.contains("[auth.users] has 1 keys from"), "{told}");
    assert_eq!((origin.heard().len(), issuer.fetches()), (1, 1));
    let request = issuer.server.only_request();
    assert_eq!((request.target(), request.get("user-agent")), ("/keys.json", Some("deepwater/keys")));
}

#[tokio::test]
async fn keys_are_exchanged_and_withdrawn() {
    let [a, b, c] = ["a", "b", "c"].map(|name| Signer::es256().named(name));
    let origin = Origin::named("ok").await;
    let issuer = Issuer::publishing(&[&a], usize::MAX >> 4).await;
    let began = Instant::now();
    let edge = Deepwater::start(&users(&issuer.url(), "cooldown = \"1s\"", &origin)).await;
    is_ready(&edge).await;
    let [old, new, unknown] = [&a, &b, &c].map(|key| key.token(&claims_of("ada")));
    becomes(&edge, &old, 200).await;
    let told = edge.ask(get_as("/", &new)).await;
    assert_eq!(told.status(), 401, "it was fetched just now");
    let challenge = told.get("www-authenticate").unwrap();
    assert!(challenge.ends_with("error_description=\"the key of the token is not known\""), "{challenge}");

    // Somebody with a new key makes it known, at the latest after the cooldown.
    issuer.publish(&[&a, &b]);
    becomes(&edge, &new, 200).await;
    becomes(&edge, &old, 200).await;

    // A key is withdrawn: nothing that was remembered survives the next fetch.
    issuer.publish(&[&b]);
    let mut client = edge.client().await;
    soon("the old key to be gone", async {
        while client.ask(get_as("/", &old)).await.status() != 401 {
            assert_eq!(client.ask(get_as("/", &unknown)).await.status(), 401);
        }
    })
    .await;
    becomes(&edge, &new, 200).await;
    let most = 2 + usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(issuer.fetches() <= most, "{} fetches in {:?}", issuer.fetches(), began.elapsed());
    edge.counts("deepwater_edge_auth_key_fetches_total", &[("auth", "users"), ("result", "failed")], 0.0)
        .await;
}

#[tokio::test]
async fn the_last_key_can_be_withdrawn() {
    let (a, b) = (Signer::ed25519().named("a"), Signer::ed25519().named("b"));
    let origin = Origin::named("ok").await;
    let issuer = Issuer::publishing(&[&a], usize::MAX >> 4).await;
    let edge = Deepwater::start(&users(&issuer.url(), "cooldown = \"1s\"", &origin)).await;
    is_ready(&edge).await;
    let [known, unknown] = [&a, &b].map(|key| key.token(&claims_of("ada")));
    becomes(&edge, &known, 200).await;
    issuer.publish(&[]);
    let mut client = edge.client().await;
    soon("the key to be gone", async {
        while client.ask(get_as("/", &known)).await.status() != 401 {
            assert_eq!(client.ask(get_as("/", &unknown)).await.status(), 401);
        }
    })
    .await;
    let told = edge.log_line("keys_withdrawn").await;
    assert!(told.contains("[auth.users] has no key any more"), "{told}");
    issuer.publish(&[&a]);
    becomes(&edge, &known, 200).await;
}

#[tokio::test]
async fn waiting_for_keys_ends_with_the_time_of_the_request() {
    let (a, b) = (Signer::ed25519().named("a"), Signer::ed25519().named("b"));
    let origin = Origin::named("ok").await;
    let issuer = Issuer::publishing(&[&a], 1).await;
    let config = users(&issuer.url(), "cooldown = \"1s\"", &origin);
    let edge = Deepwater::start(&config.replace("name = \"app\"", "timeout = \"300ms\"")).await;
    is_ready(&edge).await;
    let unknown = b.token(&claims_of("ada"));
    let mut client = edge.client().await;
    let late = async {
        loop {
            let began = Instant::now();
            let answer = client.ask(get_as("/", &unknown)).await;
            match answer.status() {
                401 => {}
                status => break (status, began.elapsed()),
            }
        }
    };
    let (status, took) = soon("the issuer to be asked", late).await;
    assert_eq!(status, 504);
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(1_500), "{took:?}");
    // The connection goes on, and so does whoever is known.
    assert_eq!(client.ask(get_as("/", &a.token(&claims_of("ada")))).await.status(), 200);
}

#[tokio::test]
async fn a_crowd_with_a_new_key_causes_one_fetch_and_all_of_it_passes() {
    let (a, b) = (Signer::ed25519().named("a"), Signer::ed25519().named("b"));
    let origin = Origin::named("ok").await;
    let issuer = Issuer::publishing(&[&a], 1).await;
    let edge = Arc::new(Deepwater::start(&users(&issuer.url(), "cooldown = \"1s\"", &origin)).await);
    is_ready(&edge).await;
    issuer.publish(&[&a, &b]);
    let crowd: Vec<_> = (0..30)
        .map(|one| {
            let (edge, token) = (Arc::clone(&edge), b.token(&claims_of(&one.to_string())));
            tokio::spawn(async move { becomes(&edge, &token, 200).await })
        })
        .collect();
    issuer.server.hears(2).await;
    issuer.may_answer.add_permits(1);
    for one in crowd {
        one.await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_issuer() {
    let (a, origin) = (Signer::ed25519().named("a"), Origin::named("ok").await);
    let issuer = Issuer::publishing(&[&a], usize::MAX >> 4).await;
    let began = Instant::now();
    let edge = Deepwater::start(&users(&issuer.url(), "cooldown = \"2s\"", &origin)).await;
    is_ready(&edge).await;
    let stranger = Signer::ed25519();
    let token_of = |kid: usize| {
        stranger.token_of(&format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\"}}"), &claims_of("eve").to_string())
    };
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(edge.client().await);
    }
    let mut sent = 0;
    // Until some of it has made the keys to be fetched.
    while issuer.fetches() < 3 {
        for client in &mut clients {
            sent += 1;
            assert_eq!(client.ask(get_as("/", &token_of(sent))).await.status(), 401);
        }
    }
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 2).unwrap();
    assert!(issuer.fetches() <= most && sent > issuer.fetches(), "{} of {sent}", issuer.fetches());
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn old_keys_count_for_a_while_when_their_issuer_is_gone() {
    let (a, origin) = (Signer::ed25519().named("a"), Origin::named("ok").await);
    let issuer = Issuer::publishing(&[&a], 1).await;
    let more = "refresh = \"10s\"\nmax_stale = \"12s\"\ncooldown = \"1s\"";
    let began = Instant::now();
    let edge = Deepwater::start(&users(&issuer.url(), more, &origin)).await;
    is_ready(&edge).await;
    let (address, token) = (issuer.server.address, a.token(&claims_of("ada")));
    issuer.server.stop().await;
    becomes(&edge, &token, 200).await;
    let told = edge.log_line("keys_fetch_failed").await;
    assert!(told.contains("those it has count for another"), "{told}");
    becomes(&edge, &token, 200).await;
    becomes(&edge, &token, 503).await;
    assert!(began.elapsed() >= Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(edge.page("/readyz").await.status(), 200, "other routes need no keys");

    let set = key_set(&[&a]);
    let _again = Origin::answering_at(address, move |_| ok(&set)).await;
    becomes(&edge, &token, 200).await;
}

#[tokio::test]
async fn keys_come_over_https_from_whom_the_system_trusts() {
    let (a, origin) = (Signer::es256().named("a"), Origin::named("ok").await);
    let (authority, stranger) = (Authority::new(), Authority::new());
    let set = key_set(&[&a]);
    for (signed_by, trusted) in [(&authority, true), (&stranger, false)] {
        let said = set.clone();
        let acceptor = signed_by.issue(&["localhost"]).acceptor(&["http/1.1"], None);
        let server = Origin::secure(acceptor, move |_| ok(&said)).await;
        let mut home = Home::new();
        let file = home.write("authorities.pem", authority.pem());
        home.set("SSL_CERT_FILE", file.to_str().unwrap());
        let url = format!("https://localhost:{}/keys.json", server.address.port());
        let edge = Deepwater::start_in(home, &users(&url, "", &origin)).await;
        if trusted {
            is_ready(&edge).await;
            assert_eq!(edge.ask(get_as("/", &a.token(&claims_of("ada")))).await.status(), 200);
            assert_eq!(server.only_request().get("host"), Some(&url[8..url.len() - 10]));
        } else {
            let told = edge.log_line("keys_fetch_failed").await;
            assert!(told.contains("TLS") && told.contains("nobody can log in"), "{told}");
            assert_eq!(edge.ask(get_as("/", &a.token(&claims_of("ada")))).await.status(), 503);
        }
    }
}
