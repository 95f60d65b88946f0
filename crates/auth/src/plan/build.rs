//! From what was written to what is meant; reports everything that cannot be meant, at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::config::{Place, Secret};
use ipnet::IpNet;

use super::{BasicPlan, Method, Plan, TokenPlan, source};
use crate::addresses::{AddressList, network};
use crate::basic::{UserFault, Users};
use crate::claims::{ClaimPath, Requirements};
use crate::config::{Addresses, Auth, ClaimRule, Passwords};
use crate::place::is_token;
use crate::verify::Policy;

/// A larger one would keep expired tokens alive for longer than many live.
const MAX_LEEWAY: Duration = Duration::from_secs(300);
/// The access to a cache entry of Basic authentication takes about this much memory, bytes.
const BASIC_ENTRY_BYTES: u64 = 192;
/// Fields that say how a message is to be read or where it goes: no claim may.
const RESERVED: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
];

impl Plan {
    /// What the table of a name means; none when something was reported. `directory` is what relative paths start from.
    pub fn build(name: &str, auth: &Auth, directory: &Path, place: &Place<'_>) -> Option<Self> {
        let headers = headers(&auth.headers, &place.at("headers"));
        let realm = realm(name, auth, place);
        let method = match sources(auth)[..] {
            ["passwords"] => basic(auth, directory, place),
            [_] => token(auth, directory, place),
            [] => {
                place.problem_with_fix(
                    "there is nothing to verify with",
                    "add one of `secret`, `pem`, `jwks` and `passwords`",
                );
                None
            }
            [first, second, ..] => {
                place.at(second).problem_with_fix(
                    format!("`{first}` and `{second}` exclude each other"),
                    "keep one, and write the other into a table of its own",
                );
                None
            }
        };
        Some(Self {
            method: method?,
            headers: headers?,
            realm: realm?,
            cache_ttl: auth.cache_ttl.get().as_secs(),
        })
    }
}

/// The keys that say what is verified with, of those that are set.
fn sources(auth: &Auth) -> Vec<&'static str> {
    let set = [
        ("secret", auth.secret.is_some()),
        ("pem", auth.pem.is_some()),
        ("jwks", auth.jwks.is_some()),
        ("passwords", auth.passwords.is_some()),
    ];
    set.into_iter().filter(|(_, set)| *set).map(|(key, _)| key).collect()
}

fn token(auth: &Auth, directory: &Path, place: &Place<'_>) -> Option<Method> {
    let keys = source::build(auth, directory, place);
    let requirements = requirements(&auth.claims, &place.at("claims"));
    let token_place = match auth.token.parse() {
        Ok(found) => Some(found),
        Err(what) => {
            place
                .at("token")
                .problem_with_fix(format!("`{}` is no place: {what}", auth.token), "write one of them");
            None
        }
    };
    let leeway = auth.leeway.get();
    if leeway > MAX_LEEWAY {
        place.at("leeway").problem_with_fix("clocks do not differ by more than 5 minutes", "write \"10s\"");
    }
    let size = auth.max_token_size.bytes();
    if !(64..=64 * 1024).contains(&size) {
        place.at("max_token_size").problem_with_fix("expected 64B to 64KiB", "write \"8KiB\"");
    }
    if leeway > MAX_LEEWAY || !(64..=64 * 1024).contains(&size) {
        return None;
    }
    let policy = Policy {
        max_bytes: usize::try_from(size).ok()?,
        typ: auth.typ.clone(),
        issuers: auth.issuer.as_slice().to_vec(),
        audiences: auth.audience.as_slice().to_vec(),
        leeway: leeway.as_secs(),
        require_exp: auth.require_exp,
        requirements: requirements?,
    };
    let cache_size = usize::try_from(auth.cache_size.bytes()).unwrap_or(usize::MAX);
    Some(Method::Token(Box::new(TokenPlan { place: token_place?, policy, keys: keys?, cache_size })))
}

fn basic(auth: &Auth, directory: &Path, place: &Place<'_>) -> Option<Method> {
    let foreign: [(&str, bool); 5] = [
        ("algorithms", auth.algorithms.is_empty()),
        ("issuer", auth.issuer.as_slice().is_empty()),
        ("audience", auth.audience.as_slice().is_empty()),
        ("type", auth.typ.is_none()),
        ("claims", auth.claims.is_empty()),
    ];
    for (key, _) in foreign.into_iter().filter(|(_, unset)| !unset) {
        place
            .at(key)
            .problem_with_fix(format!("`{key}` is about tokens, and `passwords` are none"), "remove it");
    }
    let users = users(auth.passwords.as_ref()?, directory, &place.at("passwords"))?;
    let cache_entries = usize::try_from(auth.cache_size.bytes() / BASIC_ENTRY_BYTES).unwrap_or(usize::MAX);
    let right = foreign.iter().all(|(_, unset)| *unset);
    right.then(|| Method::Basic(BasicPlan { users: Arc::new(users), cache_entries }))
}

