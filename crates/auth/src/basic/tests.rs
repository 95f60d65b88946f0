use serde_json::json;

use super::*;
use crate::claims::{ClaimPath, Claims};

/// `ada:correct horse`, bcrypt at its lowest cost.
fn bcrypt_of(password: &str) -> String {
    bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().format_for_version(bcrypt::Version::TwoY)
}

fn field(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn cache() -> BasicCache {
    BasicCache::new(100, 60, &[1; 32])
}

/// A whole check: who it is, and whether nothing had to be hashed.
fn login(
    cache: &mut BasicCache,
    users: &Users,
    field: &str,
    now: u64,
) -> Result<(String, bool), BasicRefusal> {
    match cache.check(users, [field.as_bytes()], now)? {
        Checked::Known(user) => Ok((user.to_string(), true)),
        Checked::Work(job) => {
            // As the edge does it.
            let outcome = std::thread::spawn(|| job.run()).join().unwrap();
            cache.finish(outcome, now).map(|user| (user.to_string(), false))
        }
    }
}

/// Hashes that other programs made: the examples of bcrypt, SHA-crypt (Drepper) and Argon2's own test suite.
const KNOWN: [(&str, &str); 4] = [
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
];

#[test]
fn hashes_of_other_programs_are_read() {
    for (password, hash) in KNOWN {
        let users = Users::new([("ada", hash)]).unwrap();
        let right = login(&mut cache(), &users, &field("ada", password), 0);
        assert_eq!(right, Ok(("ada".into(), false)), "{hash}");
        for wrong in ["", "hello world!", "password "] {
            assert_eq!(
                login(&mut cache(), &users, &field("ada", wrong), 0),
                Err(BasicRefusal::Wrong),
                "{hash}"
            );
        }
    }
}

#[test]
fn what_is_no_hash_or_a_weak_one_is_refused_and_not_quoted() {
    let long = format!("$2y$16${}", &bcrypt_of("x")[7..]);
    for (hash, expected) in [
        ("hunter2", HashFault::NotHashed),
        ("", HashFault::NotHashed),
        ("rqXexS6ZhobKA", HashFault::NotHashed),
        ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", HashFault::Weak),
        ("$1$saltsalt$hash", HashFault::Weak),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", HashFault::Weak),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", HashFault::Weak),
        ("$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR", HashFault::Unknown),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", HashFault::Unknown),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", HashFault::Unknown),
        ("$2y$05$CCCCCCCCCCCCCCCCCCCCC", HashFault::Damaged),
        (&long, HashFault::Costly),
        ("$6$saltstring$short", HashFault::Damaged),
        ("$6$rounds=10$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", HashFault::Damaged),
        ("$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", HashFault::Costly),
        ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", HashFault::Damaged),
        (
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            HashFault::Costly,
        ),
    ] {
        let fault = Users::new([("ada", hash)]).unwrap_err();
        assert_eq!(fault, UserFault::Hash("ada".into(), expected), "{hash}");
        assert!(hash.is_empty() || !fault.to_string().contains(hash));
    }
}

#[test]
fn files_of_htpasswd_are_read() {
    let hash = bcrypt_of("x");
    let read = |text: &str| Users::from_htpasswd(text).map(|users| users.len());
    assert_eq!(read(&format!("# users\n\nada:{hash}\r\n  bob:{hash}\n")), Ok(2));
    assert_eq!(read(""), Err(UserFault::Empty));
    assert_eq!(read(&format!("ada:{hash}\nbob")), Err(UserFault::Line(2)));
    assert_eq!(read(&format!(":{hash}")), Err(UserFault::Name(String::new())));
    assert_eq!(read(&format!("ada:{hash}\nada:{hash}")), Err(UserFault::Twice("ada".into())));
    assert_eq!(read("ada:hunter2"), Err(UserFault::Hash("ada".into(), HashFault::NotHashed)));
    assert!(matches!(Users::new([("a\u{7}", hash.as_str())]), Err(UserFault::Name(_))));
}

