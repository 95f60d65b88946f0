//! Appending first packets.

use super::{CANCEL, GSS_ENCRYPTION, SSL, version_3};

/// Asks for TLS.
pub fn ssl_request(out: &mut Vec<u8>) {
    packet(out, SSL, |_| {});
}

/// Asks for encryption by GSSAPI.
pub fn gss_encryption_request(out: &mut Vec<u8>) {
    packet(out, GSS_ENCRYPTION, |_| {});
}

/// Asks that another connection's query be cancelled.
pub fn cancel_request(out: &mut Vec<u8>, pid: u32, key: &[u8]) {
    packet(out, CANCEL, |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Asks for a session. A parameter without a name, which would end them all, is left out; names and values end at a
/// NUL, should they hold one.
pub fn startup<N: AsRef<str>, V: AsRef<str>>(
    out: &mut Vec<u8>,
    minor: u16,
    parameters: impl IntoIterator<Item = (N, V)>,
) {
    packet(out, version_3(minor), |out| {
        for (name, value) in parameters {
            let [name, value] =
                [name.as_ref(), value.as_ref()].map(|text| text.split('\0').next().unwrap_or(""));
            if name.is_empty() {
                continue;
            }
            for text in [name, value] {
                out.extend_from_slice(text.as_bytes());
                out.push(0);
            }
        }
        out.push(0);
    });
}

/// # Panics
/// At 4 GiB, which no packet comes near.
fn packet(out: &mut Vec<u8>, code: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&code.to_be_bytes());
    fill(out);
    let length = u32::try_from(out.len() - start).expect("a first packet is short");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
