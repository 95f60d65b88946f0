use super::*;

/// What PostgreSQL 15 stored for `CREATE USER … PASSWORD …`.
const BY_POSTGRESQL: [(&str, &str, &str); 7] = [
    (
        "a",
        "pencil",
        "SCRAM-SHA-256$4096:1/+RAkP4ti6erZtnjO9sOg==$6baBzBZLDDwPFgGdRFRqAxlb+7Q4jsmnOiNPOXIFhiE=:3Pc8qtQzTXvZMLlw+cutSVynI6iJDa2Ng98SABOV19s=",
    ),
    // A soft hyphen, which is mapped to nothing.
    (
        "b",
        "I\u{ad}X",
        "SCRAM-SHA-256$4096:g2zoSjt/MMImchrRwcoWYw==$Lmxb+NyZsHjH/p/aUwDtdgLOLHUBKlxcJ5e0FdmjZmc=:/jRBeAp3vunlMaBq1YWaHLkkjAfLZFQ8vOYgfqlG0Rc=",
    ),
    // Compatibility characters and a blank that is not ASCII's.
    (
        "c",
        "\u{2168} \u{aa}\u{a0}x",
        "SCRAM-SHA-256$4096:NRAf8YhROpAacPndh2yAGg==$cjHwrVG4kwGzC3Bw9pYQnAD2jLT7RoVw2g7rvxnbjNY=:0BuIJ4bAgP6QIrlQG06B5tlSqZMwUTyI3LAWh2p30Cs=",
    ),
    // A control character, forbidden.
    (
        "d",
        "bell\u{7}",
        "SCRAM-SHA-256$4096:sy/dG9nCYCkV5qoW5VQNOA==$UGVK/Une2xU1A0wQT++MPbGbANKrdh5wQzzJAPJ0riY=:xq41bvQkTP3KBdUYc1j54sCD7AjyLf5uxiT5ZsGF51M=",
    ),
    // Right to left, and ending otherwise: forbidden.
    (
        "e",
        "\u{627}1",
        "SCRAM-SHA-256$4096:pGo4Cx4uZB94jRILR6ECAw==$v+WSQ+p9nXyqtb/zAH1Ysa4HaK0EGfqQ+259Ur5Gt8k=:CGo/RhB4saq+DdQ+7rJUyWoo4Xba67TM38ll7IEdGz0=",
    ),
    // Nothing left.
    (
        "f",
        "\u{ad}",
        "SCRAM-SHA-256$4096:/cZQKEl/XdyXP9tZOJA6pw==$DVj8xe2B4OS4pg0qRWC8Kop/D9icaFEmz+e/BarSqGY=:wPVPeFSBAD/uWWaWq0p0uyNXQY9lBvGkIzYmxR0/EG0=",
    ),
    ("g", "pencil", "md56fad8bbc431764f407609e07fdb7e19b"),
];

#[test]
fn what_postgresql_stored_is_verified() {
    for (user, password, text) in BY_POSTGRESQL {
        let stored = StoredPassword::parse(text).unwrap();
        assert!(!matches!(stored, StoredPassword::Plain(_)));
        assert!(stored.verify(user, password.as_bytes()), "{user}");
        assert!(!stored.verify(user, b"another"), "{user}");
        assert!(!stored.verify(user, b""), "{user}");
        if let StoredPassword::Scram(secret) = stored {
            assert_eq!(secret.to_text(), text);
        }
    }
}

#[test]
fn what_is_no_secret_is_a_password() {
    for text in ["", "pencil", "md5", "SCRAM-SHA-256", "md56fad8bbc431764f407609e07fdb7e19"] {
        assert_eq!(StoredPassword::parse(text), Ok(StoredPassword::Plain(text.to_owned())));
        assert!(StoredPassword::parse(text).unwrap().verify("a", text.as_bytes()));
    }
}

#[test]
fn a_secret_that_is_damaged_is_no_password() {
    let secret = BY_POSTGRESQL[0].2;
    let long_salt = format!("{}====", "A".repeat(1_400));
    for damaged in [
        "SCRAM-SHA-256$",
        &secret[..secret.len() - 1],
        &format!("{secret}="),
        &secret.replace("$4096:", "$0:"),
        &secret.replace("$4096:", "$-1:"),
        &secret.replace("$4096:", "$04096:"),
        &secret.replace("$4096:", "$1000001:"),
        &secret.replace("$4096:", "$99999999999:"),
        &secret.replace("$4096:", "$:"),
        &secret.replace("1/+RAkP4ti6erZtnjO9sOg==", ""),
        &secret.replace("1/+RAkP4ti6erZtnjO9sOg==", "1/+"),
        &secret.replace("1/+RAkP4ti6erZtnjO9sOg==", &long_salt),
        &secret.replace("3Pc8", ""),
    ] {
        assert_eq!(StoredPassword::parse(damaged), Err(BadSecret), "{damaged}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    for (_, _, text) in BY_POSTGRESQL.into_iter().chain([("h", "", "pencil")]) {
        let shown = format!("{:?}", StoredPassword::parse(text).unwrap());
        assert!(["Plain", "Md5", "Scram"].contains(&&*shown), "{shown}");
        if let Ok(StoredPassword::Scram(secret)) = StoredPassword::parse(text) {
            assert_eq!(format!("{secret:?}"), "ScramSecret { iterations: 4096, .. }");
        }
    }
}
