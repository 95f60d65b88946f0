//! What happened to the certificates while they were watched.

use deepwater_core::event;

event! {
    /// A changed file was taken up.
    pub struct CertificateReloaded { names: String, not_after: String, file: String }
    certificate_reloaded: Info, "the certificate for {names} in {file} was taken up; it expires on {not_after}"
}

event! {
    /// A changed file of authorities was taken up.
    pub struct AuthoritiesReloaded { file: String, count: usize }
    authorities_reloaded: Info, "the certificate authorities in {file} were taken up: {count}"
}

event! {
    /// A changed file cannot be used. What was in force before still is.
    pub struct CertificateRejected { problems: String }
    certificate_rejected: Warn, "changed certificate files were not taken up: {problems}"
}

event! {
    /// A certificate is in force that peers no longer accept.
    pub struct CertificateExpired { names: String, not_after: String, file: String }
    certificate_expired: Error, "the certificate for {names} in {file} expired on {not_after}"
}
