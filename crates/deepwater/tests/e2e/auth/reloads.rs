//! A configuration is read again: other keys end what was remembered, the same ones go on.

use crate::support::tokens::{Signer, claims_of, get_as, key_set};
use crate::support::{Deepwater, Home, LISTEN, Origin, ok, soon};

fn users(more: &str) -> String {
    format!(
        "{LISTEN}[[edge.route]]\nrespond = {{ status = 200 }}\nauth = \"users\"\nrate_limit = {{ rate = 9, per = \"1h\" }}\n\
         [auth.users]\n{more}\n"
    )
}

#[tokio::test]
async fn another_secret_ends_the_tokens_of_the_old_one() {
    let [old, new] = ["an old secret of 32 bytes at least", "a new secret of 32 bytes at the least"];
    let home = Home::new();
    home.write("secret", old);
    let config = users("secret = \"file:secret\"");
    let edge = Deepwater::start_in(home, &config).await;
    let mut client = edge.client().await;
    let [of_old, of_new] =
        [old, new].map(|secret| get_as("/", &Signer::secret(secret).token(&claims_of("ada"))));
    assert_eq!(client.ask(&of_old).await.status(), 200);
    assert_eq!(client.ask(&of_new).await.status(), 401);

    // Nothing was changed but the file that the configuration names.
    edge.home().write("secret", new);
    edge.reloaded(&config).await;
    assert_eq!(client.ask(&of_old).await.status(), 401, "remembered or not");
    assert_eq!(client.ask(&of_new).await.status(), 200);

    edge.reloaded(&config).await;
    let answer = client.ask(&of_new).await;
    assert_eq!(answer.get("ratelimit"), Some("\"default\";r=4;t=2000"), "what was counted stays counted");
    let labels = [("auth", "users"), ("cache", "hit")];
    edge.counts("deepwater_edge_auth_checks_total", &labels, 1.0).await;
}

#[tokio::test]
async fn fetched_keys_stay_while_their_url_does() {
    let ada = Signer::ed25519().named("a");
    let set = key_set(&[&ada]);
    let issuer = Origin::answering(move |_| ok(&set)).await;
    let url = |path: &str| format!("jwks = \"http://{}{path}\"\n", issuer.address);
    let edge = Deepwater::start(&users(&url("/keys"))).await;
    let ready = async { while edge.page("/readyz").await.status() != 200 {} };
    soon("the keys", ready).await;
    let ask = get_as("/", &ada.token(&claims_of("ada")));
    assert_eq!(edge.ask(&ask).await.status(), 200);

    edge.reloaded(&users(&(url("/keys") + "audience = \"bank\""))).await;
    assert_eq!(edge.ask(&ask).await.status(), 401, "there are keys, and something else is asked");
    edge.reloaded(&users(&url("/keys"))).await;
    assert_eq!((edge.ask(&ask).await.status(), issuer.heard().len()), (200, 1));

    edge.reloaded(&users(&url("/others"))).await;
    issuer.hears(2).await;
    soon("other keys", async { while edge.ask(&ask).await.status() != 200 {} }).await;
    assert_eq!(issuer.heard()[1].target(), "/others");
}
