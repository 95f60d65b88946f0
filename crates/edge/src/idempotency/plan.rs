//! How a route honours keys: its settings made valid, and what they make of a request.

use std::net::IpAddr;

use deepwater_auth::Claims;
use deepwater_core::config::{Duration, Place, Size};
use http::{Method, StatusCode};

use crate::config::{IdempotencyTable, StoredAnswers};
use crate::head::{Name, Request};

use super::digest::{Digest, Digesting};
use super::key::{Key, KeyFault};
use super::scope::Scope;
use super::store::Terms;
use super::subject::Verified;

/// Of leases and of what is kept.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(3_600);
const LONGEST_KEEP: Duration = Duration::from_secs(366 * 24 * 3_600);

/// How a route honours keys.
#[derive(Debug)]
pub(crate) struct KeyPlan {
    pub header: Box<str>,
    pub required: bool,
    pub terms: Terms,
    pub max_request: usize,
    pub max_response: usize,
    pub keep_cookies: bool,
    methods: Vec<Method>,
    store: StoredAnswers,
    scope: Vec<Scope>,
}

impl KeyPlan {
    /// Makes settings valid, or reports what is wrong with them. `verified`: whom the route's `auth` lets in; without one
    /// there are no claims.
    pub fn build(place: &Place<'_>, table: &IdempotencyTable, verified: Option<Verified>) -> Option<Self> {
        let header = header(&place.at("header"), &table.header);
        let methods: Vec<_> = table
            .methods
            .iter()
            .enumerate()
            .map(|(at, text)| method(&place.at("methods").index(at), text))
            .collect();
        let scope: Vec<_> = match &table.scope {
            None => vec![Some(verified.map_or(Scope::Authorization, Scope::Subject))],
            Some(parts) => parts
                .iter()
                .enumerate()
                .map(|(at, text)| scope(&place.at("scope").index(at), text, verified.as_ref()))
                .collect(),
        };
        let lease = lasts(&place.at("lease"), table.lease, LONGEST_LEASE, "write \"60s\"");
        let keep = lasts(&place.at("keep"), table.keep, LONGEST_KEEP, "write \"24h\"");
        if !(lease && keep) {
            return None;
        }
        let bytes = |size: Size| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        Some(Self {
            header: header?,
            required: table.required,
            terms: Terms { lease: table.lease.get(), keep: table.keep.get(), unknown: table.unknown },
            max_request: bytes(table.max_request),
            max_response: bytes(table.max_response),
            keep_cookies: table.keep_cookies,
            methods: methods.into_iter().collect::<Option<_>>()?,
            store: table.store,
            scope: scope.into_iter().collect::<Option<_>>()?,
        })
    }

    /// Whether it holds for a method.
    pub fn covers(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// Whether an answer of that status is kept.
    pub fn keeps(&self, status: StatusCode) -> bool {
        match self.store {
            StoredAnswers::All => true,
            StoredAnswers::Non5xx => {
                !status.is_server_error() && !matches!(status.as_u16(), 408 | 421 | 425 | 429)
            }
        }
    }

    /// The key of a request.
    ///
    /// # Errors
    /// When what stands in its place is none.
    pub fn key(&self, request: &Request) -> Result<Option<Key>, KeyFault> {
        let fields = request.fields.iter();
        let of_name = fields.filter(|(_, name, _)| name.eq_ignore_ascii_case(self.header.as_bytes()));
        Key::of_values(of_name.map(|(_, _, value)| value))
    }

    /// What the key is found by: what the client calls it, whose it is, and what it is for.
    pub fn lookup(&self, key: &Key, request: &Request, client_ip: IpAddr, claims: Option<&Claims>) -> Digest {
        let mut digesting = Digesting::new("idempotency key 1");
        digesting.part(key.as_str().as_bytes());
        digesting.part(request.method.as_str().as_bytes());
        digesting.part(&request.authority().to_ascii_lowercase());
        digesting.part(request.path());
        for part in &self.scope {
            part.add_to(&mut digesting, request, client_ip, claims);
        }
        digesting.finish()
    }

    /// What a repeat must have in common with the first request.
    pub fn fingerprint(&self, request: &Request, body: &[u8]) -> Digest {
        let mut digesting = Digesting::new("idempotency fingerprint 1");
        digesting.part(request.method.as_str().as_bytes());
        digesting.part(request.target());
        digesting.list(request.fields.all_known(Name::ContentType));
        digesting.part(body);
        digesting.finish()
    }
}

fn lasts(place: &Place<'_>, duration: Duration, most: Duration, fix: &str) -> bool {
    let is_right = (SHORTEST..=most).contains(&duration);
    if !is_right {
        place.problem_with_fix(format!("it lasts from {SHORTEST} to {most}"), fix);
    }
    is_right
}

fn header(place: &Place<'_>, text: &str) -> Option<Box<str>> {
    let name = http::HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        place.problem_with_fix(
            format!("`{text}` is not the name of a header field"),
            "write \"Idempotency-Key\"",
        );
    }
    name.map(|name| name.as_str().into())
}

fn method(place: &Place<'_>, text: &str) -> Option<Method> {
    let method = Method::from_bytes(text.as_bytes()).ok();
    // A safe method has no effect to be had once, and a tunnel has no answer.
    let may = method.filter(|method| !method.is_safe() && *method != Method::CONNECT);
    if may.is_none() {
        place.problem_with_fix(
            format!("`{text}` is not a method whose requests can be done once"),
            "write POST, PATCH, PUT or DELETE",
        );
    }
    may
}

