use super::{Host, ServerUrl, UrlError};
use crate::config::ServerTlsMode;

fn url(text: &str) -> ServerUrl {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn tcp(name: &str, port: u16) -> Host {
    Host::Tcp { name: name.into(), port }
}

fn unix(directory: &str, port: u16) -> Host {
    Host::Unix { directory: directory.into(), port }
}

#[test]
fn reads_every_part() {
    let all = url(
        "postgresql://app:s%3Acr%2F%40t@db.internal:5433/my%20shop?sslmode=verify-full&application_name=web",
    );
    let expected = ServerUrl {
        hosts: vec![tcp("db.internal", 5433)],
        user: Some("app".into()),
        password: Some("s:cr/@t".into()),
        database: Some("my shop".into()),
        sslmode: Some(ServerTlsMode::VerifyFull),
        application_name: Some("web".into()),
    };
    assert!(all == expected, "{all}");
    assert_eq!(url("postgres://host"), ServerUrl::at(vec![tcp("host", 5432)]));
    assert_eq!(url("postgres://u:a:b@c@h").password.as_deref(), Some("a:b@c"), "as libpq reads it");
    assert_eq!(url("postgres://h?user=u&password=p%3D&dbname=d").password.as_deref(), Some("p="));
}

#[test]
fn reads_hosts_in_every_form() {
    for (text, hosts) in [
        ("postgres://[::1]/d", vec![tcp("::1", 5432)]),
        ("postgres://u@[fe80::1%25eth0]:6000", vec![tcp("fe80::1%eth0", 6000)]),
        ("postgres://a,b:1,[::2]:2/d", vec![tcp("a", 5432), tcp("b", 1), tcp("::2", 2)]),
        ("postgres://%2Frun%2Fpostgresql/d", vec![unix("/run/postgresql", 5432)]),
        ("postgres://u@%2Ftmp:5433", vec![unix("/tmp", 5433)]),
        ("postgres:///d?host=/run/postgresql&port=5433", vec![unix("/run/postgresql", 5433)]),
        ("postgres://?host=a,/tmp,::1&port=1,2,3", vec![tcp("a", 1), unix("/tmp", 2), tcp("::1", 3)]),
        ("postgres://a,b/?port=9", vec![tcp("a", 9), tcp("b", 9)]),
        ("postgres:///?host=@pg", vec![unix("@pg", 5432)]),
    ] {
        let read = url(text);
        assert_eq!(read.hosts, hosts, "{text}");
        assert_eq!(url(&read.to_string()).hosts, hosts, "{text} prints as {read}");
    }
}

#[test]
fn refuses_the_rest_and_says_what_to_write() {
    for (text, says) in [
        ("", "postgres://user@host"),
        ("mysql://h/d", "postgres://user@host"),
        ("host=h dbname=d", "postgres://user@host"),
        ("postgres://", "names no host"),
        ("postgres:///shop", "?host=/run/postgresql"),
        ("postgres://h:0", "`0` is not a port"),
        ("postgres://h:65536", "1 to 65535"),
        ("postgres://h:+1", "1 to 65535"),
        ("postgres://h:", "is not a port"),
        ("postgres://::1/d", "IPv6 in brackets"),
        ("postgres://[::1", "is not a host"),
        ("postgres://[::1]x", "is not a host"),
        ("postgres://[h]", "is not a host"),
        ("postgres://a,,b", "is not a host"),
        ("postgres://a b", "is not a host"),
        ("postgres://-h", "is not a host"),
        ("postgres://h/%zz", "%25"),
        ("postgres://h/%f", "%25"),
        ("postgres://h/%ff", "UTF-8"),
        ("postgres://h/a%00b", "zero bytes"),
        ("postgres://h?host=g", "hosts twice"),
        ("postgres://a,b,c?port=1,2", "3 hosts and 2 ports"),
        ("postgres://h?sslmode=on", "known: disable"),
        ("postgres://h?sslmode=allow&sslmode=allow", "`sslmode` is given twice"),
        ("postgres://u@h?user=v", "`user` is given twice"),
        ("postgres://h?target_session_attrs=read-write", "`target_session_attrs` does not go into the URL"),
        ("postgres://h?sslrootcert=ca.pem", "server_tls.ca"),
        ("postgres://u:p/q@h/d", "%2F"),
        ("postgres://h?colour=red", "there is no parameter `colour`"),
    ] {
        let error = text.parse::<ServerUrl>().expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn the_password_is_never_printed() {
    let secret = url("postgres://app:hunter2@h/d?sslmode=require");
    let printed = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(secret.to_string(), "postgres://app:<redacted>@h/d?sslmode=require");
    assert_eq!(secret.to_string().parse::<ServerUrl>(), Err(UrlError::Redacted));
    for wrong in ["postgres://app:hun/ter2@h", "postgres://app:hun?ter2@h", "postgres://app:hun%ter2@h"] {
        let error = wrong.parse::<ServerUrl>().expect_err(wrong).to_string();
        assert!(!error.contains("ter2") && !error.contains("hun"), "{error}");
    }
}

#[test]
fn prints_as_it_reads() {
    for text in [
        "postgres://app@127.0.0.1/shop",
        "postgres://db:5433",
        "postgres://a,b:1/d?sslmode=disable&application_name=x%20y",
        "postgres://%C3%A9t%C3%A9@%2Frun%2Fpostgresql/d%26d",
        "postgres://[::1]:7/d",
    ] {
        assert_eq!(url(text).to_string(), text);
        let json = serde_json::to_string(&url(text)).unwrap();
        assert_eq!(serde_json::from_str::<ServerUrl>(&json).unwrap(), url(text));
    }
    assert!(serde_json::from_str::<ServerUrl>("5").is_err());
}
