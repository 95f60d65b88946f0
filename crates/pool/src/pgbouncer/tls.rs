//! `client_tls_…` and `server_tls_…`.

use super::draft::Draft;
use crate::config::{ClientTlsMode, ServerTlsMode};
use crate::lines::Fault;

pub(super) fn set_client_mode(draft: &mut Draft<'_>, name: &str) -> Result<(), Fault> {
    draft.config.tls.mode = match name {
        "disable" => ClientTlsMode::Disable,
        // The same to PgBouncer.
        "allow" | "prefer" => ClientTlsMode::Allow,
        "require" => ClientTlsMode::Require,
        _ => ClientTlsMode::VerifyFull,
    };
    Ok(())
}

pub(super) fn set_server_mode(draft: &mut Draft<'_>, name: &str) -> Result<(), Fault> {
    draft.config.server_tls.mode = match name {
        "disable" => ServerTlsMode::Disable,
        // PgBouncer asks for TLS with `allow` too.
        "allow" | "prefer" => ServerTlsMode::Prefer,
        "require" => ServerTlsMode::Require,
        "verify-ca" => ServerTlsMode::VerifyCa,
        _ => ServerTlsMode::VerifyFull,
    };
    Ok(())
}

pub(super) fn set_client_protocols(draft: &mut Draft<'_>, protocols: &str) -> Result<(), Fault> {
    draft.config.tls.only_1_3 = only_1_3(draft, protocols)?;
    Ok(())
}

pub(super) fn set_server_protocols(draft: &mut Draft<'_>, protocols: &str) -> Result<(), Fault> {
    draft.config.server_tls.only_1_3 = only_1_3(draft, protocols)?;
    Ok(())
}

/// Whether a list of protocols leaves TLS 1.3 alone.
fn only_1_3(draft: &mut Draft<'_>, protocols: &str) -> Result<bool, Fault> {
    let versions = Versions::read(protocols)?;
    if !versions.v1_2 && !versions.v1_3 {
        return Err(Fault::new(format!("`{protocols}` leaves neither TLS 1.2 nor TLS 1.3"))
            .fix("write secure: the older versions are broken"));
    }
    if versions.older {
        draft.note("TLS 1.0 and 1.1 are broken and not spoken");
    }
    if !versions.v1_3 {
        draft.note("TLS 1.3 is spoken too");
    }
    Ok(!versions.v1_2)
}

#[derive(Default)]
struct Versions {
    older: bool,
    v1_2: bool,
    v1_3: bool,
}

impl Versions {
    fn read(protocols: &str) -> Result<Self, Fault> {
        let mut versions = Self::default();
        for word in protocols.split([',', ':', ' ']).filter(|word| !word.is_empty()) {
            let (name, on) = word.strip_prefix('!').map_or((word, true), |name| (name, false));
            match name.to_ascii_lowercase().as_str() {
                "all" | "legacy" | "tlsv1" => versions = Self { older: on, v1_2: on, v1_3: on },
                "secure" | "default" => (versions.v1_2, versions.v1_3) = (on, on),
                "tlsv1.0" | "tlsv1.1" => versions.older = on,
                "tlsv1.2" => versions.v1_2 = on,
                "tlsv1.3" => versions.v1_3 = on,
                _ => {
                    return Err(Fault::new(format!("`{word}` is not a TLS version"))
                        .fix("write secure, or a list of tlsv1.2 and tlsv1.3"));
                }
            }
        }
        Ok(versions)
    }
}

#[cfg(test)]
mod tests {
    use super::Versions;

    #[test]
    fn lists_of_protocols() {
        for (text, expected) in [
            ("secure", Some((false, true, true))),
            ("all", Some((true, true, true))),
            ("tlsv1.0,tlsv1.1,tlsv1.2,tlsv1.3", Some((true, true, true))),
            ("TLSv1.3", Some((false, false, true))),
            ("secure, !tlsv1.2", Some((false, false, true))),
            ("tlsv1.2", Some((false, true, false))),
            ("", Some((false, false, false))),
            ("sslv3", None),
        ] {
            let read =
                Versions::read(text).ok().map(|versions| (versions.older, versions.v1_2, versions.v1_3));
            assert_eq!(read, expected, "{text}");
        }
    }
}
