use std::collections::BTreeMap;
use std::path::Path;

use deepwater_core::config::{Document, undocumented};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::config::{Addresses, Auth};
use crate::testing::{NOW, Signer, good_claims};
use crate::{Algorithm, KeySetFault};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Ways to prove who one is, by name.
    auth: BTreeMap<String, Auth>,
    /// Addresses.
    addresses: Addresses,
}

/// The plans of a configuration, or everything that is wrong with it.
fn plans(text: &str, directory: &Path) -> Result<BTreeMap<String, Plan>, String> {
    let document = Document::parse(text, "deepwater.toml").map_err(|problems| problems.to_string())?;
    let settings: Settings = document.decode().map_err(|problems| problems.to_string())?;
    let checker = document.checker();
    let place = checker.at("auth");
    let build = |(name, auth): (&String, &Auth)| {
        Plan::build(name, auth, directory, &place.at(name)).map(|plan| (name.clone(), plan))
    };
    let plans = settings.auth.iter().filter_map(build).collect();
    let _ = super::addresses(&settings.addresses, &checker.at("addresses"));
    checker.finish().map_err(|problems| problems.to_string())?;
    Ok(plans)
}

fn complaint(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    plans(text, directory.path()).expect_err(text)
}

#[test]
fn every_key_is_documented() {
    assert_eq!(undocumented::<Settings>(), Vec::<String>::new());
}

#[test]
fn every_source_of_keys_makes_a_plan() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let signer = Signer::of(Algorithm::Es256);
    write("keys.json", &serde_json::json!({ "keys": [signer.jwk()] }).to_string());
    write("key.pem", &rcgen::KeyPair::generate().unwrap().public_key_pem());
    write("secret", "0123456789abcdef0123456789abcdef\n");
    write("users", "ada:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n");
    let text = r#"
        [auth.a]
        secret = "file:secret"
        token = "cookie:jwt"
        [auth.b]
        pem = "key.pem"
        [auth.c]
        jwks = "keys.json"
        issuer = "https://issuer.example"
        audience = ["shop", "admin"]
        algorithms = ["ES256", "RS256"]
        claims = { "org.id" = 7, roles = { contains = "admin" }, sub = ["ada", "bob"] }
        headers = { "X-User" = "sub", x-org = "org.id" }
        [auth.d]
        jwks = "https://issuer.example/jwks.json"
        max_stale = "2h"
        [auth.e]
        passwords = "users"
        headers = { "X-User" = "sub" }
        realm = "The shop"
        [auth.f.passwords]
        ada = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
    "#;
    let plans = plans(text, directory.path()).unwrap();
    let token = |name: &str| match &plans[name].method {
        Method::Token(plan) => plan,
        Method::Basic(_) => panic!("{name} is about tokens"),
    };
    assert_eq!(token("a").place, TokenPlace::Cookie("jwt".into()));
    assert!(matches!(&token("b").keys, KeySource::Fixed(keys) if keys.keys().len() == 1));
    let KeySource::Fixed(keys) = &token("c").keys else { panic!("a file is read at once") };
    let signed = signer.token(Algorithm::Es256, &good_claims());
    let claims = token("c").policy.verify(keys, signed.as_bytes(), NOW).unwrap();
    let told: Vec<_> =
        plans["c"].headers.iter().map(|(field, path)| (&**field, claims.text(path).unwrap())).collect();
    assert_eq!(told, [("x-user", "ada".into()), ("x-org", "7".into())]);
    let KeySource::Url(fetched) = &token("d").keys else { panic!("a URL is not") };
    assert_eq!((fetched.freshness.refresh.as_secs(), fetched.freshness.max_stale.as_secs()), (600, 7_200));
    assert!(fetched.read(&std::fs::read(directory.path().join("keys.json")).unwrap()).is_ok());
    assert!(matches!(fetched.read(b"<html>"), Err(KeySetFault::Json(_))));
    for (name, realm) in [("e", "The shop"), ("f", "f")] {
        assert!(matches!(&plans[name].method, Method::Basic(plan) if plan.users.len() == 1));
        assert_eq!(plans[name].realm, realm);
    }
}

