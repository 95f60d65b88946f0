use super::*;
use crate::rules::freshen;
use crate::rules::testing::{NOW, fields};
use proptest::prelude::*;

const TIMES: Times = Times { sent_ms: NOW - 100, received_ms: NOW };
const HOUR: Duration = Duration::from_secs(3_600);

type List<'a> = &'a [(&'a str, &'a str)];

fn stored_by(
    policy: &Policy,
    request: List<'_>,
    status: u16,
    response: List<'_>,
) -> Result<Storable, NotStored> {
    let (request, response) = (fields(request), fields(response));
    let request = Request { method: &Method::GET, fields: &request };
    store(request, Response { status, fields: &response }, policy, TIMES)
}

fn stored(request: List<'_>, status: u16, response: List<'_>) -> Result<Storable, NotStored> {
    stored_by(&Policy::default(), request, status, response)
}

/// What becomes of a 200 with that `Cache-Control` and more fields.
fn control(control: &str, more: List<'_>) -> Result<Storable, NotStored> {
    stored(&[], 200, &[&[("Cache-Control", control)], more].concat())
}

fn lifetime_s(result: Result<Storable, NotStored>) -> Result<u64, NotStored> {
    Ok(result?.meta.lifetime_ms / 1_000)
}

const ETAG: (&str, &str) = ("ETag", "\"a\"");
const FRESH: (&str, &str) = ("Cache-Control", "max-age=60");
const OLD: (&str, &str) = ("Last-Modified", "@-1000");

#[test]
fn only_gets_without_content() {
    let response = fields(&[FRESH]);
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
        let request = Request { method: &method, fields: &fields(&[]) };
        let result = store(request, Response { status: 200, fields: &response }, &Policy::default(), TIMES);
        assert_eq!(result, Err(NotStored::Method), "{method}");
    }
    for content in [("Content-Length", "5"), ("Content-Length", "x"), ("Transfer-Encoding", "chunked")] {
        assert_eq!(stored(&[content], 200, &[FRESH]), Err(NotStored::RequestContent));
    }
    assert!(stored(&[("Content-Length", "0")], 200, &[FRESH]).is_ok());
}

#[test]
fn statuses() {
    let explicit: Vec<u16> =
        [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599]
            .into_iter()
            .filter(|status| stored(&[], *status, &[FRESH]).is_err())
            .collect();
    assert!(explicit.is_empty(), "{explicit:?}");
    for (status, expected) in [
        (100, NotStored::NotFinal),
        (103, NotStored::NotFinal),
        (304, NotStored::NotModified),
        (412, NotStored::AnswersCondition),
        (416, NotStored::AnswersCondition),
    ] {
        assert_eq!(stored(&[], status, &[FRESH]), Err(expected), "{status}");
    }
    for status in [201, 202, 302, 307, 403, 500, 502, 503, 504, 599] {
        assert_eq!(stored(&[], status, &[OLD, ("Date", "@0")]), Err(NotStored::NoFreshness), "{status}");
    }
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        assert_eq!(lifetime_s(stored(&[], status, &[OLD, ("Date", "@0")])), Ok(100), "{status}");
    }
    assert_eq!(lifetime_s(stored(&[], 599, &[OLD, ("Cache-Control", "public")])), Ok(100));
}

#[test]
fn what_messages_forbid() {
    for (text, expected) in [
        ("no-store, max-age=60", NotStored::NoStore),
        ("max-age=60, No-StOrE", NotStored::NoStore),
        ("private, max-age=60", NotStored::Private),
        ("private, public, s-maxage=60", NotStored::Private),
        ("private, must-understand, max-age=60", NotStored::Private),
    ] {
        assert_eq!(control(text, &[ETAG, ("Expires", "@60")]), Err(expected), "{text}");
    }
    let kept = control("private=\"a, set-cookie\", max-age=60", &[("Set-Cookie", "x"), ("A", "1")]).unwrap();
    assert!(!kept.excluded.keeps(b"A") && !kept.excluded.keeps(b"Set-Cookie") && kept.excluded.keeps(b"B"));
    let targeted = [("CDN-Cache-Control", "max-age=5"), ("Cache-Control", "no-store")];
    assert_eq!(lifetime_s(stored(&[], 200, &targeted)), Ok(5));
    let targeted = [("CDN-Cache-Control", "private"), FRESH, ("Expires", "@60")];
    assert_eq!(stored(&[], 200, &targeted), Err(NotStored::Private));
}

