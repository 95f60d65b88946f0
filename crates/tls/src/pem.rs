//! Reading PEM files, and saying precisely what is wrong with one.

use std::io::ErrorKind;
use std::path::Path;

use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What a file cannot be used for, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    pub what: String,
    pub fix: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into() }
    }
}

/// What a PEM file holds.
#[derive(Debug)]
pub(super) struct Pem {
    /// The file, as the configuration names it.
    pub file: String,
    /// Its certificates, in order.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Its first private key.
    pub key: Option<PrivateKeyDer<'static>>,
    /// Whether it has a key that only a passphrase opens.
    locked: bool,
    /// Whether it is a certificate or key in binary.
    binary: bool,
}

impl Pem {
    /// Reads a file; its path is relative to the base.
    pub(super) fn read(base: &Path, file: &str) -> Result<Self, Fault> {
        let bytes = std::fs::read(base.join(file)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Fault::new(
                format!("the file `{file}` does not exist"),
                "give the path of a PEM file, relative to the configuration file or absolute",
            ),
            ErrorKind::PermissionDenied => Fault::new(
                format!("the file `{file}` may not be read"),
                "let the user that Deepwater runs as read it",
            ),
            _ => Fault::new(
                format!("the file `{file}` cannot be read: {error}"),
                "give the path of a PEM file, relative to the configuration file or absolute",
            ),
        })?;
        let mut pem = Self {
            file: file.to_owned(),
            certificates: Vec::new(),
            key: None,
            locked: contains(&bytes, b"ENCRYPTED"),
            // Certificates and keys in DER begin with a sequence of more than 127 bytes.
            binary: matches!(bytes.as_slice(), [0x30, 0x81..=0x84, ..]),
        };
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes) {
            let (kind, der) = section.map_err(|error| {
                Fault::new(
                    format!("the file `{file}` is damaged: {error:?}"),
                    "write it anew from its source; parts may be missing",
                )
            })?;
            match kind {
                SectionKind::Certificate => pem.certificates.push(der.into()),
                _ => pem.key = pem.key.take().or_else(|| PrivateKeyDer::from_pem(kind, der)),
            }
        }
        Ok(pem)
    }

    /// Why there is no certificate in it.
    pub(super) fn no_certificate(&self) -> Fault {
        let file = &self.file;
        if self.binary {
            return Fault::new(
                format!("the file `{file}` is binary (DER)"),
                format!("convert it: openssl x509 -inform der -in {file} -out {file}.pem"),
            );
        }
        let holds = if self.key.is_some() || self.locked { "a private key, but no" } else { "no PEM" };
        Fault::new(
            format!("the file `{file}` holds {holds} certificate"),
            "give a file with a section `-----BEGIN CERTIFICATE-----`",
        )
    }

    /// Why there is no private key in it.
    pub(super) fn no_key(&self) -> Fault {
        let file = &self.file;
        if self.locked {
            return Fault::new(
                format!("the private key in `{file}` is locked with a passphrase"),
                format!("unlock it: openssl pkey -in {file} -out {file}.unlocked"),
            );
        }
        if self.binary {
            return Fault::new(
                format!("the file `{file}` is binary (DER)"),
                format!("convert it: openssl pkey -inform der -in {file} -out {file}.pem"),
            );
        }
        let holds = if self.certificates.is_empty() { "no PEM" } else { "a certificate, but no" };
        Fault::new(
            format!("the file `{file}` holds {holds} private key"),
            "give a file with a section `-----BEGIN PRIVATE KEY-----`",
        )
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(bytes, word).is_some()
}
