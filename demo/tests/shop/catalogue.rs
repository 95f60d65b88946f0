use std::time::{Duration, Instant};

use hyper::Request;

use crate::client::Shop;

#[tokio::test]
async fn a_visitor_looks_around() {
    let shop = Shop::open("shop-7").await;

    let home = shop.get("/").await;
    assert_eq!(home.status(), 200);
    assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(home.header("x-shop-instance"), "shop-7");
    assert!(home.text().contains("This page came from <strong>shop-7</strong>"));
    assert!(home.text().contains(r#"href="/products/2""#));

    let shelf = shop.get("/products?category=light").await;
    assert!(shelf.text().contains("Larch lantern"));
    assert!(!shelf.text().contains("Trail axe"));

    let lantern = shop.get("/products/2").await;
    assert_eq!(lantern.status(), 200);
    assert!(lantern.text().contains("<h1>Larch lantern</h1>"));
    assert!(lantern.text().contains(r#"action="/cart""#), "the cart works without scripts");
    assert!(shop.get("/products/11").await.text().contains("Whittler's knife"));

    let head = shop.send(Request::head("/products/2")).await;
    assert_eq!((head.status(), head.bytes()), (200, &b""[..]));
}

#[tokio::test]
async fn a_page_is_tagged_with_every_product_it_shows() {
    let shop = Shop::open("shop-1").await;
    for (path, shown) in [("/", 14), ("/products", 24), ("/products/2", 4), ("/products?category=tools", 4)] {
        let page = shop.get(path).await;
        let tags: Vec<_> = page.header("surrogate-key").split(' ').collect();
        assert_eq!((tags[0], tags.len()), ("catalogue", 1 + shown), "{path}: {tags:?}");
        for tag in &tags[1..] {
            let number = tag.strip_prefix("product:").unwrap();
            assert!(
                page.text().contains(&format!("-price=\"{number}\""))
                    || page.text().contains(&format!("-product=\"{number}\""))
            );
        }
    }
    for path in ["/deal", "/api/products/7"] {
        assert_eq!(shop.get(path).await.header("surrogate-key"), "catalogue product:7", "{path}");
    }
    assert!(shop.get("/api/products").await.header("surrogate-key").contains(" product:7 "));
}

#[tokio::test]
async fn the_deal_is_dear_to_make_and_the_same_for_everyone() {
    let shop = Shop::open("shop-1").await;
    let begun = Instant::now();
    let deal = shop.get("/deal").await;
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert_eq!((deal.status(), deal.header("cache-control")), (200, "public, max-age=2"));
    assert!(
        deal.text().contains("€ 109.00") && deal.text().contains(" left, counted at "),
        "{}",
        deal.text()
    );
}

#[tokio::test]
async fn a_listing_is_a_page_or_json() {
    let shop = Shop::open("shop-1").await;
    let page = shop.get("/products").await;
    let json = shop.send(Request::get("/products").header("accept", "application/json")).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!((page.header("vary"), json.header("vary")), ("accept", "accept"));

    assert_eq!(json.json().as_array().unwrap().len(), 24);
    assert_eq!(shop.get("/api/products?category=tools").await.json().as_array().unwrap().len(), 4);
    let kettle = shop.get("/api/products/3").await.json();
    assert_eq!(kettle["name"], "Slow morning kettle");
    assert_eq!(kettle["image"], "/images/3.svg");
    assert!(kettle["price"].as_f64().unwrap() > 40.0);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_clients_language() {
    let shop = Shop::open("shop-1").await;
    for path in ["/nowhere", "/products/25", "/products/x", "/products?category=cars"] {
        let page = shop.get(path).await;
        assert_eq!((page.status(), page.header("content-type")), (404, "text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("x-shop-instance"), "shop-1");
    }
    for path in ["/api/nowhere", "/api/products/0", "/api/prices/99", "/images/1.gif"] {
        let problem = shop.get(path).await;
        assert_eq!(
            (problem.status(), problem.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_price_can_be_cached_tagged_and_revalidated() {
    let shop = Shop::open("shop-1").await;
    let price = shop.get("/api/prices/5").await;
    assert_eq!(price.header("cache-control"), "max-age=2");
    assert_eq!(price.header("surrogate-key"), "product:5 pricing");
    assert!(price.json()["price"].as_f64().unwrap() > 0.0);

    let again = shop.send(Request::get("/api/prices/5").header("if-none-match", price.header("etag"))).await;
    // The price may have changed in between; then the tag has as well.
    let expected = if again.header("etag") == price.header("etag") { 304 } else { 200 };
    assert_eq!(again.status(), expected);
}

#[tokio::test]
async fn recommendations_are_of_the_same_shelf_and_dear() {
    let shop = Shop::open("shop-1").await;
    let start = Instant::now();
    let answer = shop.get("/api/recommendations/2").await;
    assert_eq!((answer.status(), answer.header("cache-control")), (200, "private, no-store"));
    assert!(start.elapsed() >= Duration::from_millis(150));
    let others = answer.json()["others"].as_array().unwrap().clone();
    assert!(others.len() >= 2 && !others.contains(&2.into()), "{others:?}");
    assert_eq!(shop.get("/api/recommendations/99").await.status(), 404);
}
