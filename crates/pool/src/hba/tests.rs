use std::io;
use std::path::Path;

use super::{Hba, Ident, Kind, Method};

fn hba(text: &str) -> Hba {
    Hba::parse_with(text, "pg_hba.conf", &lists).unwrap_or_else(|problems| panic!("{problems}"))
}

fn lists(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("admins") => Ok("alice, bob # and\n\n@more\n".into()),
        Some("more") => Ok("\"all\"\n@admins\n".into()),
        Some(deep) if deep.starts_with("deep") => Ok(format!("@{deep}x")),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

fn host(address: &str, tls: bool) -> Kind {
    Kind::Host { address: address.parse().unwrap(), tls }
}

fn method(hba: &Hba, kind: Kind, database: &str, user: &str) -> Option<Method> {
    hba.first_match(kind, database, user, false).map(|rule| rule.method)
}

/// As Debian installs it, but for the lines PgBouncer has no use for.
const DEBIAN: &str = r#"
# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             postgres                                peer
local   all             all                                     peer map=staff
# IPv4 local connections:
host    all             all             127.0.0.1/32            scram-sha-256
host    all             all             ::1/128                 md5
local   replication     all                                     peer
host    replication     all             127.0.0.1/32            scram-sha-256
"#;

#[test]
fn the_first_rule_that_fits_counts() {
    let rules = hba(DEBIAN);
    assert_eq!(rules.rules().len(), 6);
    assert_eq!(method(&rules, host("127.0.0.1", false), "shop", "app"), Some(Method::ScramSha256));
    assert_eq!(method(&rules, host("::ffff:127.0.0.1", true), "shop", "app"), Some(Method::ScramSha256));
    assert_eq!(method(&rules, host("::1", false), "shop", "app"), Some(Method::Md5));
    assert_eq!(method(&rules, host("127.0.0.2", false), "shop", "app"), None);
    let local = |user| rules.first_match(Kind::Local, "shop", user, false).unwrap();
    assert_eq!((local("postgres").map.as_deref(), local("app").map.as_deref()), (None, Some("staff")));
    let streaming = rules.first_match(Kind::Local, "shop", "app", true).unwrap();
    assert_eq!(streaming.line, 8, "`all` is not for replication");
}

#[test]
fn reads_every_form() {
    let rules = hba("hostssl shop,\"we ird\" alice , bob 10.0.0.0 255.0.0.0 cert map=m\n\
                     hostnossl sameuser all 2001:db8::/32 trust # why not\n\
                     host \"all\" @admins all reject\n\
                     local all \"all\" password\n\
                     local all \"+role\" ident\n");
    assert_eq!(method(&rules, host("10.1.2.3", true), "we ird", "bob"), Some(Method::Cert));
    assert_eq!(method(&rules, host("10.1.2.3", false), "shop", "bob"), None);
    assert_eq!(method(&rules, host("2001:db8::1", false), "bob", "bob"), Some(Method::Trust));
    assert_eq!(method(&rules, host("2001:db8::1", false), "shop", "bob"), None);
    for user in ["alice", "bob", "all"] {
        assert_eq!(method(&rules, host("192.0.2.1", true), "all", user), Some(Method::Reject), "{user}");
    }
    assert_eq!(method(&rules, host("192.0.2.1", true), "all", "carol"), None);
    assert_eq!(method(&rules, Kind::Local, "x", "all"), Some(Method::Password));
    assert_eq!(method(&rules, Kind::Local, "x", "+role"), Some(Method::Peer));
    assert_eq!(hba("# nothing\n\n").rules(), []);
}

#[test]
fn refuses_by_name_what_it_does_not_do() {
    for (line, says) in [
        ("hostgssenc all all all md5", "no GSSAPI"),
        ("include other.conf", "copy the rules"),
        ("remote all all md5", "`remote` is no kind of connection"),
        ("local", "before its databases"),
        ("local all", "before its users"),
        ("local all all", "before its method"),
        ("host all all", "before its address"),
        ("host all all 10.0.0.0/8", "before its method"),
        ("host all all samenet md5", "`samenet` is not supported"),
        ("host all all db.internal md5", "DNS names are not supported"),
        ("host all all .internal md5", "DNS names"),
        ("host all all 10.0.0.0/33 md5", "0 to 32"),
        ("host all all 10.0.0.0/+8 md5", "0 to 32"),
        ("host all all 10.0.0.0 md5", "has no mask"),
        ("host all all 10.0.0.0 255.0.255.0 md5", "not a mask"),
        ("host all all 10.1.0.0/8 trust", "write 10.0.0.0/8 for the network, 10.1.0.0/32"),
        ("host all all all peer", "Unix sockets alone"),
        ("host all all all ident", "may answer for it"),
        ("local all all cert", "needs TLS"),
        ("hostnossl all all all cert", "needs TLS"),
        ("local all all ldap ldapserver=x", "directory"),
        ("local all all pam", "`pam` is not supported"),
        ("local all all radius", "PgBouncer does not have it either"),
        ("local all all md5 map=x", "peer and cert"),
        ("local all all peer map=", "names a map"),
        ("hostssl all all all cert clientcert=verify-full", "`clientcert=verify-full` is not supported"),
        ("local samerole all md5", "roles are known to the server alone"),
        ("local all +staff md5", "@file"),
        ("local /^db all md5", "regular expression"),
        ("local all @missing md5", "cannot read the list `missing`"),
        ("local all @deep md5", "8 deep"),
        ("local all \"app md5", "closing quote"),
        ("local a,,b all md5", "no name before"),
        ("local all all md5,", "no name after"),
        ("local,host all all md5", "one word belongs"),
    ] {
        let text = Hba::parse_with(line, "h", &lists).expect_err(line).to_string();
        assert!(text.contains(says), "{line}: {text}");
        assert!(text.starts_with("h:1: ") && text.contains("fix: "), "{text}");
    }
    let problems = Hba::parse("x\nlocal all all md5\ny", "h").unwrap_err();
    assert_eq!(problems.len(), 2, "all at once");
}

#[test]
fn lists_are_looked_for_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("staff"), "alice\n").unwrap();
    let file = directory.path().join("pg_hba.conf");
    let rules = Hba::parse("local all @staff trust", file.to_str().unwrap()).unwrap();
    assert_eq!(method(&rules, Kind::Local, "x", "alice"), Some(Method::Trust));
    assert_eq!(method(&rules, Kind::Local, "x", "bob"), None);
}

#[test]
fn maps_names_to_users() {
    let text = "# MAP NAME USER\nstaff root postgres\nstaff \"John Doe\" jdoe\nstaff admin all\nother root \"all\"\n";
    let ident = Ident::parse(text, "pg_ident.conf").unwrap();
    for (map, name, user, allowed) in [
        ("staff", "root", "postgres", true),
        ("staff", "root", "jdoe", false),
        ("staff", "John Doe", "jdoe", true),
        ("staff", "admin", "anyone", true),
        ("other", "root", "all", true),
        ("other", "root", "postgres", false),
        ("none", "root", "root", false),
    ] {
        assert_eq!(ident.map(map, name, user), allowed, "{map} {name} {user}");
    }
    assert!(ident.contains("staff") && !ident.contains("none"));
    for (line, says) in [
        ("m /^(.*)$ app", "regular expression"),
        ("m root +role", "roles"),
        ("m root /x", "regular expression"),
        ("m root", "three words"),
        ("m a,b app", "list"),
    ] {
        let text = Ident::parse(line, "i").unwrap_err().to_string();
        assert!(text.contains(says), "{line}: {text}");
    }
}
