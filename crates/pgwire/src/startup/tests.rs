use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A first packet with this code and body.
fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(FIXED_BYTES + body.len()).unwrap();
    [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

fn refusal(bytes: &[u8]) -> StartupError {
    read(bytes).unwrap_err()
}

fn parameters_of(body: &[u8]) -> Vec<(String, String)> {
    match read(&packet(version_3(0), body)) {
        Ok(Some((Startup::Start { parameters, .. }, _))) => parameters,
        other => panic!("{other:?}"),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

type Write<'a> = &'a dyn Fn(&mut Vec<u8>);

proptest! {
    #[test]
    fn what_is_written_is_read(
        minor: u16,
        values in vec("[^\0]{0,30}", 0..9),
        pid: u32,
        key in vec(any::<u8>(), MIN_KEY_BYTES..=MAX_KEY_BYTES),
        behind in vec(any::<u8>(), 0..9),
    ) {
        let parameters: Vec<_> = values.iter().enumerate().map(|(i, value)| pair(&format!("name {i}"), value)).collect();
        let cases: [(Startup, Write<'_>); 4] = [
            (Startup::Ssl, &write::ssl_request),
            (Startup::GssEncryption, &write::gss_encryption_request),
            (Startup::Cancel { pid, key: key.clone() }, &|out| write::cancel_request(out, pid, &key)),
            (Startup::Start { minor, parameters: parameters.clone() }, &|out| {
                write::startup(out, minor, parameters.iter().map(|(name, value)| (name, value)));
            }),
        ];
        for (startup, write) in cases {
            let mut bytes = Vec::new();
            write(&mut bytes);
            let used = bytes.len();
            for n in 0..used {
                prop_assert_eq!(read(&bytes[..n]), Ok(None));
            }
            bytes.extend_from_slice(&behind);
            prop_assert_eq!(read(&bytes), Ok(Some((startup, used))));
        }
    }

    #[test]
    fn no_body_brings_the_reader_down(code in prop_oneof![Just(version_3(0)), Just(CANCEL), any::<u32>()],
                                      body in vec(prop_oneof![Just(0), any::<u8>()], 0..60)) {
        let _ = read(&packet(code, &body));
    }

    #[test]
    fn no_options_bring_the_reader_down(text in "[-c=a \\\\]{0,20}") {
        if let Ok(settings) = options(&text) {
            prop_assert!(settings.iter().all(|(name, _)| !name.is_empty() && !name.contains('-')));
        }
    }
}

#[test]
fn lengths_are_bounded_before_anything_is_held() {
    for length in [0, 7, 10_001, u32::MAX] {
        assert_eq!(refusal(&length.to_be_bytes()), StartupError::Length);
    }
    // A TLS client hello is no length either.
    assert_eq!(refusal(&[0x16, 3, 1, 2, 0]), StartupError::Length);
    assert_eq!(read(&10_000_u32.to_be_bytes()), Ok(None));
    let full = [&vec![b'a'; MAX_BYTES - FIXED_BYTES - 3][..], &[0; 3]].concat();
    assert_eq!(parameters_of(&full).len(), 1);
}

#[test]
fn only_version_3_is_spoken() {
    assert_eq!(refusal(&packet(2 << 16, b"")), StartupError::Version { major: 2, minor: 0 });
    // Known before the packet is complete.
    assert_eq!(refusal(&packet(4 << 16 | 1, b"a\0")[..8]), StartupError::Version { major: 4, minor: 1 });
    assert_eq!(refusal(&packet(SSL, b"a")), StartupError::Length);
}

#[test]
fn parameters_are_pairs_up_to_an_empty_name() {
    assert_eq!(parameters_of(b"\0"), []);
    assert_eq!(parameters_of(b"user\0a\0database\0\0\0"), [pair("user", "a"), pair("database", "")]);
    assert_eq!(parameters_of(b"user\0a\0x\0y\0user\0b\0\0"), [pair("user", "b"), pair("x", "y")]);
    for body in [&b""[..], b"user\0a\0", b"user\0\0", b"user\0a", b"user\0a\0\0\0", b"\0user\0a\0\0"] {
        assert_eq!(refusal(&packet(version_3(0), body)), StartupError::Layout, "{body:?}");
    }
    assert_eq!(refusal(&packet(version_3(0), b"user\0\xff\0\0")), StartupError::Encoding);
}

#[test]
fn many_parameters_keep_their_order_and_their_last_value() {
    let names: Vec<String> = (0..3 * FEW).map(|i| format!("n{i}")).collect();
    let given: Vec<_> =
        names.iter().chain(&names).enumerate().map(|(i, name)| pair(name, &i.to_string())).collect();
    let body: String = given.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
    assert_eq!(parameters_of(format!("{body}\0").as_bytes()), given[names.len()..]);
}

#[test]
fn a_parameter_cannot_smuggle_another() {
    let mut bytes = Vec::new();
    write::startup(&mut bytes, 0, [("user", "a\0database\0secret"), ("", "x"), ("\0y", "z"), ("b", "c")]);
    let Ok(Some((Startup::Start { parameters, .. }, _))) = read(&bytes) else { panic!("{bytes:?}") };
    assert_eq!(parameters, [pair("user", "a"), pair("b", "c")]);
}

#[test]
fn keys_of_cancel_requests_are_bounded_and_not_shown() {
    for n in [0, 3, 257] {
        assert_eq!(refusal(&packet(CANCEL, &vec![0; 4 + n])), StartupError::Key);
    }
    assert_eq!(refusal(&packet(CANCEL, &[])), StartupError::Key);
    let (startup, _) = read(&packet(CANCEL, &[0, 0, 0, 1, 99, 99, 99, 99])).unwrap().unwrap();
    assert!(!format!("{startup:?}").contains("99"));
}

#[test]
fn options_are_split_as_postgresql_does() {
    let read = |text| options(text).unwrap();
    assert_eq!(read(""), []);
    assert_eq!(read("  -c a=b\t-cc=d --e-f=g "), [pair("a", "b"), pair("c", "d"), pair("e_f", "g")]);
    assert_eq!(read(r"-c search_path=a,\ b"), [pair("search_path", "a, b")]);
    assert_eq!(read(r"-c a=b\\c"), [pair("a", r"b\c")]);
    assert_eq!(read("-c geqo=off -c x.y==z="), [pair("geqo", "off"), pair("x.y", "=z=")]);
    assert_eq!(read(r"-c a=b\"), [pair("a", "b")]);
    assert_eq!(read("-c a="), [pair("a", "")]);
}

#[test]
fn options_that_set_nothing_by_name_are_refused() {
    for (text, error) in [
        ("-f s", BadOption::Unsupported("-f".into())),
        ("--", BadOption::Unsupported("--".into())),
        ("a=b", BadOption::Unsupported("a=b".into())),
        ("-c", BadOption::NoParameter),
        ("-c a", BadOption::NoValue("a".into())),
        ("--a", BadOption::NoValue("a".into())),
        ("-c =b", BadOption::NoValue("=b".into())),
    ] {
        assert_eq!(options(text), Err(error));
    }
}
