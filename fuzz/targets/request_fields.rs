//! Whatever a client's fields say, what goes to the origin is well-formed and says who asked.
#![no_main]

use deepwater_core::random::Random;
use deepwater_edge::fuzzing::{clean, cookie};
use deepwater_edge::head::Request;
use deepwater_edge::http1::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::default();
    let head = [b"GET / HTTP/1.1\r\nHost: a\r\n", bytes, b"\r\n\r\n"].concat();
    let Ok(Some(_)) = parse::request(&head, &mut request) else { return };
    if let Some(value) = cookie(&request.fields, b"lb") {
        assert!(!value.contains(&b';'));
    }
    let client = clean(&mut request, &mut Random::from_seed(1));
    assert_eq!(client, client.to_canonical());
    let only = |name: &[u8]| {
        let mut values = request.fields.iter().filter(|(_, n, _)| n.eq_ignore_ascii_case(name));
        let value = values.next().expect("it is there").2;
        assert!(values.next().is_none(), "it is there once");
        value
    };
    assert!((1..=128).contains(&only(b"x-request-id").len()));
    assert!(only(b"traceparent").len() >= 55);
    assert!(only(b"x-forwarded-for").ends_with(b"10.0.0.1"));
    for (_, name, value) in request.fields.iter() {
        assert!(
            !name.eq_ignore_ascii_case(b"connection") && !name.eq_ignore_ascii_case(b"transfer-encoding")
        );
        assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
});