fn users(passwords: &Passwords, directory: &Path, place: &Place<'_>) -> Option<Users> {
    let users = match passwords {
        Passwords::File(file) => {
            let bytes = source::read(directory, file, place)?;
            let text = String::from_utf8(bytes).ok();
            if text.is_none() {
                place.problem_with_fix(
                    format!("the file `{file}` is not UTF-8 text"),
                    "write it with `htpasswd -B`",
                );
            }
            Users::from_htpasswd(&text?)
        }
        Passwords::Table(table) => from_table(table, directory, place)?,
    };
    let fix = match &users {
        Err(UserFault::Empty) => "add one: htpasswd -B FILE NAME",
        _ => "hash the password: htpasswd -nB NAME",
    };
    users.map_err(|fault| place.problem_with_fix(fault.to_string(), fix)).ok()
}

fn from_table(
    table: &BTreeMap<String, Secret>,
    directory: &Path,
    place: &Place<'_>,
) -> Option<Result<Users, UserFault>> {
    let mut hashes = Vec::new();
    for (name, hash) in table {
        match hash.resolve(directory) {
            Ok(hash) => hashes.push((name.as_str(), hash)),
            Err(error) => {
                place.at(name).secret_problem(&error);
                return None;
            }
        }
    }
    Some(Users::new(hashes.iter().map(|(name, hash)| (*name, hash.expose()))))
}

/// What rules on claims mean; none when something was reported. For a route's own rules too.
pub fn requirements(rules: &BTreeMap<String, ClaimRule>, place: &Place<'_>) -> Option<Requirements> {
    let mut requirements = Requirements::default();
    let mut right = true;
    for (path, rule) in rules {
        let here = place.at(path);
        let empty = match rule {
            ClaimRule::OneOf(values) => values.is_empty(),
            ClaimRule::Contains(contains) => {
                let words = contains.contains.as_slice();
                words.is_empty() || words.iter().any(|word| word.is_empty() || word.contains(' '))
            }
            ClaimRule::Is(_) => false,
        };
        if empty {
            here.problem_with_fix(
                "no claim could ever meet this",
                "name at least one value, and words without spaces",
            );
        }
        match claim_path(path, &here) {
            Some(path) if !empty => requirements.add(path, rule),
            _ => right = false,
        }
    }
    right.then_some(requirements)
}

fn headers(headers: &BTreeMap<String, String>, place: &Place<'_>) -> Option<Vec<(Box<str>, ClaimPath)>> {
    let mut read: Vec<(Box<str>, ClaimPath)> = Vec::new();
    let mut right = true;
    for (field, path) in headers {
        let here = place.at(field);
        let lower = field.to_ascii_lowercase();
        let fault = if field.is_empty() || !field.bytes().all(is_token) {
            Some("this is no name of a header field")
        } else if RESERVED.contains(&lower.as_str()) {
            Some("this field says how a message is read or who sent it, which no claim may")
        } else if read.iter().any(|(known, _)| **known == *lower) {
            Some("this field is there twice: case does not count")
        } else {
            None
        };
        if let Some(what) = fault {
            here.problem_with_fix(what, "choose another, such as \"X-User\"");
        }
        match (claim_path(path, &here), fault) {
            (Some(path), None) => read.push((lower.into(), path)),
            _ => right = false,
        }
    }
    right.then_some(read)
}

fn claim_path(path: &str, place: &Place<'_>) -> Option<ClaimPath> {
    let read = ClaimPath::new(path);
    if read.is_none() {
        let fix = "write names with dots between, such as `sub` or `org.id`";
        place.problem_with_fix(format!("`{path}` leads to no claim"), fix);
    }
    read
}

fn realm(name: &str, auth: &Auth, place: &Place<'_>) -> Option<String> {
    let realm = auth.realm.as_deref().unwrap_or(name);
    if realm.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some(realm.to_owned());
    }
    let key = if auth.realm.is_some() { place.at("realm") } else { place.clone() };
    key.problem_with_fix(
        "a realm is sent in a header field, which is ASCII",
        "set a `realm` of plain letters",
    );
    None
}

/// What lists of addresses mean; none when something was reported.
pub fn addresses(addresses: &Addresses, place: &Place<'_>) -> Option<AddressList> {
    let read = |key: &str, texts: &[String]| -> Option<Vec<IpNet>> {
        let networks = texts.iter().enumerate().map(|(index, text)| {
            let found = network(text);
            if found.is_none() {
                let what = format!("`{text}` is neither a network nor an address");
                place
                    .at(key)
                    .index(index)
                    .problem_with_fix(what, "write it like `10.0.0.0/8` or `2001:db8::1`");
            }
            found
        });
        // All are looked at before any is missed.
        networks.collect::<Vec<_>>().into_iter().collect()
    };
    let (allow, deny) = (read("allow", &addresses.allow), read("deny", &addresses.deny));
    Some(AddressList::new(&allow?, &deny?))
}
