use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::Request;

use crate::client::Shop;

#[tokio::test]
async fn a_cart_is_bought_once() {
    let shop = Shop::open("shop-1").await;
    let added = shop.post_json("/api/cart/items", r#"{"product": 8, "quantity": 3}"#).await;
    let checkout = || Request::post("/api/checkout").header("cookie", added.cookie());

    let bought = shop.send(checkout()).await;
    assert_eq!(bought.status(), 201);
    assert!(bought.json()["order"].as_str().unwrap().starts_with("shop-1-"));
    assert!(bought.json()["total"].as_f64().unwrap() > 80.0);
    assert_eq!(shop.send(checkout()).await.status(), 409, "the cart is empty now");
}

#[tokio::test]
async fn customers_queue_for_the_database_and_all_get_their_order() {
    let shop = Shop::open("shop-1").await;
    let start = Instant::now();
    let buy = || shop.post_json("/api/checkout", r#"{"items": [{"product": 1, "quantity": 1}]}"#);
    let answers = join_all((0..60).map(|_| buy())).await;

    let orders: HashSet<String> = answers
        .iter()
        .inspect(|answer| assert_eq!(answer.status(), 201))
        .map(|answer| answer.json()["order"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(orders.len(), 60);
    // Sixty transactions of 15 ms on ten connections.
    assert!(start.elapsed() >= Duration::from_millis(6 * 15));
}

#[tokio::test]
async fn a_purchase_that_makes_no_sense_is_refused() {
    let shop = Shop::open("shop-1").await;
    for (body, status) in [
        ("", 409),
        ("{", 400),
        (r#"{"coupon": 1}"#, 400),
        (r#"{"items": [{"product": 1, "quantity": 100}]}"#, 422),
        (r#"{"items": [{"product": 77}]}"#, 404),
        (&"x".repeat(20_000), 413),
    ] {
        assert_eq!(shop.post_json("/api/checkout", body).await.status(), status, "{body}");
    }
}
