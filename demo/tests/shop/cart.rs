use hyper::Request;

use crate::client::{Answer, Shop};

async fn add(shop: &Shop, cookie: &str, item: &str) -> Answer {
    let request = Request::post("/api/cart/items").header("content-type", "application/json");
    shop.send_body(request.header("cookie", cookie), item).await
}

async fn quantity(shop: &Shop, cookie: &str) -> u64 {
    let cart = shop.send(Request::get("/api/cart").header("cookie", cookie)).await.json();
    cart["items"].as_array().unwrap().iter().map(|item| item["quantity"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_cart_lives_in_one_instance() {
    let (here, there) = (Shop::open("shop-1").await, Shop::open("shop-2").await);

    let added = add(&here, "", r#"{"product": 4, "quantity": 2}"#).await;
    assert_eq!(added.status(), 201);
    assert!(added.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
    assert_eq!(added.header("cache-control"), "private, no-store");
    let cookie = added.cookie().to_owned();
    let again = add(&here, &cookie, r#"{"product": 1}"#).await;
    assert_eq!(again.cookie(), cookie, "the session stays");
    assert_eq!(again.json()["instance"], "shop-1");

    assert_eq!(quantity(&here, &cookie).await, 3);
    assert_eq!(quantity(&there, &cookie).await, 0, "another instance knows nothing of it");
    assert_ne!(add(&there, &cookie, r#"{"product": 1}"#).await.cookie(), cookie);

    let remove = |path: &'static str| Request::delete(path).header("cookie", &cookie);
    assert_eq!(here.send(remove("/api/cart/items/4")).await.status(), 200);
    assert_eq!(here.send(remove("/api/cart/items/4")).await.status(), 404);
    assert_eq!(quantity(&here, &cookie).await, 1);
}

#[tokio::test]
async fn a_cart_works_without_scripts() {
    let shop = Shop::open("shop-1").await;
    let form = || Request::post("/cart").header("content-type", "application/x-www-form-urlencoded");
    let added = shop.send_body(form(), "product=6&quantity=1").await;
    assert_eq!((added.status(), added.header("location")), (303, "/cart"));

    let with_cookie = |request: hyper::http::request::Builder| request.header("cookie", added.cookie());
    let page = shop.send(with_cookie(Request::get("/cart"))).await;
    assert!(page.text().contains("Cloudbank blanket"));
    assert!(page.text().contains("Kept in the memory of <strong>shop-1</strong>"));

    let bought = shop.send(with_cookie(Request::post("/checkout"))).await;
    assert_eq!(bought.status(), 201);
    assert!(bought.text().contains("Thank you."));
    assert!(shop.send(with_cookie(Request::get("/cart"))).await.text().contains("Nothing in it yet."));
    assert_eq!(shop.send_body(form(), "product=999").await.status(), 404);
}

#[tokio::test]
async fn what_a_cart_cannot_hold_is_refused() {
    let shop = Shop::open("shop-1").await;
    for (item, status) in [
        (r#"{"product": 1, "quantity": 0}"#, 422),
        (r#"{"product": 1, "quantity": 100}"#, 422),
        (r#"{"product": 1000}"#, 404),
        (r#"{"quantity": 1}"#, 422),
        ("not json", 400),
    ] {
        let refused = add(&shop, "", item).await;
        assert_eq!(refused.status(), status, "{item}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.header("set-cookie"), "");
    }
    let huge = format!(r#"{{"product": 1, "note": "{}"}}"#, "x".repeat(20_000));
    assert_eq!(add(&shop, "", &huge).await.status(), 413);
}
