//! What is read from files: certificates with their keys, and authorities. Read as a unit.

use std::path::PathBuf;

use super::TlsProblem;
use super::authorities::{Anchors, Authorities};
use super::config::Certificate;
use super::files::Stamps;
use super::identity::Identity;

/// Where it all comes from.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub certificates: Vec<Certificate>,
    pub authorities: Option<Authorities>,
    /// What the authorities issue: `server's` or `clients'`.
    pub issued: &'static str,
    pub base: PathBuf,
}

/// One state of the files.
#[derive(Debug)]
pub(crate) struct Material {
    /// In the order of the configuration.
    pub identities: Vec<Identity>,
    pub anchors: Anchors,
}

impl Files {
    /// Reads them all, and finds all faults.
    pub(crate) fn read(&self) -> Result<Material, Vec<TlsProblem>> {
        let (mut identities, mut problems) = (Vec::new(), Vec::new());
        let anchors = match &self.authorities {
            Some(authorities) => Anchors::read(authorities, &self.base, self.issued),
            None => Ok(Anchors::none()),
        };
        let anchors = anchors.unwrap_or_else(|problem| {
            problems.push(problem);
            Anchors::none()
        });
        for (index, certificate) in self.certificates.iter().enumerate() {
            match Identity::load(&self.base, &certificate.cert, &certificate.key, index) {
                Ok(identity) => identities.push(identity),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(Material { identities, anchors }) } else { Err(problems) }
    }

    /// The state of the files now.
    pub(crate) fn stamps(&self) -> Stamps {
        let authorities = match &self.authorities {
            Some(Authorities::File(file)) => Some(file),
            Some(Authorities::System) | None => None,
        };
        let files = self.certificates.iter().flat_map(|certificate| [&certificate.cert, &certificate.key]);
        Stamps::of(&files.chain(authorities).map(|file| self.base.join(file)).collect::<Vec<_>>())
    }

    /// Reads the files again if they are not as they were seen.
    pub(crate) fn read_changed(&self, seen: &Stamps) -> Option<(Stamps, Result<Material, Vec<TlsProblem>>)> {
        let stamps = self.stamps();
        (stamps != *seen).then(|| (stamps, self.read()))
    }
}
