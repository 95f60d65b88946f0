//! Texts with names: none brings the compiler down, and nothing of a request makes one a second line.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use deepwater_edge::head::Request;
use deepwater_edge::http1::parse;
use deepwater_edge::route::{Captures, Template, Values};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|b| *b == b'\n') else { return };
    let (text, head) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(template) = Template::parse(text, &["id"]) else { return };
    let mut request = Request::default();
    let Ok(Some(_)) = parse::request(head, &mut request) else { return };
    let (mut out, captures) = (Vec::new(), Captures::default());
    template.render(&mut out, &Values::of(&request, IpAddr::V4(Ipv4Addr::LOCALHOST), &captures));
    assert!(!out.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{}", out.escape_ascii());
});
