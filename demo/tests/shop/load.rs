use std::time::Duration;

use deepwater_shop::load::{Load, LoadOptions, Rush, Wanted};
use tokio::net::TcpListener;

use crate::client::{Shop, within};

fn load_on(address: std::net::SocketAddr, rate: f64) -> LoadOptions {
    LoadOptions::new(format!("http://{address}"), rate)
}

#[tokio::test]
async fn customers_come_and_are_counted() {
    let shop = Shop::open("shop-1").await;
    let load = Load::start(load_on(shop.address, 400.0)).unwrap();
    within(load.finished(200)).await;

    let early = load.snapshot();
    assert_eq!(early.rate, 400.0);
    assert_eq!((early.server_errors, early.transport_errors, early.client_errors), (0, 0, 0), "{early:?}");
    assert!(early.p50.unwrap() <= early.p95.unwrap() && early.p95.unwrap() <= early.p99.unwrap());
    assert_eq!(early.instances.len(), 1);
    assert_eq!((early.instances[0].instance.as_str(), early.instances[0].share), ("shop-1", 1.0));

    load.set_rate(1_000.0);
    within(load.finished(early.finished() + 600)).await;
    let last = load.stop().await;
    assert_eq!((last.server_errors, last.transport_errors, last.client_errors), (0, 0, 0), "{last:?}");
    assert_eq!((last.in_flight, last.sent), (0, last.finished()));

    // Nobody is left on the line: the shop has nothing to wait for.
    within(shop.close()).await;
}

#[tokio::test]
async fn a_shop_that_is_gone_shows_as_transport_errors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let load = Load::start(load_on(address, 500.0)).unwrap();
    within(load.finished(20)).await;
    let snapshot = load.stop().await;
    assert!(snapshot.transport_errors >= 20);
    assert_eq!(snapshot.ok, 0);
    assert!(snapshot.instances.is_empty());
}

#[tokio::test]
async fn a_shop_that_hangs_does_not_pile_up_requests() {
    // Connections are accepted by the system, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = LoadOptions { max_in_flight: 4, ..load_on(silent.local_addr().unwrap(), 2_000.0) };
    let load = Load::start(options).unwrap();
    within(async {
        while load.snapshot().dropped < 10 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(load.snapshot().in_flight, 4);

    let end = within(load.stop()).await;
    assert_eq!((end.sent, end.in_flight), (4, 0), "what hangs is cut off");
}

#[tokio::test]
async fn a_restarted_shop_is_found_again() {
    let first = Shop::open("first").await;
    let address = first.address;
    let load = Load::start(load_on(address, 300.0)).unwrap();
    within(load.finished(100)).await;
    within(first.close()).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let before = load.snapshot();
    let second = Shop::open_on(listener, "second", None);
    within(load.finished(before.finished() + 200)).await;

    let names: Vec<_> = load.snapshot().instances.into_iter().map(|share| share.instance).collect();
    assert_eq!(names, ["first", "second"]);
    let end = load.stop().await;
    assert_eq!(end.server_errors, 0);
    within(second.close()).await;
}

fn wanted(path: &str) -> Wanted {
    Wanted { path: path.to_owned(), ..Wanted::default() }
}

#[tokio::test]
async fn a_rush_queues_where_the_shop_has_to_ask_its_database() {
    let shop = Shop::open("shop-1").await;
    let target = format!("http://{}", shop.address);
    let mut rush = Rush::new(&target, &wanted("/deal"), 60, 1).unwrap();
    assert!(within(rush.one()).await.unwrap() >= Duration::from_millis(60));

    let account = within(rush.all(Duration::from_millis(300))).await;
    assert!(account.requests >= 60 && account.failed == 0, "{account:?}");
    // Ten connections for sixty visitors: some wait for others.
    assert!(account.p99.unwrap() > Duration::from_millis(90), "{account:?}");
    assert!(account.p50 <= account.p99);
    assert_eq!((account.good_p99, account.failed_p50), (account.p99, None));

    let again = within(rush.all(Duration::from_millis(1))).await;
    assert!(again.requests <= 60, "who has not begun when it ends does not begin: {again:?}");
    drop(rush);
    within(shop.close()).await;
}

#[tokio::test]
async fn a_rush_may_buy() {
    let shop = Shop::open("shop-1").await;
    let target = format!("http://{}", shop.address);
    let json = Some(r#"{"items":[{"product":7}]}"#.to_owned());
    let mut buyers = Rush::new(&target, &Wanted { json, ..wanted("/api/checkout") }, 2, 1).unwrap();
    assert!(within(buyers.one()).await.is_some());

    let mut lost = Rush::new(&target, &wanted("/nowhere"), 2, 1).unwrap();
    assert_eq!(within(lost.one()).await, None, "404 is no good answer");
    let account = within(lost.all(Duration::from_millis(250))).await;
    assert!(account.requests >= 2 && account.failed == account.requests, "{account:?}");
    assert_eq!((account.good(), account.good_p50, account.failed_p50), (0, None, account.p50));
    assert!(Rush::new("shop", &wanted("/"), 1, 1).is_err());
    assert!(Rush::new(&target, &wanted("not a path"), 1, 1).is_err());
    let agent = Some("two\nlines".to_owned());
    assert!(Rush::new(&target, &Wanted { agent, ..wanted("/") }, 1, 1).is_err());
}
