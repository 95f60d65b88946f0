use hyper::Request;

use crate::client::Shop;

#[tokio::test]
async fn a_token_from_one_instance_is_good_on_another() {
    let (here, there) = (Shop::open("shop-1").await, Shop::open("shop-2").await);
    let login = here.post_json("/api/login", r#"{"user": "grace", "password": "hopper"}"#).await;
    assert_eq!(login.status(), 200);
    let token = login.json()["token"].as_str().unwrap().to_owned();

    let me = there.send(Request::get("/api/me").header("authorization", format!("Bearer {token}"))).await;
    assert_eq!(me.status(), 200);
    assert_eq!(me.json()["sub"], "grace");
    assert_eq!(me.json()["iss"], "shop");
    assert_eq!(me.json()["roles"], serde_json::json!(["customer", "staff"]));
}

#[tokio::test]
async fn without_a_good_token_nobody_is_anyone() {
    let shop = Shop::open("shop-1").await;
    let wrong = shop.post_json("/api/login", r#"{"user": "ada", "password": "guess"}"#).await;
    assert_eq!(wrong.status(), 401);
    for authorization in ["", "Bearer", "Bearer a.b.c", "Basic YWRhOmxvdmVsYWNl"] {
        let me = shop.send(Request::get("/api/me").header("authorization", authorization)).await;
        assert_eq!((me.status(), me.header("www-authenticate")), (401, r#"Bearer realm="shop""#));
    }
}
