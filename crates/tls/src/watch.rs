//! Taking up changed files.

use std::pin::pin;
use std::time::Duration;

use deepwater_core::Context;

use super::TlsProblem;
use super::authorities::Authorities;
use super::event::{AuthoritiesReloaded, CertificateExpired, CertificateRejected, CertificateReloaded};
use super::files::Stamps;
use super::material::{Files, Material};

/// What serves one state of the files until it is handed another.
pub(crate) trait Holder {
    fn files(&self) -> &Files;

    /// Looks at the state in force.
    fn see<T>(&self, look: impl FnOnce(&Material) -> T) -> T;

    /// Puts a state in force.
    fn put(&self, material: Material) -> Result<(), TlsProblem>;
}

/// Takes up changed files, looking every so often, until the process drains. Files are read as a unit: while any is
/// faulty all stay as they are.
///
/// A certificate and its key are seldom replaced in the same instant, so a fault is told ([`CertificateRejected`],
/// once for each change) only when nothing more has changed at the next look.
pub(crate) async fn watch(holder: &impl Holder, loaded: Stamps, every: Duration, context: Context) {
    let mut draining = pin!(context.shutdown.draining());
    let mut seen = loaded;
    let mut untold: Option<Vec<TlsProblem>> = None;
    let mut expired = Vec::new();
    loop {
        tell_expired(holder, &mut expired, &context);
        tokio::select! {
            () = &mut draining => return,
            () = tokio::time::sleep(every) => {}
        }
        // A file may lie on a slow disk, and this thread may serve requests.
        let look = tokio::task::spawn_blocking({
            let (files, seen) = (holder.files().clone(), seen.clone());
            move || files.read_changed(&seen)
        });
        match look.await {
            Ok(None) => {
                if let Some(problems) = untold.take() {
                    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                    context.events.emit(CertificateRejected { problems: problems.join("; ") });
                }
            }
            Ok(Some((stamps, read))) => {
                seen = stamps;
                match read.and_then(|material| take_up(holder, material, &context)) {
                    Ok(()) => {
                        untold = None;
                        expired.clear();
                    }
                    Err(problems) => untold = Some(problems),
                }
            }
            // The runtime is ending.
            Err(_) => return,
        }
    }
}

/// Reads the files anew, changed or not, and takes them up.
pub(crate) fn reload(holder: &impl Holder, context: &Context) -> Result<(), Vec<TlsProblem>> {
    take_up(holder, holder.files().read()?, context)
}

fn take_up(holder: &impl Holder, new: Material, context: &Context) -> Result<(), Vec<TlsProblem>> {
    let (reloaded, authorities) = holder.see(|old| {
        let unknown = new.identities.iter().filter(|identity| {
            let chain = &identity.certified.cert;
            old.identities.iter().all(|known| known.certified.cert != *chain)
        });
        let reloaded: Vec<_> = unknown
            .map(|identity| CertificateReloaded {
                names: identity.names_text(),
                not_after: identity.not_after(),
                file: identity.file.clone(),
            })
            .collect();
        let authorities = match &holder.files().authorities {
            Some(Authorities::File(file)) if old.anchors.certificates != new.anchors.certificates => {
                Some(AuthoritiesReloaded { file: file.clone(), count: new.anchors.certificates.len() })
            }
            _ => None,
        };
        (reloaded, authorities)
    });
    holder.put(new).map_err(|problem| vec![problem])?;
    for event in reloaded {
        context.events.emit(event);
    }
    if let Some(event) = authorities {
        context.events.emit(event);
    }
    Ok(())
}

/// Tells once of each certificate that has expired.
fn tell_expired(holder: &impl Holder, told: &mut Vec<usize>, context: &Context) {
    let now = context.clock.wall();
    holder.see(|material| {
        for (position, identity) in material.identities.iter().enumerate() {
            if identity.is_expired(now) && !told.contains(&position) {
                told.push(position);
                context.events.emit(CertificateExpired {
                    names: identity.names_text(),
                    not_after: identity.not_after(),
                    file: identity.file.clone(),
                });
            }
        }
    });
}
