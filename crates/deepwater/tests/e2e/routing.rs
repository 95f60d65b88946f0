//! Which request goes where, and what is changed on its way.

use crate::support::{Deepwater, LISTEN, Message, Origin, ok};

/// Runs these routes with the pools `a`, `b` and `c`, whose origins answer with their name and the target they saw.
struct Town {
    edge: Deepwater,
    origins: Vec<Origin>,
}

impl Town {
    async fn with(routes: &str) -> Self {
        let mut origins = Vec::new();
        let mut config = format!("{LISTEN}{routes}\n");
        for name in ["a", "b", "c"] {
            let origin = Origin::answering(move |request| ok(&format!("{name} {}", request.target()))).await;
            if routes.contains(&format!("pool = \"{name}\"")) {
                config += &crate::support::pool(name, &[origin.address]);
            }
            origins.push(origin);
        }
        Self { edge: Deepwater::start(&config).await, origins }
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.edge.get(path).await;
        if answer.status() == 200 { answer.text().to_owned() } else { answer.status().to_string() }
    }

    async fn ask(&self, start: &str, fields: &str) -> String {
        let answer = self.edge.ask(format!("{start} HTTP/1.1\r\n{fields}\r\n")).await;
        if answer.status() == 200 { answer.text().to_owned() } else { answer.status().to_string() }
    }
}