#[test]
fn a_repeat_is_answered_from_memory_until_its_time_is_over_or_the_users_change() {
    let hash = bcrypt_of("pencil");
    let users = Users::new([("ada", hash.as_str())]).unwrap();
    let mut cache = cache();
    let field = field("ada", "pencil");
    assert_eq!(login(&mut cache, &users, &field, 0), Ok(("ada".into(), false)));
    assert_eq!(login(&mut cache, &users, &field, 59), Ok(("ada".into(), true)));
    assert_eq!(login(&mut cache, &users, &field, 60), Ok(("ada".into(), false)));
    let changed = Users::new([("ada", bcrypt_of("chalk").as_str())]).unwrap();
    assert_eq!(login(&mut cache, &changed, &field, 61), Err(BasicRefusal::Wrong));
    // What was asked of the old users says nothing of the new ones.
    let Ok(Checked::Work(job)) = cache.check(&users, [field.as_bytes()], 62) else {
        panic!("the users are others")
    };
    assert_eq!(login(&mut cache, &changed, &field, 62), Err(BasicRefusal::Wrong));
    assert!(cache.finish(job.run(), 62).is_ok());
    assert_eq!(login(&mut cache, &changed, &field, 62), Err(BasicRefusal::Wrong));
}

#[test]
fn names_that_nobody_has_are_hashed_for_too() {
    let hash = bcrypt_of("pencil");
    let users = Users::new([("ada", hash.as_str()), ("bob", KNOWN[2].1)]).unwrap();
    let mut cache = cache();
    let mut kinds = std::collections::BTreeSet::new();
    for number in 0..50 {
        let name = format!("nobody{number}");
        let kind = |cache: &mut BasicCache| {
            let Ok(Checked::Work(job)) = cache.check(&users, [field(&name, "pencil").as_bytes()], 0) else {
                panic!("nothing to remember")
            };
            format!("{job:?}")
        };
        let first = kind(&mut cache);
        assert_eq!(first, kind(&mut cache), "the same name, the same time");
        assert!(!first.contains("pencil"));
        kinds.insert(first);
        assert_eq!(login(&mut cache, &users, &field(&name, "pencil"), 0), Err(BasicRefusal::Wrong));
    }
    assert_eq!(kinds.len(), 2, "as diverse as those who exist");
}

#[test]
fn credentials_are_read_strictly() {
    let read = |text: &str| read_credentials(text.as_bytes());
    assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(("Aladdin".into(), b"open sesame".to_vec())));
    assert_eq!(read("bAsIc   dGVzdDoxMjPCow=="), Ok(("test".into(), "123£".into())), "RFC 7617 §2.1");
    assert_eq!(read(&field("a", "b:c")), Ok(("a".into(), b"b:c".to_vec())));
    assert_eq!(read(&field("", "")), Ok((String::new(), Vec::new())));
    for missing in ["", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic2 x"] {
        assert_eq!(read(missing), Err(BasicRefusal::Missing), "{missing}");
    }
    let long = field("a", &"x".repeat(1_000));
    for wrong in [
        "Basic",
        "Basic ",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==",
        "Basic QWxh ZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic QWxhZGRpbg==",
        "Basic _-8=",
        "Basic /zr/",
        &field("a\nb", "c"),
        &field("a", "b\0"),
        &long,
    ] {
        assert_eq!(read(wrong), Err(BasicRefusal::Malformed), "{wrong}");
    }
    let twice =
        cache().check(&Users::new([("a", KNOWN[2].1)]).unwrap(), [&b"Basic YTpi"[..], b"Basic YTpi"], 0);
    assert!(matches!(twice, Err(BasicRefusal::Malformed)));
}

#[test]
fn long_passwords_are_not_cut() {
    let hash = bcrypt_of(&"x".repeat(72));
    let users = Users::new([("ada", hash.as_str())]).unwrap();
    for length in [72, 73, 100] {
        let refused = login(&mut cache(), &users, &field("ada", &"x".repeat(length)), 0);
        assert_eq!(refused, Err(BasicRefusal::Wrong), "{length}");
    }
}

#[test]
fn a_user_has_a_claim_as_a_token_has() {
    let claims = Claims::of_user("ada\r\n");
    assert_eq!(claims.get(&ClaimPath::new("sub").unwrap()), Some(&json!("ada\r\n")));
    assert_eq!(claims.text(&ClaimPath::new("sub").unwrap()).as_deref(), Some("ada%0D%0A"));
    assert_eq!(
        BasicRefusal::challenge("the \"shop\""),
        "Basic realm=\"the \\\"shop\\\"\", charset=\"UTF-8\""
    );
}
