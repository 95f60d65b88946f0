use http_body_util::BodyExt;
use hyper::Request;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Shop, within};

#[tokio::test]
async fn requests_under_way_are_finished_and_the_port_is_free_again() {
    let shop = Shop::open("shop-1").await;
    let address = shop.address;
    let report = shop.begin(Request::get("/api/report?seconds=0.3"), "").await;

    let closed = shop.close();
    let whole = within(report.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(whole.iter().filter(|&&byte| byte == b'\n').count(), 25, "the report is whole");
    closed.await;

    assert!(TcpStream::connect(address).await.is_err());
    TcpListener::bind(address).await.unwrap();
}
