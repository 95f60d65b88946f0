//! HTTP/2 requests that are none, or that would be others once they are written as HTTP/1.1.

use crate::support::{Deepwater, Origin};

use super::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PROTOCOL_ERROR, RST_STREAM, block, frame, get,
};

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// An ordinary request with one field in another's place, or without it.
fn with<'a>(name: &str, value: Option<&'a [u8]>) -> Fields<'a> {
    let mut fields = get("/");
    let at = fields.iter().position(|(known, _)| *known == name).unwrap();
    match value {
        Some(value) => fields[at].1 = value,
        None => drop(fields.remove(at)),
    }
    fields
}

/// An ordinary request with one more field.
fn and<'a>(name: &'a str, value: &'a [u8]) -> Fields<'a> {
    let mut fields = get("/");
    fields.push((name, value));
    fields
}

/// How the edge took it.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Reset,
    Status(u16),
    Ended,
}

async fn taken(edge: &Deepwater, request: &[u8]) -> Taken {
    let mut client = Frames::to(edge).await;
    client.send(request).await;
    loop {
        match client.next().await {
            Some(frame) if frame.kind == RST_STREAM => {
                assert_eq!(frame.code(), PROTOCOL_ERROR);
                return Taken::Reset;
            }
            Some(frame) if frame.kind == HEADERS => return Taken::Status(frame.status()),
            Some(frame) if frame.kind == GOAWAY => {
                assert_ne!(frame.code(), 0, "it was no goodbye among friends");
                return Taken::Ended;
            }
            Some(_) => {}
            None => panic!("the edge left without a word"),
        }
    }
}

async fn none_of_them_gets_through(attempts: &[(&str, Fields<'_>, Taken)]) {
    let origin = Origin::named("fooled").await;
    let edge = Deepwater::fronting(&origin).await;
    for (what, fields, expected) in attempts {
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
        assert_eq!(taken(&edge, &request).await, *expected, "{what}");
        assert!(origin.heard().is_empty(), "{what}: {:?}", origin.heard());
    }
    let honest = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&get("/")));
    assert_eq!(taken(&edge, &honest).await, Taken::Status(200));
}

#[tokio::test]
async fn pseudo_fields_must_be_those_of_a_request() {
    let after = || {
        let mut fields = get("/");
        fields.insert(2, ("x", b"y"));
        fields
    };
    none_of_them_gets_through(&[
        ("no method", with(":method", None), Taken::Reset),
        ("no scheme", with(":scheme", None), Taken::Reset),
        ("no path", with(":path", None), Taken::Reset),
        ("an empty path", with(":path", Some(b"")), Taken::Reset),
        ("no authority", with(":authority", None), Taken::Status(400)),
        ("two methods", and(":method", b"GET"), Taken::Reset),
        ("two paths", and(":path", b"/smuggled"), Taken::Reset),
        ("two authorities", and(":authority", b"b"), Taken::Reset),
        ("one after a field", after(), Taken::Reset),
        ("an unknown one", and(":smuggled", b"x"), Taken::Ended),
        ("that of an answer", and(":status", b"200"), Taken::Reset),
        ("a protocol", and(":protocol", b"websocket"), Taken::Reset),
    ])
    .await;
}

#[tokio::test]
async fn fields_that_belong_to_http_1_are_refused() {
    none_of_them_gets_through(&[
        ("connection", and("connection", b"close"), Taken::Reset),
        ("a coding", and("transfer-encoding", b"chunked"), Taken::Reset),
        ("keep-alive", and("keep-alive", b"timeout=5"), Taken::Reset),
        ("proxy-connection", and("proxy-connection", b"close"), Taken::Reset),
        ("an upgrade", and("upgrade", b"websocket"), Taken::Reset),
        ("te", and("te", b"chunked"), Taken::Reset),
        ("a name in upper case", and("Content-Length", b"5"), Taken::Ended),
    ])
    .await;
}

#[tokio::test]
async fn what_would_be_another_message_over_http_1_is_refused() {
    none_of_them_gets_through(&[
        ("CR LF in a value", and("x", b"y\r\ntransfer-encoding: chunked"), Taken::Ended),
        ("a bare LF in a value", and("x", b"y\nz: 1"), Taken::Ended),
        ("a bare CR in a value", and("x", b"y\rz"), Taken::Ended),
        ("a NUL in a value", and("x", b"y\0"), Taken::Ended),
        ("CR LF in a name", and("x: y\r\nz", b"1"), Taken::Ended),
        ("a colon in a name", and("x:", b"1"), Taken::Ended),
        ("a quote in a name", and("x\"", b"1"), Taken::Status(400)),
        ("a blank in a name", and("transfer-encoding ", b"chunked"), Taken::Ended),
        ("a blank before a value", and("x", b" y"), Taken::Status(400)),
        ("a tab behind a value", and("x", b"y\t"), Taken::Status(400)),
        ("blanks in the path", with(":path", Some(b"/ HTTP/1.1")), Taken::Reset),
        ("CR LF in the path", with(":path", Some(b"/ HTTP/1.1\r\nhost: b\r\n\r\n")), Taken::Reset),
        ("a path without a slash", with(":path", Some(b"smuggled")), Taken::Reset),
        ("a whole address as path", with(":path", Some(b"http://b/smuggled")), Taken::Reset),
        ("a query without a path", with(":path", Some(b"?smuggled")), Taken::Status(400)),
        ("an asterisk that is not for OPTIONS", with(":path", Some(b"*")), Taken::Status(400)),
        ("a line as method", with(":method", Some(b"GET /smuggled HTTP/1.1\r\nx:")), Taken::Ended),
        ("CR LF in the authority", with(":authority", Some(b"a\r\nx: y")), Taken::Reset),
        ("a user in the authority", with(":authority", Some(b"user@a")), Taken::Status(400)),
        ("a path in the authority", with(":authority", Some(b"a/b")), Taken::Reset),
        ("another host", and("host", b"b"), Taken::Status(400)),
        ("a length beside no body", and("content-length", b"5"), Taken::Reset),
        ("a length with a sign", and("content-length", b"+0"), Taken::Reset),
    ])
    .await;
}

#[tokio::test]
async fn a_length_comes_once() {
    let origin = Origin::named("fooled").await;
    let edge = Deepwater::fronting(&origin).await;
    for (second, expected) in [("5", Taken::Status(400)), ("4", Taken::Reset)] {
        let mut fields = with(":method", Some(b"POST"));
        fields.extend([("content-length", &b"5"[..]), ("content-length", second.as_bytes())]);
        let request =
            [frame(HEADERS, END_HEADERS, 1, &block(&fields)), frame(DATA, END_STREAM, 1, b"hello")].concat();
        assert_eq!(taken(&edge, &request).await, expected, "5 and {second}");
    }
    assert!(origin.heard().is_empty(), "{:?}", origin.heard());
}
