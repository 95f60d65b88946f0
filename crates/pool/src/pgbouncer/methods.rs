//! `auth_type`.

use super::draft::Draft;
use crate::config::AuthMethod;
use crate::lines::Fault;

pub(super) const POOL_MODES: &[&str] = &["session", "transaction", "statement"];
pub(super) const AUTH_TYPES: &[&str] =
    &["any", "trust", "plain", "md5", "cert", "hba", "ldap", "pam", "scram-sha-256"];

pub(super) fn set(draft: &mut Draft<'_>, name: &str) -> Result<(), Fault> {
    let refused = |why: &str| {
        Err(Fault::new(format!("auth_type `{name}` is not supported: {why}"))
            .fix("use scram-sha-256 with auth_file, or with auth_user and auth_query"))
    };
    draft.config.auth.method = match name {
        "any" => AuthMethod::Any,
        "trust" => AuthMethod::Trust,
        "plain" => AuthMethod::Plain,
        "md5" => AuthMethod::Md5,
        "cert" => AuthMethod::Cert,
        "hba" => AuthMethod::Hba,
        "scram-sha-256" => AuthMethod::ScramSha256,
        "ldap" => return refused("passwords are not passed on to a directory"),
        "pam" => return refused("it would need C code that blocks every client meanwhile"),
        _ => return refused("it is not known"),
    };
    Ok(())
}