#[test]
fn must_understand() {
    let list = [("Cache-Control", "max-age=60, no-store, must-understand")];
    assert_eq!(lifetime_s(stored(&[], 200, &list)), Ok(60));
    assert_eq!(stored(&[], 599, &list), Err(NotStored::StatusNotUnderstood));
    let list = [("Cache-Control", "max-age=60, must-understand")];
    assert_eq!(stored(&[], 599, &list), Err(NotStored::StatusNotUnderstood));
}

#[test]
fn requests_without_no_store_of_the_client() {
    let request = [("Cache-Control", "no-store")];
    assert!(stored(&request, 200, &[FRESH]).is_ok());
    let policy = Policy { honour_client: true, ..Policy::default() };
    assert_eq!(stored_by(&policy, &request, 200, &[FRESH]), Err(NotStored::ClientNoStore));
}

#[test]
fn authorised_requests() {
    let request = [("Authorization", "FOO")];
    assert_eq!(stored(&request, 200, &[FRESH]), Err(NotStored::Authorization));
    assert_eq!(stored(&request, 200, &[("Expires", "@60"), ("Date", "@0")]), Err(NotStored::Authorization));
    for text in ["proxy-revalidate, max-age=60", "max-age=60, immutable", "no-cache", "public=1, max-age=60"]
    {
        let result = stored(&request, 200, &[("Cache-Control", text), ETAG]);
        assert_eq!(result, Err(NotStored::Authorization), "{text}");
    }
    for text in ["max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
        assert!(stored(&request, 200, &[("Cache-Control", text)]).is_ok(), "{text}");
    }
}

#[test]
fn responses_that_set_cookies() {
    let cookie = ("Set-Cookie", "a=b");
    let by = |set_cookie| Policy { set_cookie, ..Policy::default() };
    let keeps = |policy: &Policy, list: List<'_>| {
        Ok(stored_by(policy, &[], 200, list)?.excluded.keeps(b"set-cookie"))
    };
    let refuse = by(SetCookie::Refuse);
    assert_eq!(keeps(&refuse, &[FRESH, cookie]), Err(NotStored::SetCookie));
    assert_eq!(keeps(&refuse, &[FRESH, ("set-COOKIE2", "x")]), Err(NotStored::SetCookie));
    assert_eq!(keeps(&refuse, &[("Cache-Control", "public, max-age=60"), cookie]), Ok(false));
    assert_eq!(keeps(&refuse, &[("Cache-Control", "s-maxage=60"), cookie]), Ok(false));
    assert_eq!(
        keeps(&refuse, &[("Cache-Control", "no-cache=\"Set-Cookie\", max-age=60"), cookie]),
        Ok(false)
    );
    assert_eq!(keeps(&by(SetCookie::Strip), &[FRESH, cookie]), Ok(false));
    assert_eq!(keeps(&by(SetCookie::Keep), &[FRESH, cookie]), Ok(true));
}

#[test]
fn requests_with_cookies() {
    let cookie = [("Cookie", "a=b")];
    assert!(stored(&cookie, 200, &[FRESH]).is_ok());
    assert!(stored(&cookie, 200, &[OLD, ("Cache-Control", "public")]).is_ok());
    assert_eq!(stored(&cookie, 200, &[OLD]), Err(NotStored::Cookie));
    let ours = Policy { default_ttl: Some(HOUR), override_ttl: Some(HOUR), ..Policy::default() };
    assert_eq!(stored_by(&ours, &cookie, 200, &[]), Err(NotStored::Cookie));
    let all = Policy { cookies: Cookies::Ignore, ..ours };
    assert!(stored_by(&all, &cookie, 200, &[]).is_ok());
}