fn scope(place: &Place<'_>, text: &str, verified: Option<&Verified>) -> Option<Scope> {
    match (text.parse(), verified.and_then(Verified::elsewhere)) {
        (Ok(Scope::Claim(_)), _) if verified.is_none() => {
            place.problem_with_fix(
                "without `auth` the route knows no claims, so all clients would be one",
                "add auth = \"<name>\" to the route, or tell clients apart by something else",
            );
            None
        }
        (Ok(Scope::Authorization), Some(elsewhere)) => {
            place.problem_with_fix(
                format!("the route's token is in {elsewhere}, so all its clients would be one"),
                "leave `scope` out, or write \"claim:sub\"",
            );
            None
        }
        (Ok(scope), _) => Some(scope),
        (Err(problem), _) => {
            place.problem(problem);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use deepwater_core::config::Checker;

    use super::*;

    fn build(table: &IdempotencyTable, verified: Option<Verified>) -> Result<KeyPlan, String> {
        let checker = Checker::without_document();
        let plan = KeyPlan::build(&checker.at("idempotency"), table, verified);
        checker.finish().map_err(|problems| problems.to_string())?;
        Ok(plan.expect("there is no problem"))
    }

    fn request(method: Method, target: &str, fields: &[(&str, &str)]) -> Request {
        let mut request = Request::default();
        request.method = method;
        request.set_target(target.as_bytes());
        request.set_authority(b"Shop.example");
        request.fields.add_all(fields);
        request
    }

    #[test]
    fn what_cannot_be_meant_is_reported() {
        let default = IdempotencyTable::default;
        assert!(build(&default(), None).is_ok());
        let scoped = |scope: &str| IdempotencyTable { scope: Some(vec![scope.into()]), ..default() };
        for (table, why) in [
            (IdempotencyTable { header: "a b".into(), ..default() }, "not the name of a header field"),
            (IdempotencyTable { methods: vec!["GET".into()], ..default() }, "`GET` is not a method"),
            (IdempotencyTable { methods: vec!["CONNECT".into()], ..default() }, "`CONNECT` is not a method"),
            (scoped("user"), "tells no clients apart"),
            (scoped("claim:sub"), "knows no claims"),
            (IdempotencyTable { lease: Duration::from_secs(0), ..default() }, "from 1s to 1h"),
            (IdempotencyTable { keep: Duration::from_secs(u64::MAX), ..default() }, "from 1s to 366d"),
        ] {
            let problem = build(&table, None).expect_err(why);
            assert!(problem.contains(why), "{problem}");
        }
        let at = |place: &str| Some(Verified::new("users", Some(&place.parse().unwrap())));
        assert!(build(&scoped("claim:sub"), at("cookie:jwt")).is_ok());
        assert!(build(&scoped("authorization"), at("authorization")).is_ok());
        assert!(build(&scoped("authorization"), Some(Verified::new("staff", None))).is_ok());
        for (place, told) in [("cookie:jwt", "the cookie `jwt`"), ("query:t", "the query's `t`")] {
            let problem = build(&scoped("authorization"), at(place)).expect_err(place);
            assert!(problem.contains(told) && problem.contains("claim:sub"), "{problem}");
        }
    }

    #[test]
    fn which_answers_are_kept_is_a_setting() {
        let kept = |store, statuses: &[u16]| {
            let plan = build(&IdempotencyTable { store, ..IdempotencyTable::default() }, None).unwrap();
            let keeps = |status: &&u16| plan.keeps(StatusCode::from_u16(**status).unwrap());
            statuses.iter().filter(keeps).copied().collect::<Vec<_>>()
        };
        let all = [200, 201, 303, 400, 408, 409, 422, 425, 429, 500, 503];
        assert_eq!(kept(StoredAnswers::All, &all), all);
        assert_eq!(kept(StoredAnswers::Non5xx, &all), [200, 201, 303, 400, 409, 422]);
    }

    #[test]
    fn a_key_is_of_one_client_one_method_one_path() {
        let plan = build(&IdempotencyTable::default(), None).unwrap();
        let ip = "127.0.0.1".parse().unwrap();
        let lookup = |method, target, fields: &[(&str, &str)]| {
            let fields = [fields, &[("idempotency-key", "\"k\"")]].concat();
            let request = request(method, target, &fields);
            let key = plan.key(&request).unwrap().unwrap();
            plan.lookup(&key, &request, ip, None)
        };
        let first = lookup(Method::POST, "/orders?a=1", &[]);
        assert_eq!(first, lookup(Method::POST, "/orders?a=2", &[]));
        assert_ne!(first, lookup(Method::PATCH, "/orders?a=1", &[]));
        assert_ne!(first, lookup(Method::POST, "/carts", &[]));
        assert_ne!(first, lookup(Method::POST, "/orders", &[("Authorization", "Bearer x")]));
    }

    #[test]
    fn a_repeat_is_the_same_to_its_last_byte() {
        let plan = build(&IdempotencyTable::default(), None).unwrap();
        let json = [("Content-Type", "application/json"), ("X-Attempt", "1")];
        let again = [("Content-Type", "application/json"), ("X-Attempt", "2")];
        let fingerprint = |target, fields: &[(&str, &str)], body: &[u8]| {
            plan.fingerprint(&request(Method::POST, target, fields), body)
        };
        let first = fingerprint("/orders?a=1", &json, b"{}");
        assert_eq!(first, fingerprint("/orders?a=1", &again, b"{}"));
        assert_ne!(first, fingerprint("/orders?a=2", &json, b"{}"));
        assert_ne!(first, fingerprint("/orders?a=1", &[], b"{}"));
        assert_ne!(first, fingerprint("/orders?a=1", &json, b"{ }"));
    }
}
