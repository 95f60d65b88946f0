//! Servers that speak TLS.

use std::fmt::Write;
use std::sync::Arc;

use super::super::tls::{Authority, Identity};
use super::folder::Folder;
use super::server::{Postgres, Version, unique};

impl Version {
    /// A server that a test has to itself, which users reach over TLS only: it shows a certificate, takes those of users that
    /// `clients` signed, and has further rules before the others.
    pub async fn encrypted(
        self,
        shown: &Identity,
        clients: Option<&Authority>,
        rules: &str,
    ) -> Arc<Postgres> {
        let folder = Folder::get();
        let files = folder.make(&unique("tls"));
        let mut settings = "ssl = on\nlog_connections = on\n".to_owned();
        let mut name = |setting: &str, content: &str| {
            let file = files.join(setting);
            folder.write(&file, content);
            writeln!(settings, "{setting} = '{}'", file.display()).unwrap();
        };
        name("ssl_cert_file", &shown.cert);
        name("ssl_key_file", &shown.key);
        if let Some(clients) = clients {
            name("ssl_ca_file", &clients.pem());
        }
        let hba = format!(
            "hostnossl all postgres 127.0.0.1/32 trust\nhostnossl all all 127.0.0.1/32 reject\n{rules}"
        );
        Postgres::start(self, &settings, &hba).await
    }
}
