//! Credentials are read in one way only; files of users and places of tokens, whatever is in them.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deepwater_auth::{Users, bearer, cookie, query, read_credentials};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let field = [b"Basic ", bytes].concat();
    if let Ok((name, password)) = read_credentials(&field) {
        let written = STANDARD.encode([name.as_bytes(), b":", &password].concat());
        assert_eq!(written.as_bytes(), bytes.trim_ascii());
        assert!(!name.contains([':', '\r', '\n', '\0']));
    }
    let _ = read_credentials(bytes);

    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(users) = Users::from_htpasswd(text)
    {
        assert!(!users.is_empty() && users.len() <= text.lines().count());
    }

    if let Ok(Some(token)) = bearer([bytes]) {
        assert!(!token.is_empty() && !token.contains(&b' '));
    }
    if let Ok(Some(value)) = cookie([bytes], "t") {
        assert!(!value.is_empty() && !value.contains(&b';'));
    }
    if let Ok(Some(value)) = query(bytes, "t") {
        assert!(!value.is_empty() && !value.contains(&b'&'));
    }
});
