//! `deepwater demo`: the sample shop, what is done to it, and what the edge, the cache and the pool make of that.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::pg_wire::Pg;
use crate::support::postgres::Place;
use crate::support::{Home, Message, Wire, run, soon};

/// Visitors of a stampede: few, since these tests run beside others.
const CROWD: &str = "40";

/// A running demo, and what it has said.
struct Demo {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    shop: SocketAddr,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    /// In this environment.
    async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepwater"));
        command.envs(environment.iter().copied());
        command.args(["demo", "--listen", "127.0.0.1:0"]).args(arguments);
        if !arguments.contains(&"--console") {
            command.args(["--console", "off"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut demo = Self { process, lines, shop: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let shop = demo.says("Shop").await;
        demo.shop = shop.rsplit('/').next().unwrap().parse().unwrap();
        demo
    }

    /// Where the shop's database is, by the URL it was told.
    async fn database(&mut self) -> Place {
        let line = self.says("Database").await;
        let (user, rest) = line.split_once("://").unwrap().1.split_once(':').unwrap();
        let (password, rest) = rest.split_once('@').unwrap();
        let (address, database) = rest.split_once('/').unwrap();
        Place {
            address: address.parse().unwrap(),
            database: database.into(),
            user: user.into(),
            password: password.into(),
        }
    }

    /// The next line with this text.
    async fn says(&mut self, text: &str) -> String {
        soon(text, async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ended before it said {text:?}"));
                if line.contains(text) {
                    return line;
                }
            }
        })
        .await
    }

    async fn press(&mut self, keys: &str) {
        let keyboard = self.process.stdin.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).await.unwrap();
        keyboard.flush().await.unwrap();
    }

    /// Waits for the end of everything.
    async fn ends(mut self) {
        let status = soon("the demo to end", self.process.wait()).await.unwrap();
        assert!(status.success(), "{status}");
        assert!(TcpStream::connect(self.shop).await.is_err(), "nothing listens any longer");
    }

    async fn ask(&self, request: String) -> Message {
        let stream = soon("the shop", TcpStream::connect(self.shop)).await.unwrap();
        Wire::new(stream).ask(request).await
    }

    /// Visits a path with these cookies.
    async fn visit(&self, path: &str, cookies: &str) -> Message {
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        let Self { shop, .. } = self;
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: {shop}\r\n{cookies}Connection: close\r\n\r\n")).await
    }

