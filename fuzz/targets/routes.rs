//! No pattern brings the table of routes down, and what it captures of a path is in the path.
#![no_main]

use deepwater_edge::config::{Match, Route};
use deepwater_edge::head::Request;
use deepwater_edge::http1::parse;
use deepwater_edge::route::{Captures, RouteTable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(4, |b| *b == b'\n').map(std::str::from_utf8);
    let (Some(Ok(host)), Some(Ok(first)), Some(Ok(second))) = (lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    let Some(Ok(head)) = lines.next() else { return };
    let route = |path: &str, host: Option<&str>| Route {
        r#match: Match { path: Some(path.into()), host: host.map(Into::into), ..Match::default() },
        ..Route::default()
    };
    let Ok(table) = RouteTable::build(&[route(first, Some(host)), route(second, None)]) else { return };
    let _ = table.unreachable();
    let mut request = Request::default();
    let Ok(Some(_)) = parse::request(head.as_bytes(), &mut request) else { return };
    let mut captures = Captures::default();
    if let Ok(Some(index)) = table.find(&request, &mut captures) {
        for at in 0..table.names(index).len() {
            let part = captures.get(at);
            assert!(captures.path(&request).windows(part.len().max(1)).any(|w| w == part) || part.is_empty());
        }
        assert!(captures.path(&request).ends_with(captures.below(&request)));
    }
});
