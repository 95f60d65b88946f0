//! Choosing a certificate by the name a client asks for (SNI, RFC 6066 §3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::material::Material;

/// The certificates of a listener, found by name. Handshakes under way keep those they began with.
#[derive(Debug)]
pub(super) struct Names {
    /// With one certificate or more.
    pub material: Material,
    exact: HashMap<String, Vec<usize>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<usize>>,
}

impl Names {
    pub(super) fn of(material: Material) -> Self {
        let (mut exact, mut wildcard) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (position, identity) in material.identities.iter().enumerate() {
            for name in &identity.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut wildcard, parent),
                    None => (&mut exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(position);
            }
        }
        Self { material, exact, wildcard }
    }

    /// The certificate for a name: one that has it, else one with a wildcard in place of its first label, else the
    /// first. Where several would do (say, one RSA and one ECDSA), the first that the client can verify.
    ///
    /// rustls hands the name over in lower case, and does not take an address for a name.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let parent = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(parent)
        });
        let identities = &self.material.identities;
        let candidates = || named.into_iter().flatten().filter_map(|position| identities.get(*position));
        candidates()
            .find(|identity| identity.certified.key.choose_scheme(schemes).is_some())
            .or_else(|| candidates().next())
            .or(identities.first())
            .map(|identity| &identity.certified)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes()).cloned()
    }
}