    /// Sends a document with these cookies.
    async fn post(&self, path: &str, cookies: &str, body: &str) -> Message {
        let (shop, length) = (self.shop, body.len());
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {cookies}\r\n") };
        let fields = "Content-Type: application/json\r\nConnection: close\r\n";
        self.ask(format!(
            "POST {path} HTTP/1.1\r\nHost: {shop}\r\n{cookies}{fields}Content-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// Puts a product into a cart; the cookies of the visitor who has it now.
    async fn buy(&self, product: u32) -> String {
        let bought = self.post("/api/cart/items", "", &format!(r#"{{"product":{product}}}"#)).await;
        assert_eq!(bought.status(), 201, "{bought:?}");
        let cookies = bought.all("set-cookie").into_iter().map(|cookie| cookie.split(';').next().unwrap());
        cookies.collect::<Vec<_>>().join("; ")
    }
}

fn json(answer: &Message) -> Value {
    assert_eq!(answer.status(), 200, "{answer:?}");
    serde_json::from_str(answer.text()).unwrap()
}

#[tokio::test]
async fn the_demo_plays_and_cleans_up() {
    let home = Home::new();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--seconds", "2"];
    let demo = run(&home.path(""), &arguments).await;
    assert_eq!(demo.code, Some(0), "{demo:?}");
    let shop = demo.stdout.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
    let address = shop.unwrap_or_else(|| panic!("no address in {demo:?}")).trim_start_matches("http://");
    let gone = std::net::TcpStream::connect(address.trim_end_matches('/'));
    assert!(gone.is_err(), "nothing listens any longer");
}

#[tokio::test]
async fn a_stampede_is_compared_with_every_protection() {
    let mut demo = Demo::start(&["--stampede", "--crowd", CROWD]).await;
    demo.says("a crowd of 40 wants one page").await;
    demo.says("requests fetches     p50     p99 first back checkout").await;
    let mut rows = Vec::new();
    for name in
        ["no cache", "a cache, unprotected", "+ coalescing", "+ early refresh", "+ stale-while-revalidate"]
    {
        let row = demo.says(name).await;
        assert!(!row.contains("failed"), "{row}");
        let cells: Vec<_> = row.trim_start().strip_prefix(name).unwrap().split_whitespace().collect();
        let number = |cell: usize| cells[cell].replace(',', "").parse::<u64>().unwrap();
        rows.push((number(0), number(1), row));
    }
    let [uncached, unprotected, coalescing, early, stale] = rows.try_into().unwrap();
    assert!(uncached.0 >= 40 && uncached.0 == uncached.1, "{}", uncached.2);
    // It expires twice while the crowd is there, and several find it so.
    assert!(unprotected.1 > coalescing.1 && unprotected.1 < unprotected.0, "{}", unprotected.2);
    // One fetch at a time, and not many more than the page has lifetimes.
    for (_, fetches, row) in [coalescing, early, stale] {
        assert!((1..=8).contains(&fetches), "{row}");
    }
    demo.says("of 100 requests 100 reached the shop without a cache").await;
    demo.says("1 stampede").await;
    demo.ends().await;
}

#[tokio::test]
async fn a_new_price_is_live_everywhere_after_one_purge() {
    let mut demo = Demo::start(&["--new-price", "--no-load"]).await;
    for line in [
        "the deal costs € 98.90, no longer € 109.00: 3 instances know",
        "10 of 10 visitors still see € 109.00",
        "purged tag product:7 in ",
        "60 of 60 answers at 6 addresses say € 98.90",
        "1 price change",
    ] {
        demo.says(line).await;
    }
    demo.ends().await;
}

#[tokio::test]
async fn an_instance_that_comes_back_knows_the_price() {
    let mut demo = Demo::start(&["--no-load", "--no-postgres"]).await;
    demo.press("p").await;
    demo.says("60 of 60 answers").await;
    demo.press("1").await;
    demo.says("shop-1 killed").await;
    demo.press("1").await;
    demo.says("shop-1 started again").await;
    let price = soon("an answer of shop-1", async {
        loop {
            let answer = demo.visit("/crowd/uncached/api/prices/7", "").await;
            if answer.get("x-shop-instance") == Some("shop-1") {
                return json(&answer)["price"].clone();
            }
        }
    })
    .await;
    assert_eq!(price, 98.9);
    demo.press("q").await;
    demo.ends().await;
}

#[tokio::test]
async fn the_catalogue_is_shared_and_carts_are_not() {
    let mut demo = Demo::start(&["--no-load", "--no-postgres"]).await;
    let (ada, grace) = (demo.buy(7).await, demo.buy(11).await);
    assert_ne!(ada, grace);
    for path in ["/", "/products", "/products/7", "/images/7.svg", "/api/products"] {
        // Whoever comes first, the next one is answered from the cache, and nobody gets anybody's cookie.
        demo.visit(path, &ada).await;
        for cookies in [grace.as_str(), "", ada.as_str()] {
            let page = demo.visit(path, cookies).await;
            assert_eq!((page.status(), page.get("set-cookie")), (200, None), "{path}");
            let status = page.get("cache-status").unwrap();
            assert!(status.starts_with("deepwater-edge; hit"), "{path}: {status}");
        }
    }
    for _ in 0..2 {
        for (cookies, product) in [(&ada, 7), (&grace, 11)] {
            let cart = demo.visit("/api/cart", cookies).await;
            assert!(!cart.get("cache-status").unwrap().contains("hit"), "{cart:?}");
            let items = json(&cart)["items"].clone();
            assert_eq!((items.as_array().unwrap().len(), &items[0]["product"]), (1, &product.into()));
            let page = demo.visit("/cart", cookies).await;
            assert_eq!(page.text().contains("Whittler's knife"), product == 11);
        }
        assert!(json(&demo.visit("/api/cart", "").await)["items"].as_array().unwrap().is_empty());
    }
    demo.press("q").await;
    demo.ends().await;
}

#[tokio::test]
async fn the_catalogue_outlives_the_shop() {
    let mut demo = Demo::start(&["--no-load", "--no-postgres"]).await;
    let fresh = demo.visit("/deal", "").await;
    assert_eq!(fresh.status(), 200);
    demo.press("123").await;
    demo.says("shop-3 killed").await;
    let stale = soon("a stale answer", async {
        loop {
            let page = demo.visit("/deal", "").await;
            assert_eq!((page.status(), page.text()), (200, fresh.text()));
            let age: u64 = page.get("age").unwrap_or("0").parse().unwrap();
            if age >= 2 {
                return page.get("cache-status").unwrap().to_owned();
            }
        }
    })
    .await;
    assert!(stale.starts_with("deepwater-edge; "), "{stale}");
    assert!(demo.visit("/api/cart", "").await.status() >= 500, "nobody is there for what is personal");
    demo.press("q").await;
    demo.ends().await;
}

#[tokio::test]
async fn a_flash_sale_exhausts_a_small_pool_which_recovers() {
    let mut demo = Demo::start(&["--flash-sale=3", "--rate", "5"]).await;
    for line in [
        "flash sale: 50 requests/s for 3 s",
        "120 of them want to buy the deal",
        "the pool is exhausted: ",
        "the queue is full: beyond 40 the pool refuses at once (SQLSTATE 53300)",
    ] {
        demo.says(line).await;
    }
    let account = demo.says(" went through; ").await;
    let numbers: Vec<u64> = account.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [asked, sold, failed] = numbers.as_slice() else { panic!("{account}") };
    assert!(*sold > 0 && *failed > 0 && sold + failed == *asked, "{account}");
    demo.says("the pool has recovered, nobody waits").await;
    demo.says("1 flash sale, 1 exhausted pool").await;
    demo.ends().await;
}

#[tokio::test]
async fn in_a_database_carts_and_prices_outlive_the_instances() {
    let mut demo = Demo::start(&["--no-load"]).await;
    let ada = demo.buy(7).await;
    demo.press("p").await;
    demo.says("60 of 60 answers at 6 addresses say € 98.90").await;
    for (key, name) in [("1", "shop-1"), ("2", "shop-2"), ("3", "shop-3")] {
        demo.press(key).await;
        demo.says(&format!("{name} killed (SIGKILL); its carts are safe in the database")).await;
        demo.press(key).await;
        demo.says(&format!("{name} started again")).await;
    }
    let cart = soon("the cart", async {
        loop {
            // An instance that has just come back may still be thought ill.
            let answer = demo.visit("/api/cart", &ada).await;
            if answer.status() == 200 {
                return json(&answer);
            }
        }
    })
    .await;
    let item = &cart["items"][0];
    assert_eq!((&item["product"], &item["amount"], &cart["shared"]), (&7.into(), &98.9.into(), &true.into()));

    let too_many = demo.post("/api/cart/items", &ada, r#"{"product":7,"quantity":99}"#).await;
    assert_eq!(too_many.status(), 422, "{too_many:?}");
    let order = demo.post("/api/checkout", &ada, "").await;
    assert_eq!(order.status(), 201, "{order:?}");
    let order: Value = serde_json::from_str(order.text()).unwrap();
    assert_eq!(order["total"], 98.9, "what was refused is not in the cart");
    assert_eq!(demo.post("/api/checkout", &ada, "").await.status(), 409, "a cart is bought once");
    demo.press("q").await;
    demo.ends().await;
}

#[tokio::test]
async fn the_database_does_not_outlive_a_demo_that_is_killed() {
    let home = tempfile::tempdir().unwrap();
    // As root, the server runs as another user, who must find its folder there.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut demo = Demo::start_with(&["--no-load"], &[("TMPDIR", home.path().to_str().unwrap())]).await;
    let place = demo.database().await;
    assert_eq!(Pg::login(&place).await.value("SELECT current_user").await, "shop");
    let sockets = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path().join(".s.PGSQL.5432"));
    let socket = sockets.into_iter().find(|socket| socket.exists()).unwrap();
    let folder = socket.parent().unwrap().to_owned();
    assert!(UnixStream::connect(&socket).await.is_ok());

    demo.process.kill().await.unwrap();
    soon("the server's end", async { while UnixStream::connect(&socket).await.is_ok() {} }).await;
    soon("the end of its files", async {
        while folder.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn without_postgresql_the_shop_keeps_its_data_in_memory() {
    let arguments = ["--flash-sale=1", "--rate", "5"];
    let mut demo = Demo::start_with(&arguments, &[("DEEPWATER_POSTGRES_BIN", "/nowhere")]).await;
    demo.says("Database  off: DEEPWATER_POSTGRES_BIN names /nowhere").await;
    demo.says("the flash sale is over: 5 requests/s again").await;
    demo.ends().await;
}

/// The numbers in a line.
fn numbers(line: &str) -> Vec<u64> {
    let numbers = line.split(' ').map(|word| word.replace(',', ""));
    numbers.filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test]
async fn breakers_open_when_instances_fail_and_close_when_they_are_well() {
    let mut demo = Demo::start(&["--scene", "breaker", "--rate", "5"]).await;
    for line in [
        "shop-3 answers everything with 500, but for its health check",
        "the breaker of shop-3 opened for 1.",
        "the breaker of shop-3 lets a few requests through",
        // Longer now.
        "the breaker of shop-3 opened for 3.",
        "now all instances that run do the same: 3",
        "the breaker of the whole shop opened for 1.",
        "a visitor is told 503 within ",
        "all instances are well again: 3",
        "the breaker of the whole shop lets a few requests through",
        "the breaker of the whole shop closed",
    ] {
        demo.says(line).await;
    }
    let account = demo.says("all breakers are closed: of ").await;
    let [requests, failed] = numbers(&account)[..] else { panic!("{account}") };
    assert!(failed > 0 && failed < requests, "{account}");
    demo.says(" open breakers").await;
    demo.ends().await;
}

#[tokio::test]
async fn under_overload_crawlers_are_refused_first() {
    let mut demo = Demo::start(&["--scene", "overload", "--rate", "5"]).await;
    for line in [
        "10 customers buy (critical), 20 read recommendations (normal)",
        "160 crawlers want the same (low)",
        "the shop is full: ",
    ] {
        demo.says(line).await;
    }
    let mut refused = Vec::new();
    for row in [
        "before  checkout",
        "before  recommendations",
        "during  checkout",
        "during  recommendations",
        "during  same, crawlers",
    ] {
        let row = demo.says(row).await;
        let [asked, served] = numbers(&row)[..2] else { panic!("{row}") };
        assert!(asked > 0 && served <= asked, "{row}");
        refused.push(1.0 - served as f64 / asked as f64);
    }
    // On a machine that is busy with other tests, some customers may be refused, too; never as many as crawlers.
    let [.., critical, normal, low] = refused[..] else { panic!("{refused:?}") };
    assert!(critical <= normal + 0.02 && normal < low && low > 0.3, "{refused:?}");
    demo.says("nobody is turned away any longer").await;
    demo.says("1 overload").await;
    demo.ends().await;
}

#[tokio::test]
async fn no_request_fails_when_the_configuration_changes() {
    let mut demo = Demo::start(&["--scene", "reload", "--rate", "20"]).await;
    for line in [
        "20 visitors look into their carts; shop-4 has started",
        "deepwater.toml was read again: changed: pools.shop.targets, pools.shop.balance",
        "nothing was reloaded: deepwater.toml:",
        "deepwater.toml was read again: changed: pools.shop.balance",
        "deepwater.toml was read again: changed: pools.shop.targets, pools.shop.balance",
    ] {
        demo.says(line).await;
    }
    let account = demo.says(" requests failed during 4 reloads").await;
    let [failed, requests, _] = numbers(&account)[..] else { panic!("{account}") };
    assert!(failed == 0 && requests >= 40, "{account}");
    demo.says("3 reloads").await;
    demo.ends().await;
}

#[tokio::test]
async fn the_file_may_be_edited_and_the_console_reads_it_again() {
    let mut demo = Demo::start(&["--no-load", "--no-postgres", "--console", "127.0.0.1:0"]).await;
    let console = demo.says("Console").await;
    let console = console.rsplit('/').next().unwrap();
    let settings = demo.says("Settings").await;
    let file = std::path::PathBuf::from(settings.trim_start().strip_prefix("Settings").unwrap().trim());
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("max_waiting = 20\n", "max_waiting = 21\n", 1)).unwrap();

    let home = Home::new();
    let reload = run(&home.path(""), &["reload", "--console", console]).await;
    assert_eq!(reload.code, Some(0), "{reload:?}");
    assert!(reload.stdout.contains("changed pools.shop.waiting.max_waiting"), "{reload:?}");
    demo.says("deepwater.toml was read again: changed: pools.shop.waiting.max_waiting").await;
    demo.press("q").await;
    demo.ends().await;
    assert!(!file.exists(), "it goes with the demo");
}
