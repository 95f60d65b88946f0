use http_body_util::BodyExt;
use hyper::Request;

use crate::client::{Shop, within};

#[tokio::test]
async fn a_picture_is_fetched_once_and_then_confirmed() {
    let (here, there) = (Shop::open("shop-1").await, Shop::open("shop-2").await);
    for (path, media_type, magic) in [
        ("/images/9.svg", "image/svg+xml", &b"<svg"[..]),
        ("/images/9.png", "image/png", &b"\x89PNG\r\n"[..]),
    ] {
        let picture = here.get(path).await;
        assert_eq!((picture.status(), picture.header("content-type")), (200, media_type));
        assert_eq!(picture.header("cache-control"), "public, max-age=3600");
        assert!(picture.bytes().starts_with(magic));

        let by_tag = Request::get(path).header("if-none-match", picture.header("etag"));
        let by_date = Request::get(path).header("if-modified-since", picture.header("last-modified"));
        for conditional in [by_tag, by_date] {
            let confirmed = there.send(conditional).await;
            assert_eq!((confirmed.status(), confirmed.bytes()), (304, &b""[..]), "instances agree");
            assert_eq!(confirmed.header("etag"), picture.header("etag"));
        }
        let other = Request::get(path).header("if-none-match", "\"another\"");
        assert_eq!(here.send(other).await.status(), 200);
    }
}

#[tokio::test]
async fn a_report_arrives_row_by_row() {
    let shop = Shop::open("shop-1").await;
    let report = shop.begin(Request::get("/api/report?seconds=0.25"), "").await;
    assert_eq!(report.headers()["transfer-encoding"], "chunked");
    assert_eq!(report.headers()["content-type"], "text/csv; charset=utf-8");

    let mut body = report.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = within(body.frame()).await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert!(pieces.len() > 5, "it came in {} pieces", pieces.len());
    let text = String::from_utf8(pieces.concat()).unwrap();
    assert!(text.starts_with("product,name,price,sold_today\n1,Ridgeline 2 tent,"));
    assert_eq!(text.lines().count(), 25);

    for bad in ["-1", "NaN", "soon"] {
        assert_eq!(shop.get(&format!("/api/report?seconds={bad}")).await.status(), 400);
    }
}
