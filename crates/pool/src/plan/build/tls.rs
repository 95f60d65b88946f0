//! TLS on both sides.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use deepwater_core::config::Place;
use deepwater_tls::{
    Authorities, Certificate, ClientAuth, ClientSpec, ClientTls, ServerSpec, ServerTls, TlsProblem,
    TlsVersion, Trust,
};

use crate::config::{AuthMethod, ClientTlsMode, Config, Host, ServerTlsMode};

/// What is spoken inside TLS (ALPN, PostgreSQL 17).
pub(crate) const ALPN: &[u8] = b"postgresql";

type Built = (Option<Arc<ServerTls>>, HashMap<ServerTlsMode, Arc<ClientTls>>);

pub(super) fn build(config: &Config, directory: &Path, place: &Place<'_>) -> Option<Built> {
    let clients = clients(config, directory, &place.at("tls"));
    if config.auth.method == AuthMethod::Cert && config.tls.mode == ClientTlsMode::Disable {
        let fix = "set tls.mode = \"verify_full\", with `cert`, `key` and `ca`";
        place
            .at("auth")
            .at("method")
            .problem_with_fix("certificates come with TLS alone, which is disabled", fix);
        return None;
    }
    let servers = servers(config, directory, &place.at("server_tls"));
    Some((clients?, servers?))
}

fn min(only_1_3: bool) -> TlsVersion {
    if only_1_3 { TlsVersion::V1_3 } else { TlsVersion::V1_2 }
}

fn clients(config: &Config, directory: &Path, place: &Place<'_>) -> Option<Option<Arc<ServerTls>>> {
    let tls = &config.tls;
    if tls.mode == ClientTlsMode::Disable {
        return Some(None);
    }
    let (Some(cert), Some(key)) = (&tls.cert, &tls.key) else {
        let missing = if tls.cert.is_none() { "cert" } else { "key" };
        let what = format!("TLS with clients needs a certificate and its key: there is no `{missing}`");
        place.at("mode").problem_with_fix(what, "name both files, `cert` and `key`");
        return None;
    };
    let client_auth = match (&tls.ca, tls.mode) {
        (Some(ca), ClientTlsMode::VerifyFull) => ClientAuth::Required(ca.clone()),
        (None, ClientTlsMode::VerifyFull) => {
            let fix = "name the file of the authorities that issue clients' certificates as `ca`";
            place
                .at("mode")
                .problem_with_fix("clients' certificates cannot be verified without authorities", fix);
            return None;
        }
        (Some(ca), _) => ClientAuth::Optional(ca.clone()),
        (None, _) => ClientAuth::None,
    };
    let spec = ServerSpec {
        certificates: vec![Certificate { cert: cert.clone(), key: key.clone() }],
        client_auth,
        min: min(tls.only_1_3),
        alpn: vec![ALPN.to_vec()],
        // SCRAM-SHA-256-PLUS is bound to the handshake's certificate.
        resume: false,
    };
    loaded(ServerTls::load(spec, directory), place).map(|tls| Some(Arc::new(tls)))
}

fn servers(
    config: &Config,
    directory: &Path,
    place: &Place<'_>,
) -> Option<HashMap<ServerTlsMode, Arc<ClientTls>>> {
    let over_tcp = config
        .databases
        .values()
        .filter(|database| database.primary.hosts.iter().any(|host| matches!(host, Host::Tcp { .. })));
    let modes: HashSet<_> = over_tcp
        .map(|database| database.primary.sslmode.unwrap_or(config.server_tls.mode))
        .filter(|mode| *mode != ServerTlsMode::Disable)
        .collect();
    let mut built = HashMap::new();
    for mode in modes {
        // The files are the same for all modes: what is wrong with them is told once.
        built.insert(mode, Arc::new(loaded(ClientTls::load(spec(config, mode), directory), place)?));
    }
    Some(built)
}

fn spec(config: &Config, mode: ServerTlsMode) -> ClientSpec {
    let tls = &config.server_tls;
    let authorities = || tls.ca.clone().map_or(Authorities::System, Authorities::File);
    ClientSpec {
        trust: match mode {
            ServerTlsMode::VerifyFull => Trust::Named(authorities()),
            ServerTlsMode::VerifyCa => Trust::Issued(authorities()),
            _ => Trust::Anyone,
        },
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        min: min(tls.only_1_3),
        alpn: vec![ALPN.to_vec()],
        // SCRAM-SHA-256-PLUS is bound to the handshake's certificate.
        resume: false,
    }
}

fn loaded<T>(result: Result<T, Vec<TlsProblem>>, place: &Place<'_>) -> Option<T> {
    result
        .map_err(|problems| {
            for problem in problems {
                place.at(problem.key).problem_with_fix(problem.what, problem.fix);
            }
        })
        .ok()
}
