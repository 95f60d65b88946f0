//! Keys behind a URL at a change: what is to be in force has them before it is.

use rustix::process::Signal;
use serde_json::Value;

use super::keys::{Issuer, becomes, is_ready, users};
use crate::support::tokens::{Signer, claims_of, get_as, key_set};
use crate::support::{Deepwater, Home, Origin, Wire, ok};

/// Asks with a token again and again; nobody is refused.
async fn all_pass(edge: &Deepwater, token: &str) {
    for _ in 0..20 {
        assert_eq!(edge.ask(get_as("/", token)).await.status(), 200);
    }
}

/// An edge that has the keys of an issuer, with its origin and a token that it takes.
async fn with_keys() -> (Deepwater, Issuer, Origin, String) {
    let (ada, origin) = (Signer::ed25519().named("a"), Origin::named("ok").await);
    let issuer = Issuer::publishing(&[&ada], 1).await;
    let edge = Deepwater::start(&users(&issuer.url(), "", &origin)).await;
    is_ready(&edge).await;
    let token = ada.token(&claims_of("ada"));
    becomes(&edge, &token, 200).await;
    (edge, issuer, origin, token)
}

#[tokio::test]
async fn a_new_process_has_its_keys_before_it_serves() {
    let (mut edge, issuer, _origin, token) = with_keys().await;
    edge.signal(Signal::USR2);
    issuer.server.hears(2).await;
    let told = edge.log_line("keys_awaited").await;
    assert!(told.contains("[auth.users] has no keys yet"), "{told}");
    all_pass(&edge, &token).await;
    assert_eq!(edge.json("/api/status").await["pid"], edge.pid());
    issuer.may_answer.add_permits(1);
    let next = edge.upgraded().await;
    all_pass(&edge, &token).await;
    assert_eq!(edge.ends().await, Some(0));
    assert_eq!(edge.json("/api/status").await["pid"], next.0);
    all_pass(&edge, &token).await;
}

#[tokio::test]
async fn a_new_process_that_cannot_have_its_keys_does_not_take_over() {
    let (ada, origin) = (Signer::ed25519().named("a"), Origin::named("ok").await);
    let issuer = Issuer::publishing(&[&ada], 1).await;
    let home = Home::new();
    let text = format!("[console]\nlisten = \"127.0.0.1:0\"\n{}", users(&issuer.url(), "", &origin));
    let file = home.write("deepwater.toml", text);
    let arguments = ["run", "--upgrade-timeout", "6s", "-c", file.to_str().unwrap()];
    let mut edge = Deepwater::spawn(home, &arguments, 1).await;
    is_ready(&edge).await;
    let (address, token) = (issuer.server.address, ada.token(&claims_of("ada")));
    becomes(&edge, &token, 200).await;
    issuer.server.stop().await;
    edge.signal(Signal::USR2);
    let told = edge.log_line("upgrade_failed").await;
    let why = format!("the keys of [auth.users] cannot be fetched from http://{address}/keys.json: ");
    assert!(told.contains(&why) && told.contains("goes on"), "{told}");
    all_pass(&edge, &token).await;
    assert_eq!(edge.json("/api/status").await["pid"], edge.pid());

    // Once they can be had, it does.
    let set = key_set(&[&ada]);
    let _again = Origin::answering_at(address, move |_| ok(&set)).await;
    edge.signal(Signal::USR2);
    let _next = edge.upgraded().await;
    assert_eq!(edge.ends().await, Some(0));
    all_pass(&edge, &token).await;
}

#[tokio::test]
async fn keys_outlive_other_times_and_new_ones_come_before_their_configuration() {
    let (edge, issuer, origin, token) = with_keys().await;
    let other_times = "cooldown = \"20s\"\nrefresh = \"5m\"\nmax_stale = \"2h\"";
    edge.reloaded(&users(&issuer.url(), other_times, &origin)).await;
    all_pass(&edge, &token).await;
    assert_eq!(issuer.fetches(), 1);

    // Other keys: until they are there, the old ones count.
    let config = users(&format!("{}?v=2", issuer.url()), "", &origin);
    edge.rewrite(&config);
    let mut console = Wire::new(tokio::net::TcpStream::connect(edge.console).await.unwrap());
    let fields = "X-Deepwater: 1\r\nContent-Length: 0\r\nConnection: close\r\n";
    console.send(format!("POST /api/reload HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", edge.console)).await;
    issuer.server.hears(2).await;
    all_pass(&edge, &token).await;
    issuer.may_answer.add_permits(1);
    assert_eq!(console.response().await.status(), 200);
    all_pass(&edge, &token).await;
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn a_reload_whose_keys_cannot_be_had_changes_nothing() {
    let (mut edge, issuer, origin, token) = with_keys().await;
    let nowhere = format!("http://{}/keys.json", Origin::nowhere().await);
    let refused = edge.reload(&users(&nowhere, "audience = \"bank\"", &origin)).await;
    assert_eq!(refused.status(), 422, "{refused:?}");
    let told: Value = serde_json::from_str(refused.text()).unwrap();
    let why = format!("the keys of [auth.users] cannot be fetched from {nowhere}: ");
    assert!(told["error"].as_str().unwrap().contains(&why), "{told}");
    edge.log_line("nothing was reloaded: the keys of").await;
    all_pass(&edge, &token).await;
    assert_eq!(edge.json("/api/config").await["auth"]["users"]["jwks"], issuer.url());

    // Whoever ends the process does not wait for keys.
    edge.rewrite(&users(&nowhere, "", &origin));
    edge.signal(Signal::HUP);
    edge.log_line("keys_awaited").await;
    edge.signal(Signal::TERM);
    assert_eq!(edge.ends().await, Some(0));
}
