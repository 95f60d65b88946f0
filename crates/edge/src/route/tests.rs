//! The table against a matcher so naive that it is plainly right.

use std::collections::BTreeMap;

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::config::Match;

fn route(host: Option<&str>, path: Option<&str>) -> config::Route {
    let r#match = Match { host: host.map(str::to_owned), path: path.map(str::to_owned), ..Match::default() };
    config::Route { r#match, ..config::Route::default() }
}

fn table(paths: &[&str]) -> RouteTable {
    let routes: Vec<_> = paths.iter().map(|path| route(None, Some(path))).collect();
    RouteTable::build(&routes).expect("valid routes")
}

fn request(authority: &str, target: &str) -> Request {
    let mut request = Request::default();
    request.set_target(target.as_bytes());
    request.set_authority(authority.as_bytes());
    request
}

fn found(table: &RouteTable, target: &str) -> Option<usize> {
    table.find(&request("shop", target), &mut Captures::default()).expect("a good path")
}

#[test]
fn the_first_match_wins() {
    let table = table(&["/a/{x}", "/a/b", "/a/*", "/*"]);
    assert_eq!(found(&table, "/a/b"), Some(0));
    assert_eq!(found(&table, "/a/b/c"), Some(2));
    assert_eq!(found(&table, "/z"), Some(3));
    let reversed = self::table(&["/*", "/a/b"]);
    assert_eq!(found(&reversed, "/a/b"), Some(0));
    assert_eq!(reversed.unreachable(), [(1, 0)]);
}

#[test]
fn prefixes_match_themselves_and_trailing_slashes_count() {
    let table = table(&["/a", "/b/", "/c/*", "/d/{x}", "/e/{rest*}"]);
    for (target, expected) in [
        ("/a", Some(0)),
        ("/a?q", Some(0)),
        ("/a/", None),
        ("/b", None),
        ("/b/", Some(1)),
        ("/c", Some(2)),
        ("/c/", Some(2)),
        ("/c/x/y", Some(2)),
        ("/cx", None),
        ("/d", None),
        ("/d/", None),
        ("/d/x", Some(3)),
        ("/d/x/", None),
        ("/e", Some(4)),
        ("/e/x/", Some(4)),
        ("/", None),
    ] {
        assert_eq!(found(&table, target), expected, "{target}");
    }
}

#[test]
fn no_spelling_of_a_path_slips_past_its_route() {
    let table = table(&["/admin/*", "/*"]);
    for target in
        ["/%61dmin", "/x/../admin/", "//admin", "/./admin/x", "/admin/%2e%2e/admin", "/x/%2E%2e/admin"]
    {
        assert_eq!(found(&table, target), Some(0), "{target}");
    }
    assert_eq!(found(&table, "/admin/.."), Some(1));
    assert_eq!(table.find(&request("a", "/a/../.."), &mut Captures::default()), Err(BadPath::AboveRoot));
}

#[test]
fn what_can_be_read_as_a_path_of_another_route_takes_none() {
    let table = table(&["/admin/*", "/projects/*", "/users/{name}", "/exact", "/open/*", "/*"]);
    let find = |target: &str| table.find(&request("shop", target), &mut Captures::default());
    for target in [
        "/admin%2fx",
        "/admin%2Fx?y",
        "/admin%5Cx",
        "/admin\\x",
        "/x%2f..%2fadmin/",
        "/admin;x",
        "/admin;x/y",
        "/admin%3Bx",
        "/;/admin",
        "/x/..;/admin",
        "/open/..;/admin",
        "/open/..%2fadmin",
        "/open/%2e%2e%5cadmin",
        "/admin/..%2fx",
        "/users/a%2fb",
        "/exact;x",
        "/exact;x%2fy",
        // A server that cuts before it decodes sees `/exact`, another `/exact/y`.
        "/exact;%2fy",
        "/..%2f..%2f",
        // Decoded before dot segments are resolved, or after.
        "/admin/y%2Fz/../../open",
        "/open/a%2fb/../..%2fadmin",
    ] {
        assert_eq!(find(target), Err(BadPath::Ambiguous), "{target}");
    }
    for (target, route) in [
        ("/projects/a%2fb", 1),
        ("/projects/a%2Fb/c%5Cd;e=f", 1),
        ("/projects/a;b/c", 1),
        ("/admin/a%2f..%2fb", 0),
        ("/users/a;b", 2),
        ("/x%2fy;z", 5),
        ("/exact?a;b%2fc", 3),
        ("/admi%6e;x/..", 5),
    ] {
        assert_eq!(find(target), Ok(Some(route)), "{target}");
    }
    // What no route takes is passed on by none; what a reading takes out of all routes is as much another's.
    let narrow = self::table(&["/public/{name}"]);
    let find = |target: &str| narrow.find(&request("shop", target), &mut Captures::default());
    assert_eq!(find("/private%2fx"), Ok(None));
    assert_eq!(find("/public/..%2fprivate"), Err(BadPath::Ambiguous));
    assert_eq!(find("/public/a;v=1"), Ok(Some(0)));
}

#[test]
fn hosts_are_compared_without_case_and_port() {
    let routes = [
        route(Some("Shop.example"), None),
        route(Some("*.shop.example"), None),
        route(Some("*.eu.shop.example"), None),
        route(Some("[::1]"), None),
        route(None, Some("/health")),
    ];
    let table = RouteTable::build(&routes).unwrap();
    let find = |host: &str, target| table.find(&request(host, target), &mut Captures::default()).unwrap();
    assert_eq!(find("SHOP.EXAMPLE:8080", "/"), Some(0));
    assert_eq!(find("shop.example.", "/"), Some(0));
    assert_eq!(find("a.b.Shop.example", "/"), Some(1));
    assert_eq!(find("a.eu.shop.example", "/"), Some(1));
    assert_eq!(find("xshop.example", "/"), None);
    assert_eq!(find("[::1]:80", "/"), Some(3));
    assert_eq!(find("", "/health"), Some(4));
    assert_eq!(find("shop.example", "/health"), Some(0));
    assert_eq!(table.unreachable(), [(2, 1)]);
}

#[test]
fn requests_without_a_path_take_routes_for_everything() {
    let routes = [route(None, Some("/")), route(None, Some("/{rest*}")), route(None, None)];
    let table = RouteTable::build(&routes).unwrap();
    assert_eq!((found(&table, "*"), found(&table, ""), found(&table, "/")), (Some(2), Some(2), Some(0)));
    assert_eq!(self::table(&["/a/*"]).find(&request("a", "*"), &mut Captures::default()), Ok(None));
}

#[test]
fn names_capture_what_they_match_still_encoded() {
    let table = table(&["/products/{id}/reviews/{review}", "/files/{rest*}", "/docs/*", "/robots.txt"]);
    let mut captures = Captures::default();
    let mut capture = |target: &str| {
        let request = request("shop", target);
        let route = table.find(&request, &mut captures).unwrap().expect("a route");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let names: Vec<_> = (0..table.names(route).len()).map(|at| text(captures.get(at))).collect();
        (names.join(" "), text(captures.below(&request)))
    };
    assert_eq!(capture("/products/a%C3%A9b/reviews/7?x").0, "a%C3%A9b 7");
    assert_eq!(capture("/files/a/b%20c/"), ("a/b%20c/".into(), "a/b%20c/".into()));
    assert_eq!(capture("/files"), (String::new(), String::new()));
    assert_eq!(capture("/docs/guide/"), (String::new(), "guide/".into()));
    assert_eq!(capture("/docs//x/../y"), (String::new(), "y".into()));
    assert_eq!(capture("/robots.txt"), (String::new(), "robots.txt".into()));
}

#[test]
fn every_fault_of_every_route_is_told() {
    let faulty = |written: Match| config::Route { r#match: written, ..config::Route::default() };
    let some = |text: &str| Some(text.to_owned());
    let problems = RouteTable::build(&[
        faulty(Match { host: some("a:80"), path: some("b"), method: some("get"), ..Match::default() }),
        route(None, Some("/good")),
        faulty(Match { header: BTreeMap::from([("a b".into(), "c".into())]), ..Match::default() }),
    ])
    .unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| (problem.route, problem.key)).collect();
    assert_eq!(told, [(0, "match.method"), (0, "match.host"), (0, "match.path"), (2, "match.header")]);
}

/// A route as the naive matcher sees it: the texts as written.
fn matches_naively(written: &Match, request: &Request, path: &str) -> bool {
    let authority = String::from_utf8_lossy(request.authority()).to_lowercase();
    let name = authority.split(':').next().unwrap_or_default();
    let host = written.host.as_deref().is_none_or(|host| match host.strip_prefix('*') {
        Some(domain) => name.ends_with(domain),
        None => name == host,
    });
    let pathless = !path.starts_with('/');
    let path_fits = match written.path.as_deref() {
        None | Some("/*") => true,
        Some(pattern) => !pathless && segments_match(pattern, path),
    };
    let method =
        written.method.as_deref().is_none_or(|methods| methods.split(' ').any(|m| m == request.method));
    let header = written.header.iter().all(|(name, value)| {
        request.fields.get(name.as_bytes()).is_some_and(|found| value == "*" || found == value.as_bytes())
    });
    host && path_fits && method && header
}

fn segments_match(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern[1..].split('/'), path[1..].split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (Some(tail), _) if tail == "*" || tail.ends_with("*}") => return true,
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
            (Some(literal), Some(segment)) if literal == segment => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

fn any_path_pattern() -> impl Strategy<Value = Option<String>> {
    let segment = prop::sample::select(vec!["a", "b", "c", "{}", ""]);
    let tail = prop::sample::select(vec!["", "", "/*", "/{rest*}", "/"]);
    (prop::collection::vec(segment, 0..4), tail, any::<u8>()).prop_map(|(segments, tail, none)| {
        let mut pattern = String::new();
        for (at, segment) in segments.iter().filter(|segment| !segment.is_empty()).enumerate() {
            pattern +=
                &format!("/{}", if *segment == "{}" { format!("{{n{at}}}") } else { (*segment).to_owned() });
        }
        pattern += tail;
        (none > 20).then_some(if pattern.is_empty() { "/".into() } else { pattern })
    })
}

fn any_route() -> impl Strategy<Value = Match> {
    let host = prop::sample::select(vec![None, None, Some("x.y"), Some("z"), Some("*.y"), Some("*.x.y")]);
    let method = prop::sample::select(vec![None, None, None, Some("GET"), Some("POST GET"), Some("PUT")]);
    let header = prop::sample::select(vec![None, None, None, Some("1"), Some("*")]);
    (host, any_path_pattern(), method, header).prop_map(|(host, path, method, header)| Match {
        host: host.map(str::to_owned),
        path,
        method: method.map(str::to_owned),
        header: header.map(|value| ("x-flag".to_owned(), value.to_owned())).into_iter().collect(),
        query: BTreeMap::new(),
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let host = prop::sample::select(vec!["x.y", "X.Y:80", "q.x.y", "z", "other", ""]);
    let method = prop::sample::select(vec![Method::GET, Method::POST, Method::PUT]);
    let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d", "."]), 0..5);
    let header = prop::sample::select(vec![None, Some("1"), Some("2")]);
    (host, method, segments, any::<bool>(), header, 0u8..20).prop_map(
        |(host, method, segments, slash, header, form)| {
            let mut path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            if slash || path.is_empty() {
                path.push('/');
            }
            let target = match form {
                0 => "*".to_owned(),
                1 => String::new(),
                _ => path,
            };
            let mut request = request(host, &target);
            request.method = method;
            if let Some(value) = header {
                request.fields.add(b"X-Flag", value.as_bytes());
            }
            request
        },
    )
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_naive_matcher(
        written in prop::collection::vec(any_route(), 0..24),
        requests in prop::collection::vec(any_request(), 1..24),
    ) {
        let routes: Vec<_> =
            written.iter().map(|m| config::Route { r#match: m.clone(), ..config::Route::default() }).collect();
        let table = RouteTable::build(&routes).unwrap();
        let unreachable: Vec<usize> = table.unreachable().into_iter().map(|(route, _)| route).collect();
        let mut captures = Captures::default();
        for request in &requests {
            let found = table.find(request, &mut captures).unwrap();
            let path = String::from_utf8(captures.path(request).to_vec()).unwrap();
            let expected = written.iter().position(|m| matches_naively(m, request, &path));
            prop_assert_eq!(found, expected, "{} {}", path, String::from_utf8_lossy(request.authority()));
            prop_assert!(found.is_none_or(|route| !unreachable.contains(&route)));
        }
    }
}