#[test]
fn what_cannot_be_meant_is_said_with_its_key_and_a_fix() {
    let secret = "secret = \"0123456789abcdef0123456789abcdef\"\n";
    for (text, key, what, fix) in [
        ("", "auth.users", "nothing to verify with", "`secret`, `pem`, `jwks` and `passwords`"),
        ("pem = 'a'\njwks = 'b'", "auth.users.jwks", "`pem` and `jwks` exclude each other", "keep one"),
        ("secret = 'short'", "auth.users.secret", "the secret has 40 bits", "openssl rand"),
        ("secret = 'env:NOT_SET_AT_ALL'", "auth.users.secret", "`NOT_SET_AT_ALL` is not set", ""),
        ("pem = 'absent.pem'", "auth.users.pem", "`absent.pem` cannot be read", "relative to"),
        ("jwks = 'absent.json'", "auth.users.jwks", "`absent.json` cannot be read", "relative to"),
        ("jwks = 'http://issuer.example/jwks'", "auth.users.jwks", "fetched over https", "`https://` URL"),
        ("jwks = 'https://user@issuer.example/'", "auth.users.jwks", "fetched over https", "without user"),
        ("jwks = 'https:///jwks'", "auth.users.jwks", "fetched over https", "with a host"),
        ("jwks = 'https://x/'\nrefresh = '1s'", "auth.users.refresh", "must be 10 s at least", "longer"),
        ("jwks = 'https://x/'\ncooldown = '0s'", "auth.users.cooldown", "must be 1 s at least", "longer"),
        (
            "jwks = 'https://x/'\nmax_stale = '1m'",
            "auth.users.max_stale",
            "too old before",
            "longer than `refresh`",
        ),
        ("algorithms = ['none']", "auth.users.algorithms[0]", "unknown algorithm `none`", ""),
        ("secrets = 'x'", "auth.users.secrets", "unknown key", "`secret`"),
        (
            "passwords = { ada = 'hunter2' }",
            "auth.users.passwords",
            "this is not a password hash",
            "htpasswd -nB",
        ),
        ("passwords = {}", "auth.users.passwords", "there is no user", "htpasswd -B"),
    ] {
        let complaint = complaint(&format!("[auth.users]\n{text}"));
        assert!(complaint.contains(&format!("{key}: ")), "{key} is not in: {complaint}");
        assert!(complaint.contains(what) && complaint.contains(fix), "{what} / {fix} is not in: {complaint}");
        assert!(!complaint.contains("hunter2"));
    }
    for (text, key, what) in [
        ("token = 'header:X'", "auth.users.token", "`header:X` is no place"),
        ("leeway = '6m'", "auth.users.leeway", "5 minutes"),
        ("max_token_size = '1MiB'", "auth.users.max_token_size", "64KiB"),
        ("claims = { 'a..b' = 1 }", "auth.users.claims.\"a..b\"", "leads to no claim"),
        ("claims = { a = [] }", "auth.users.claims.a", "no claim could ever meet this"),
        (
            "claims = { scope = { contains = 'a b' } }",
            "auth.users.claims.scope",
            "no claim could ever meet this",
        ),
        ("headers = { 'X User' = 'sub' }", "auth.users.headers.\"X User\"", "no name of a header field"),
        ("headers = { Host = 'sub' }", "auth.users.headers.Host", "which no claim may"),
        ("headers = { X-User = 'sub', x-user = 'name' }", "auth.users.headers.x-user", "there twice"),
        ("headers = { X-User = '' }", "auth.users.headers.X-User", "leads to no claim"),
        ("realm = 'Zoë'", "auth.users.realm", "ASCII"),
    ] {
        let complaint = complaint(&format!("[auth.users]\n{secret}{text}"));
        assert!(
            complaint.contains(&format!("{key}: ")) && complaint.contains(what),
            "{key}, {what}: {complaint}"
        );
    }
    let tokens = complaint("[auth.users]\npasswords = { a = 'env:X' }\nissuer = 'x'\ntype = 'y'");
    assert!(tokens.contains("auth.users.issuer: ") && tokens.contains("auth.users.type: "), "{tokens}");
    let networks = complaint("[addresses]\nallow = ['10.0.0.0/8', '10.0.0.0/33']\ndeny = ['x']");
    assert!(
        networks.contains("addresses.allow[1]: ") && networks.contains("addresses.deny[0]: "),
        "{networks}"
    );
}

#[test]
fn keys_are_fetched_over_http_from_this_machine_only() {
    let text = |url: &str| format!("[auth.users]\njwks = '{url}'");
    let directory = tempfile::tempdir().unwrap();
    for url in
        ["http://127.0.0.1:8000/jwks", "http://localhost/jwks", "http://[::1]:80/", "https://x.example:8443"]
    {
        assert!(plans(&text(url), directory.path()).is_ok(), "{url}");
    }
    for url in [
        "http://127.0.0.1.example/",
        "http://localhost@evil.example/",
        "http://10.0.0.1/",
        "ftp://x/",
        "http://[::2]/",
    ] {
        assert!(plans(&text(url), directory.path()).is_err(), "{url}");
    }
}
