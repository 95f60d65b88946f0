use std::time::{Duration, Instant};

use hyper::Request;

use crate::client::{Answer, Shop};

async fn turn(shop: &Shop, control: &str, body: &str, token: &str) -> Answer {
    let request = Request::post(control).header("content-type", "application/json");
    shop.send_body(request.header("x-demo-token", token), body).await
}

#[tokio::test]
async fn an_instance_can_be_made_ill_and_well_again() {
    let shop = Shop::open("shop-3").await;
    let healthy = shop.get("/health").await;
    assert_eq!(healthy.status(), 200);
    assert_eq!(
        healthy.json(),
        serde_json::json!({
            "status": "healthy",
            "instance": "shop-3",
            "checks": { "database": { "status": "healthy" }, "memory": { "status": "healthy" } },
        })
    );

    assert_eq!(turn(&shop, "/_demo/unhealthy", r#"{"value": true}"#, "").await.status(), 204);
    let ill = shop.get("/health").await;
    assert_eq!((ill.status(), &ill.json()["status"]), (503, &"unhealthy".into()));
    assert_eq!(ill.json()["checks"]["database"]["status"], "unhealthy");

    turn(&shop, "/_demo/unhealthy", r#"{"value": false}"#, "").await;
    assert_eq!(shop.get("/health").await.status(), 200);
}

#[tokio::test]
async fn an_instance_can_be_made_slow_and_quick_again() {
    let shop = Shop::open("shop-1").await;
    turn(&shop, "/_demo/slow", r#"{"ms": 150}"#, "").await;
    let start = Instant::now();
    assert_eq!(shop.get("/api/prices/1").await.status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(150));

    // The controls themselves stay quick, however slow the shop.
    turn(&shop, "/_demo/slow", r#"{"ms": 60000}"#, "").await;
    assert_eq!(turn(&shop, "/_demo/slow", r#"{"ms": 0}"#, "").await.status(), 204);
    assert_eq!(shop.get("/api/prices/1").await.status(), 200);
}

#[tokio::test]
async fn an_instance_can_be_made_to_fail_while_it_says_that_it_is_well() {
    let shop = Shop::open("shop-1").await;
    assert_eq!(turn(&shop, "/_demo/failing", r#"{"value": true}"#, "").await.status(), 204);
    for path in ["/", "/api/cart", "/images/7.svg"] {
        assert_eq!(shop.get(path).await.status(), 500, "{path}");
    }
    assert_eq!(shop.get("/health").await.status(), 200);
    turn(&shop, "/_demo/failing", r#"{"value": false}"#, "").await;
    assert_eq!(shop.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_price_can_be_set_and_shows_everywhere() {
    let shop = Shop::open("shop-1").await;
    let before = shop.get("/api/prices/7").await;
    assert_eq!(before.json()["price"], 109.0);
    assert_eq!(turn(&shop, "/_demo/price", r#"{"product": 7, "price": 98.9}"#, "").await.status(), 204);
    for path in ["/", "/products", "/products/7", "/deal"] {
        assert!(shop.get(path).await.text().contains(r#"data-price="7">€ 98.90<"#), "{path}");
    }
    let after = shop.get("/api/prices/7").await;
    assert_eq!(
        (&after.json()["price"], &shop.get("/api/products/7").await.json()["price"]),
        (&98.9.into(), &98.9.into())
    );
    assert_ne!(before.header("etag"), after.header("etag"));

    for wrong in [r#"{"product": 99, "price": 1}"#, r#"{"product": 7, "price": -1}"#, r#"{"product": 7}"#] {
        assert_eq!(turn(&shop, "/_demo/price", wrong, "").await.status(), 422, "{wrong}");
    }
    assert_eq!(shop.get("/api/prices/7").await.json()["price"], 98.9);
}

#[tokio::test]
async fn without_the_token_there_are_no_controls() {
    let shop = Shop::open_with("shop-1", Some("open sesame")).await;
    for token in ["", "open", "open sesame!"] {
        for control in ["/_demo/slow", "/_demo/unhealthy", "/_demo/failing", "/_demo/price"] {
            assert_eq!(
                turn(&shop, control, r#"{"value": true, "ms": 5, "product": 7, "price": 1}"#, token)
                    .await
                    .status(),
                404
            );
        }
    }
    assert_eq!(shop.get("/_demo/slow").await.status(), 404);
    assert_eq!(turn(&shop, "/_demo/unhealthy", r#"{"value": true}"#, "open sesame").await.status(), 204);
    assert_eq!(shop.get("/health").await.status(), 503);
}