#[test]
fn vary_is_checked() {
    let names = |vary| {
        Ok(control("max-age=60", &[("Vary", vary)])?.vary.names().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(names("B, a").unwrap(), ["a", "b"]);
    assert_eq!(names("a, *"), Err(NotStored::VaryAny));
    let many: Vec<_> = (0..17).map(|at| format!("x{at}")).collect();
    assert_eq!(names(&many.join(",")), Err(NotStored::VaryTooLong));
}

#[test]
fn what_would_never_answer() {
    for (list, expected) in [
        (&[][..], Err(NotStored::Pointless)),
        (&[ETAG], Ok(())),
        (&[("ETag", "a")], Err(NotStored::Pointless)),
        (&[("Cache-Control", "max-age=0")], Err(NotStored::Pointless)),
        (&[("Cache-Control", "max-age=0"), ETAG], Ok(())),
        (&[("Cache-Control", "max-age=0, stale-while-revalidate=5")], Ok(())),
        (&[("Cache-Control", "max-age=0, stale-if-error=5")], Ok(())),
        (&[("Cache-Control", "max-age=0, stale-if-error=5, must-revalidate")], Err(NotStored::Pointless)),
        (&[FRESH, ("Age", "60")], Err(NotStored::Pointless)),
        (&[FRESH, ("Age", "60"), OLD], Ok(())),
        (&[("Cache-Control", "no-cache, max-age=60")], Err(NotStored::Pointless)),
        (&[("Cache-Control", "no-cache, max-age=60"), ETAG], Ok(())),
        (&[("Expires", "0")], Err(NotStored::Pointless)),
    ] {
        assert_eq!(stored(&[], 200, list).map(drop), expected, "{list:?}");
    }
}

#[test]
fn parts() {
    let part = |list: List<'_>| Ok(stored(&[], 206, &[&[FRESH], list].concat())?.part.unwrap());
    let range = ("Content-Range", "bytes 4-9/10");
    assert_eq!(part(&[range]), Ok(Part { range: 4..10, len: Some(10), combinable: false }));
    assert_eq!(part(&[range, ETAG]), Ok(Part { range: 4..10, len: Some(10), combinable: true }));
    assert!(!part(&[range, ("ETag", "W/\"a\"")]).unwrap().combinable);
    assert_eq!(part(&[("Content-Range", "bytes 4-9/*")]).unwrap().len, None);
    assert_eq!(part(&[("Content-Type", "multipart/byteranges; boundary=x")]), Err(NotStored::ContentRange));
    assert_eq!(part(&[("Content-Range", "lines 4-9/10")]), Err(NotStored::ContentRange));
    assert!(stored(&[], 206, &[FRESH, range]).unwrap().meta.flags.has(Flags::PARTIAL));
    assert!(stored(&[("Range", "bytes=0-1")], 200, &[FRESH]).unwrap().part.is_none());
}

#[test]
fn lifetimes_by_policy() {
    let none = Policy::default();
    let default = Policy { default_ttl: Some(HOUR), ..none.clone() };
    let forced = Policy { override_ttl: Some(HOUR), ..none.clone() };
    let capped = Policy { max_ttl: Some(Duration::from_secs(50)), ..none.clone() };
    let both = Policy { max_ttl: Some(Duration::from_secs(50)), ..default.clone() };
    let unguessed = Policy { heuristic_max: Duration::ZERO, ..none };
    for (policy, status, list, expected) in [
        (&default, 200, &[][..], Ok(3_600)),
        (&default, 404, &[OLD], Ok(3_600)),
        (&default, 200, &[FRESH], Ok(60)),
        (&default, 200, &[("Expires", "0"), ETAG], Ok(0)),
        (&default, 302, &[], Err(NotStored::NoFreshness)),
        (&default, 500, &[], Err(NotStored::NoFreshness)),
        (&default, 200, &[("Cache-Control", "private")], Err(NotStored::Private)),
        // From arrival, whatever the age.
        (&default, 200, &[("Age", "500")], Ok(4_100)),
        (&forced, 200, &[FRESH], Ok(3_600)),
        (&forced, 200, &[("Cache-Control", "max-age=0")], Ok(3_600)),
        (&forced, 302, &[FRESH], Ok(3_600)),
        (&forced, 302, &[], Err(NotStored::NoFreshness)),
        (&forced, 200, &[("Cache-Control", "no-store")], Err(NotStored::NoStore)),
        (&forced, 200, &[("Cache-Control", "no-cache")], Err(NotStored::Pointless)),
        (&capped, 200, &[FRESH], Ok(50)),
        (&capped, 200, &[OLD], Ok(50)),
        (&both, 200, &[], Ok(50)),
        (&unguessed, 200, &[OLD], Ok(0)),
    ] {
        assert_eq!(lifetime_s(stored_by(policy, &[], status, list)), expected, "{status} {list:?}");
    }
    assert_eq!(lifetime_s(control("max-age=99999999999", &[])), Ok(1 << 31));
}

#[test]
fn windows_and_flags() {
    let policy = Policy { stale_while_revalidate: HOUR, stale_if_error: 2 * HOUR, ..Policy::default() };
    let windows = |text: &str| {
        let meta = stored_by(&policy, &[], 200, &[("Cache-Control", text), ETAG]).unwrap().meta;
        let strict = meta.flags.has(Flags::MUST_REVALIDATE);
        (meta.stale_while_revalidate_ms / 1_000, meta.stale_if_error_ms / 1_000, strict)
    };
    for (text, expected) in [
        ("max-age=60", (3_600, 7_200, false)),
        ("max-age=60, stale-while-revalidate=5, stale-if-error=0", (5, 0, false)),
        ("max-age=60, stale-while-revalidate=x", (0, 7_200, false)),
        ("max-age=60, must-revalidate, stale-while-revalidate=5", (0, 0, true)),
        ("max-age=60, proxy-revalidate", (0, 0, true)),
        ("no-cache, stale-if-error=5", (0, 0, true)),
        ("s-maxage=60", (0, 0, true)),
        ("s-maxage=60, stale-while-revalidate=5", (5, 0, true)),
    ] {
        assert_eq!(windows(text), expected, "{text}");
    }
    let forced = Policy { override_ttl: Some(HOUR), ..policy.clone() };
    let meta = stored_by(&forced, &[], 200, &[("Cache-Control", "s-maxage=60")]).unwrap().meta;
    assert!(meta.stale_while_revalidate_ms == 3_600_000 && !meta.flags.has(Flags::MUST_REVALIDATE));

    let flags =
        stored(&[], 200, &[OLD, ETAG, ("Cache-Control", "immutable, no-transform")]).unwrap().meta.flags;
    let expected = Flags::HEURISTIC
        | Flags::IMMUTABLE
        | Flags::NO_TRANSFORM
        | Flags::ETAG
        | Flags::LAST_MODIFIED
        | Flags::STRONG;
    assert_eq!(flags, expected);
    let meta = control("max-age=60", &[("Age", "7")]).unwrap().meta;
    assert_eq!(
        (meta.fetch_ms, meta.initial_age_ms, meta.response_ms, meta.status.as_u16()),
        (100, 7_100, NOW, 200)
    );
}

#[test]
fn a_304_renews_what_is_stored() {
    let old = fields(&[("Cache-Control", "max-age=2"), ETAG, ("Date", "@-500"), ("Test", "1")]);
    let new = fields(&[ETAG, ("Date", "@0"), ("Age", "1"), ("Set-Cookie", "a=b")]);
    let merged = freshen(&old, &new);
    let renewed = update(Response { status: 200, fields: &merged }, &Policy::default(), TIMES).unwrap();
    assert_eq!((renewed.meta.lifetime_ms, renewed.meta.initial_age_ms), (2_000, 1_100));
    let refused = fields(&[ETAG, ("Cache-Control", "no-store")]);
    let merged = freshen(&old, &refused);
    let result = update(Response { status: 200, fields: &merged }, &Policy::default(), TIMES);
    assert_eq!(result, Err(NotStored::NoStore));
}

/// Policies that store as much as they can.
fn any_policy() -> impl Strategy<Value = Policy> {
    let ttl = || prop::option::of((0u64..1_000).prop_map(Duration::from_secs));
    (ttl(), ttl(), ttl(), any::<bool>(), 0..3usize).prop_map(
        |(default_ttl, override_ttl, max_ttl, honour, cookies)| Policy {
            default_ttl,
            override_ttl,
            max_ttl,
            honour_client: honour,
            set_cookie: [SetCookie::Refuse, SetCookie::Strip, SetCookie::Keep][cookies],
            cookies: Cookies::Ignore,
            stale_while_revalidate: HOUR,
            stale_if_error: HOUR,
            ..Policy::default()
        },
    )
}

fn any_fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = vec![
        "cache-control",
        "Cache-Control",
        "expires",
        "date",
        "age",
        "etag",
        "last-modified",
        "vary",
        "content-range",
        "x",
    ];
    let values = prop_oneof![
        prop::sample::select(vec![
            "max-age=100",
            "s-maxage=10",
            "public",
            "must-revalidate",
            "immutable",
            "\"a\"",
            "0",
            "max-age=0, no-cache",
            "must-understand",
            "stale-if-error=9",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "bytes 0-4/5",
            "a, b",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9=\", -]{0,20}",
    ];
    prop::collection::vec((prop::sample::select(names).prop_map(str::to_owned), values), 0..8)
}

proptest! {
    #[test]
    fn private_and_no_store_are_never_stored(
        policy in any_policy(), mut response in any_fields(), request in any_fields(), status in 200u16..600,
        directive in prop::sample::select(vec!["no-store", "private", "PRIVATE", "x, No-Store ,y=1", "private=\"\""]),
        at in 0usize..8,
    ) {
        // Allowed only by understanding the status, which has tests of its own.
        response.retain(|(_, value)| !value.contains("must-understand"));
        response.insert(at.min(response.len()), ("cache-control".to_owned(), directive.to_owned()));
        let request = Request { method: &Method::GET, fields: &request };
        let result = store(request, Response { status, fields: &response }, &policy, TIMES);
        prop_assert!(result.is_err());
    }

    #[test]
    fn authorised_responses_are_stored_by_permission_only(
        policy in any_policy(), mut response in any_fields(), status in 200u16..600,
    ) {
        let permitting = ["public", "s-maxage", "must-revalidate"];
        response.retain(|(_, value)| !permitting.iter().any(|directive| value.contains(directive)));
        let request = [("authorization", "x")];
        let request = Request { method: &Method::GET, fields: request.as_slice() };
        let result = store(request, Response { status, fields: &response }, &policy, TIMES);
        prop_assert!(result.is_err());
    }

    #[test]
    fn what_is_stored_has_a_use_and_keeps_the_limits(
        policy in any_policy(), response in any_fields(), request in any_fields(), status in 100u16..600,
    ) {
        let request = Request { method: &Method::GET, fields: &request };
        if let Ok(stored) = store(request, Response { status, fields: &response }, &policy, TIMES) {
            let meta = stored.meta;
            prop_assert!(meta.has_validator() || meta.useful_until_ms() > NOW);
            prop_assert!((200..600).contains(&status) && status != 304);
            if let (Some(max), None) = (policy.max_ttl, policy.override_ttl.or(policy.default_ttl)) {
                prop_assert!(meta.lifetime_ms <= millis(max));
            }
            let strict = |(name, value): &(String, String)| {
                name.eq_ignore_ascii_case("cache-control") && value == "must-revalidate"
            };
            if meta.flags.has(Flags::MUST_REVALIDATE) && response.as_slice().iter().any(strict) {
                prop_assert_eq!((meta.stale_while_revalidate_ms, meta.stale_if_error_ms), (0, 0));
            }
        }
    }
}
