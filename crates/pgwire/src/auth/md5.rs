//! MD5 passwords (PostgreSQL documentation, "Password Authentication"): weak, and still in use.

use md5::{Digest as _, Md5};

/// What a stored secret and an answer begin with.
const PREFIX: &str = "md5";
/// Bytes of a secret: the prefix and 32 hexadecimal digits.
const SECRET_BYTES: usize = 35;

/// The secret a server stores: `md5` and the hash of the password and the user.
#[must_use]
pub fn secret(user: &str, password: impl AsRef<[u8]>) -> String {
    hash(password.as_ref(), user.as_bytes())
}

/// The answer to a salt by who knows the secret.
#[must_use]
pub fn answer(secret: &str, salt: [u8; 4]) -> String {
    hash(secret.strip_prefix(PREFIX).unwrap_or(secret).as_bytes(), &salt)
}

/// The answer to a salt by who knows the password.
#[must_use]
pub fn password(user: &str, password: impl AsRef<[u8]>, salt: [u8; 4]) -> String {
    answer(&secret(user, password), salt)
}

/// Whether an answer is right, without telling by the time it takes where it is wrong.
#[must_use]
pub fn verify(secret: &str, salt: [u8; 4], given: &[u8]) -> bool {
    super::equal(answer(secret, salt).as_bytes(), given)
}

/// Whether a stored password is such a secret.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    let lower_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    text.len() == SECRET_BYTES
        && text.strip_prefix(PREFIX).is_some_and(|hex| hex.as_bytes().iter().all(lower_hex))
}

fn hash(first: &[u8], second: &[u8]) -> String {
    let digest = Md5::new().chain_update(first).chain_update(second).finalize();
    let mut text = String::with_capacity(SECRET_BYTES);
    text.push_str(PREFIX);
    for byte in digest {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

#[cfg(test)]
mod tests;