#[tokio::test]
async fn the_first_match_wins() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/api/v2/*" }
        pool = "a"
        [[edge.route]]
        match = { path = "/api/*" }
        pool = "b"
        [[edge.route]]
        match = { path = "/*" }
        pool = "c"
        "#,
    )
    .await;
    for (path, answer) in [
        ("/api/v2/users", "a /api/v2/users"),
        ("/api/v1/users", "b /api/v1/users"),
        ("/api", "b /api"),
        ("/apis", "c /apis"),
        ("/", "c /"),
    ] {
        assert_eq!(town.get(path).await, answer);
    }
}

#[tokio::test]
async fn hosts_are_exact_or_below_a_name() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { host = "shop.example" }
        pool = "a"
        [[edge.route]]
        match = { host = "*.example" }
        pool = "b"
        "#,
    )
    .await;
    for (host, answer) in [
        ("shop.example", "a /"),
        ("SHOP.Example:8080", "a /"),
        ("api.example", "b /"),
        ("deep.api.example", "b /"),
        ("example", "404"),
        ("notexample", "404"),
        ("shop.example.evil", "404"),
    ] {
        assert_eq!(town.ask("GET /", &format!("Host: {host}\r\n")).await, answer, "{host}");
    }
}

#[tokio::test]
async fn methods_headers_and_queries_narrow_a_route() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { method = "GET HEAD", header = { X-Beta = "yes", Authorization = "*" } }
        pool = "a"
        [[edge.route]]
        match = { query = { version = "2", debug = "*" } }
        pool = "b"
        [[edge.route]]
        pool = "c"
        "#,
    )
    .await;
    let beta = "Host: h\r\nX-Beta: yes\r\nAuthorization: Bearer x\r\n";
    assert_eq!(town.ask("GET /", beta).await, "a /");
    assert_eq!(town.ask("DELETE /", beta).await, "c /");
    assert_eq!(town.ask("GET /", "Host: h\r\nX-Beta: no\r\nAuthorization: x\r\n").await, "c /");
    assert_eq!(town.ask("GET /", "Host: h\r\nX-Beta: yes\r\n").await, "c /");
    assert_eq!(town.get("/?debug&version=2").await, "b /?debug&version=2");
    assert_eq!(town.get("/?debug&version=3").await, "c /?debug&version=3");
    assert_eq!(town.get("/?version=2").await, "c /?version=2");
}

#[tokio::test]
async fn patterns_have_names() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/products/{id}/reviews/{review}" }
        rewrite = "/r/{review}/of/{id}"
        pool = "a"
        [[edge.route]]
        match = { path = "/files/{rest*}" }
        rewrite = "/store/{rest}"
        pool = "b"
        "#,
    )
    .await;
    assert_eq!(town.get("/products/7/reviews/12?page=2").await, "a /r/12/of/7?page=2", "the query is kept");
    assert_eq!(town.get("/products/7/reviews").await, "404");
    assert_eq!(town.get("/products/7/reviews/12/more").await, "404");
    assert_eq!(town.get("/files/a/b/c.txt").await, "b /store/a/b/c.txt");
}

#[tokio::test]
async fn a_prefix_can_be_taken_off() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/app/*" }
        strip_prefix = "/app"
        pool = "a"
        "#,
    )
    .await;
    assert_eq!(town.get("/app/users?x=1").await, "a /users?x=1");
    assert_eq!(town.get("/app").await, "a /");
    assert_eq!(town.get("/apple").await, "404");
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_a_route() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/admin/*" }
        respond = { status = 403 }
        [[edge.route]]
        pool = "a"
        "#,
    )
    .await;
    for path in [
        "/admin",
        "/admin/",
        "/admin/users",
        "/%61dmin/users",
        "/public/../admin/users",
        "/public/%2e%2e/admin/users",
        "/./admin/users",
        "//admin/users",
        "/public/..//admin",
    ] {
        let status = town.get(path).await;
        assert!(matches!(status.as_str(), "403" | "400"), "{path}: {status}");
    }
    assert!(town.origins[0].heard().is_empty(), "{:?}", town.origins[0].heard());
}

#[tokio::test]
async fn headers_are_edited_both_ways() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/products/{id}" }
        pool = "a"
        request_headers = { remove = ["Cookie"], set = { X-Product = "{id}", X-Was = "{method} {scheme}://{host}{path}?{query}" }, add = { X-Tag = "edge" } }
        response_headers = { remove = ["Content-Type"], set = { Server = "deepwater", X-Id = "{request_id}" }, add = { Vary = "Cookie" } }
        "#,
    )
    .await;
    let answer = town
        .edge
        .ask("GET /products/7?q=1 HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nX-Tag: mine\r\nX-Product: spoofed\r\nX-Request-Id: r1\r\n\r\n")
        .await;
    let request = town.origins[0].only_request();
    assert_eq!(request.get("cookie"), None);
    assert_eq!(request.get("x-product"), Some("7"));
    assert_eq!(request.get("x-was"), Some("GET http://h/products/7?q=1"));
    assert_eq!(request.all("x-tag"), ["mine", "edge"]);
    assert_eq!(answer.get("server"), Some("deepwater"));
    assert_eq!(answer.get("x-id"), Some("r1"));
    assert_eq!(answer.get("vary"), Some("Cookie"));
}

#[tokio::test]
async fn redirects_and_fixed_answers_need_no_origin() {
    let town = Town::with(
        r#"
        [[edge.route]]
        match = { path = "/old/{page}" }
        redirect = { to = "https://new.example/{page}?{query}", status = 301 }
        [[edge.route]]
        match = { path = "/soon" }
        respond = { status = 503, body = "<h1>Soon</h1>", content_type = "text/html" }
        [[edge.route]]
        match = { path = "/gone" }
        respond = { status = 204 }
        "#,
    )
    .await;
    let moved = town.edge.get("/old/prices?a=b").await;
    assert_eq!((moved.status(), moved.get("location")), (301, Some("https://new.example/prices?a=b")));

    let mut client = town.edge.client().await;
    let soon: Message = client.get("/soon").await;
    assert_eq!(
        (soon.status(), soon.text(), soon.get("content-type")),
        (503, "<h1>Soon</h1>", Some("text/html"))
    );
    client.send("HEAD /soon HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.response_to("HEAD").await.get("content-length"), Some("13"));
    let gone = client.get("/gone").await;
    assert_eq!((gone.status(), gone.get("content-length")), (204, None));
}

#[tokio::test]
async fn a_body_sent_to_a_fixed_answer_does_no_harm() {
    let town = Town::with("[[edge.route]]\nrespond = { status = 200, body = \"ok\" }\n").await;
    let mut client = town.edge.client().await;
    let answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(answer.text(), "ok");
    assert_eq!(client.get("/").await.text(), "ok", "the body was not taken for a request");
}

#[tokio::test]
async fn a_captured_name_cannot_split_a_response() {
    let town = Town::with(
        "[[edge.route]]\nmatch = { path = \"/go/{where}\" }\nredirect = { to = \"https://a.example/{where}\" }\n",
    )
    .await;
    let answer = town.edge.get("/go/x%0d%0aSet-Cookie:%20a=b").await;
    assert_eq!(answer.all("set-cookie"), Vec::<&str>::new(), "{answer:?}");
}

#[tokio::test]
async fn a_request_nobody_wants_gets_404() {
    let town = Town::with("[[edge.route]]\nmatch = { path = \"/only\" }\npool = \"a\"\n").await;
    let mut client = town.edge.client().await;
    let answer = client.get("/other").await;
    assert_eq!(
        (answer.status(), answer.get("proxy-status")),
        (404, Some("deepwater; error=destination_not_found"))
    );
    assert_eq!(client.get("/only").await.status(), 200, "the connection lives on");
}

#[tokio::test]
async fn a_thousand_routes_are_no_burden() {
    let mut routes: String = (0..1_000)
        .map(|n| format!("[[edge.route]]\nmatch = {{ path = \"/r{n}/*\" }}\nrespond = {{ status = 200, body = \"{n}\" }}\n"))
        .collect();
    routes += "[[edge.route]]\nrespond = { status = 200, body = \"rest\" }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{routes}")).await;
    let mut client = edge.client().await;
    for n in [0, 1, 10, 100, 999] {
        assert_eq!(client.get(&format!("/r{n}/x")).await.text(), n.to_string());
    }
    assert_eq!(client.get("/r1000/x").await.text(), "rest");
}
