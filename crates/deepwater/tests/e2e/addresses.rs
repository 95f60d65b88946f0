//! Which addresses may come.

use crate::support::tokens::get_with;
use crate::support::{Deepwater, LISTEN, Origin, pool};

const ROUTES: &str = r#"
    [[edge.route]]
    match = { path = "/office/*" }
    pool = "app"
    addresses = { allow = ["10.0.0.0/8", "2001:db8::/32"], deny = ["10.6.0.0/16", "2001:db8:6::/48"] }
    [[edge.route]]
    match = { path = "/world/*" }
    pool = "app"
    addresses = { deny = ["192.0.2.0/24", "127.0.0.1"] }
    [[edge.route]]
    pool = "app"
"#;

async fn door(trusted: &str, origin: &Origin) -> Deepwater {
    let listen = LISTEN.replace("[edge]\n", &format!("[edge]\ntrusted_proxies = [{trusted}]\n"));
    Deepwater::start(&format!("{listen}{ROUTES}{}", pool("app", &[origin.address]))).await
}

#[tokio::test]
async fn the_narrowest_network_decides() {
    let origin = Origin::named("ok").await;
    let edge = door("\"127.0.0.1\", \"172.16.0.0/12\"", &origin).await;
    let mut client = edge.client().await;
    let mut passed = 0;
    for (path, from, status) in [
        ("/office/a", "10.1.2.3", 200),
        ("/office/a", "10.6.2.3", 403),
        ("/office/a", "11.0.0.1", 403),
        ("/office/a", "::ffff:10.1.2.3", 200),
        ("/office/a", "::ffff:10.6.2.3", 403),
        ("/office/a", "2001:db8::7", 200),
        ("/office/a", "2001:db8:6::7", 403),
        ("/office/a", "2001:db9::7", 403),
        // Behind two proxies of ours; what a stranger says of those before him does not count.
        ("/office/a", "10.1.2.3, 172.16.0.9", 200),
        ("/office/a", "10.1.2.3, 11.0.0.1", 403),
        ("/office/a", "nonsense, 172.16.0.9", 403),
        ("/world/a", "198.51.100.1", 200),
        ("/world/a", "192.0.2.77", 403),
        ("/world/a", "2001:db8::1", 200),
        ("/other", "192.0.2.77", 200),
    ] {
        let answer = client.ask(get_with(path, &format!("X-Forwarded-For: {from}\r\n"))).await;
        assert_eq!(answer.status(), status, "{path} from {from}");
        passed += usize::from(status == 200);
    }
    assert_eq!(origin.heard().len(), passed);
    // The proxy itself.
    assert_eq!(edge.get("/world/a").await.status(), 403);
}

#[tokio::test]
async fn nobody_else_says_where_he_comes_from() {
    let origin = Origin::named("ok").await;
    let edge = door("", &origin).await;
    for field in ["X-Forwarded-For: 10.1.2.3", "Forwarded: for=10.1.2.3", "X-Real-IP: 10.1.2.3"] {
        let answer = edge.ask(get_with("/office/a", &format!("{field}\r\n"))).await;
        assert_eq!((answer.status(), answer.get("www-authenticate")), (403, None), "{field}");
    }
    assert!(origin.heard().is_empty());
}
