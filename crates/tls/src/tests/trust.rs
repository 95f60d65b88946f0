//! Which servers are the right ones: libpq's `sslmode`.

use rcgen::DnType;
use rustls::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_cert::der::asn1::Any;
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};

use super::*;

impl Fixture {
    /// Connects to a server with a certificate, expecting it under a name.
    async fn trusts(&self, trust: Trust, server: &Certificate, name: &str) -> std::io::Result<Seen> {
        let server = self.load(std::slice::from_ref(server)).unwrap();
        connect(server.acceptor(), self.towards(trust), server_name(name).unwrap()).await
    }

    fn towards(&self, trust: Trust) -> Arc<ClientConfig> {
        ClientTls::load(client(trust), self.path()).unwrap().config()
    }

    /// A certificate that nobody else vouches for, as `openssl req -x509` makes them: one of an authority.
    fn self_signed(
        &self,
        file: &str,
        names: &[&str],
        change: impl Fn(&mut CertificateParams),
    ) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        self.write(&format!("{file}.pem"), params.self_signed(&key).unwrap().pem());
        self.write(&format!("{file}.key"), key.serialize_pem());
        Certificate { cert: format!("{file}.pem"), key: format!("{file}.key") }
    }
}

fn its_own(certificate: &Certificate) -> Authorities {
    Authorities::File(certificate.cert.clone())
}

fn common(name: &str) -> impl Fn(&mut CertificateParams) {
    move |params| params.distinguished_name.push(DnType::CommonName, name)
}

#[tokio::test]
async fn require_takes_anyone() {
    let fixture = Fixture::new();
    let stranger = fixture.self_signed("stranger", &["elsewhere.example"], |_| {});
    let expired = fixture.issue_with("old", &["db.internal"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    for server in [stranger, expired] {
        fixture.trusts(Trust::Anyone, &server, "db.internal").await.unwrap();
    }
}

#[tokio::test]
async fn anyone_still_holds_the_key_of_the_certificate() {
    let fixture = Fixture::new();
    let known = fixture.self_signed("db", &["db.internal"], |_| {});
    let certificate = pem::Pem::read(fixture.path(), &known.cert).unwrap().certificates;
    let borrowed = KeyPair::generate().unwrap().serialize_der().try_into().unwrap();
    let key = provider().key_provider.load_private_key(borrowed).unwrap();
    let borrowed = Arc::new(SingleCertAndKey::from(CertifiedKey::new(certificate, key)));
    for version in [&TLS12, &rustls::version::TLS13] {
        let impostor = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&borrowed) as _);
        let impostor = TlsAcceptor::from(Arc::new(impostor));
        for trust in [Trust::Anyone, Trust::Issued(its_own(&known)), Trust::Named(its_own(&known))] {
            let name = server_name("db.internal").unwrap();
            let refusal = connect(impostor.clone(), fixture.towards(trust), name).await.unwrap_err();
            assert!(refusal.to_string().contains("BadSignature"), "{refusal}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_key_is_understood_in_both_versions() {
    let fixture = Fixture::new();
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_ED25519,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["db.internal".into()]).unwrap();
        fixture.write("db.pem", params.signed_by(&key, &fixture.authority).unwrap().pem());
        fixture.write("db.key", key.serialize_pem());
        let server = Certificate { cert: "db.pem".into(), key: "db.key".into() };
        let identity = identity::Identity::load(fixture.path(), &server.cert, &server.key, 0).unwrap();
        let resolver = Arc::new(SingleCertAndKey::from(identity.certified));
        for version in [&TLS12, &rustls::version::TLS13] {
            let config = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&resolver) as _);
            let acceptor = TlsAcceptor::from(Arc::new(config));
            for trust in [Trust::Anyone, Trust::Named(ca())] {
                let name = server_name("db.internal").unwrap();
                let seen = connect(acceptor.clone(), fixture.towards(trust), name).await;
                assert!(seen.is_ok(), "{algorithm:?} {version:?} {seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn verify_ca_asks_for_the_authority_and_not_for_the_name() {
    let (fixture, elsewhere) = (Fixture::new(), Fixture::new());
    let server = fixture.issue("db", &["db.internal"]);
    fixture.trusts(Trust::Issued(ca()), &server, "other.internal").await.unwrap();
    fixture.trusts(Trust::Issued(ca()), &server, "10.0.0.1").await.unwrap();

    fixture.write("elsewhere.pem", elsewhere.authority.pem());
    let foreign = Trust::Issued(Authorities::File("elsewhere.pem".into()));
    // Both authorities bear the same name, so the signature tells them apart.
    let refusal = fixture.trusts(foreign, &server, "db.internal").await.unwrap_err();
    assert!(refusal.to_string().contains("BadSignature"), "{refusal}");
    let stranger = fixture.self_signed("stranger", &["db.internal"], |_| {});
    fixture.trusts(Trust::Issued(ca()), &stranger, "db.internal").await.expect_err("its own authority");
}

#[tokio::test]
async fn verify_full_asks_for_the_name_too() {
    let fixture = Fixture::new();
    let server = fixture.issue_with("db", &["db.internal", "*.db.internal", "10.0.0.1", "::1"], |params| {
        params.distinguished_name.push(DnType::CommonName, "common.internal");
    });
    for right in ["db.internal", "DB.internal", "one.db.internal", "10.0.0.1", "::1", "[::1]"] {
        fixture.trusts(Trust::Named(ca()), &server, right).await.unwrap();
    }
    for wrong in ["other.internal", "a.one.db.internal", "10.0.0.2", "::2", "common.internal"] {
        let refusal = fixture.trusts(Trust::Named(ca()), &server, wrong).await.unwrap_err();
        assert!(refusal.to_string().contains("not valid for name"), "{wrong}: {refusal}");
    }
    let stranger = fixture.self_signed("stranger", &["db.internal"], |_| {});
    fixture.trusts(Trust::Named(ca()), &stranger, "db.internal").await.expect_err("the name alone");
}

#[tokio::test]
async fn without_alternative_names_the_common_name_counts() {
    let fixture = Fixture::new();
    let named = |name: &str| fixture.issue_with("db", &[], common(name));
    let full =
        async |server: &Certificate, name: &str| fixture.trusts(Trust::Named(ca()), server, name).await;

    let server = named("db.internal");
    full(&server, "db.internal").await.unwrap();
    full(&server, "DB.Internal").await.unwrap();
    for wrong in ["other.internal", "one.db.internal", "10.0.0.1"] {
        full(&server, wrong).await.expect_err(wrong);
    }
    fixture.trusts(Trust::Web(ca()), &server, "db.internal").await.expect_err("not on the web");

    let server = named("*.db.internal");
    full(&server, "one.db.internal").await.unwrap();
    for wrong in ["db.internal", "a.one.db.internal", "one.other.internal"] {
        full(&server, wrong).await.expect_err(wrong);
    }

    let server = named("10.0.0.1");
    full(&server, "10.0.0.1").await.unwrap();
    full(&server, "10.0.0.2").await.expect_err("another address");

    full(&named("db.internal\0.evil.example"), "db.internal").await.expect_err("CVE-2009-4034");
}

#[tokio::test]
async fn a_server_that_signed_its_own_certificate_may_be_the_authority() {
    let fixture = Fixture::new();
    let server = fixture.self_signed("db", &[], common("db.internal"));
    fixture.trusts(Trust::Issued(its_own(&server)), &server, "other.internal").await.unwrap();
    fixture.trusts(Trust::Named(its_own(&server)), &server, "db.internal").await.unwrap();
    fixture.trusts(Trust::Named(its_own(&server)), &server, "other.internal").await.expect_err("the name");
    fixture.trusts(Trust::Web(its_own(&server)), &server, "db.internal").await.expect_err("not on the web");

    for (from, to) in [(2020, 2021), (3020, 3021)] {
        let untimely = fixture.self_signed("db", &["db.internal"], |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let refused = fixture.trusts(Trust::Issued(its_own(&untimely)), &untimely, "db.internal").await;
        let refusal = refused.unwrap_err().to_string();
        let expected = if from < 3000 { "Expired" } else { "NotValidYet" };
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_is_served_and_trusted() {
    // As OpenSSL 3.0 makes them by the recipe in PostgreSQL's documentation: no version, no extensions.
    let fixture = Fixture::new();
    let server = fixture.self_signed("db", &[], common("db.internal"));
    let modern = pem::Pem::read(fixture.path(), &server.cert).unwrap().certificates.remove(0);
    let mut parts = Vec::<Any>::from_der(&modern).unwrap();
    let mut fields = parts[0].decode_as::<Vec<Any>>().unwrap();
    fields.retain(|field| !matches!(field.tag(), Tag::ContextSpecific { .. }));
    parts[0] = Any::encode_from(&fields).unwrap();
    let der = parts.to_der().unwrap();
    let text = pem_of(&der);
    fixture.write(&server.cert, text);

    assert_eq!(common_name(&CertificateDer::from(der)).as_deref(), Some("db.internal"));
    for trust in [Trust::Anyone, Trust::Issued(its_own(&server)), Trust::Named(its_own(&server))] {
        fixture.trusts(trust, &server, "db.internal").await.unwrap();
    }
    fixture.trusts(Trust::Named(its_own(&server)), &server, "other.internal").await.expect_err("the name");
}

fn pem_of(der: &[u8]) -> String {
    use std::fmt::Write as _;
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits =
                three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for at in 0..4 {
                let sextet = alphabet[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= three.len() { sextet.into() } else { '=' });
            }
        }
        writeln!(text).unwrap();
    }
    text + "-----END CERTIFICATE-----\n"
}

#[tokio::test]
async fn tls_1_2_can_be_refused_by_a_client() {
    let fixture = Fixture::new();
    let server = fixture.issue("db", &["db.internal"]);
    let identity = identity::Identity::load(fixture.path(), &server.cert, &server.key, 0).unwrap();
    let old = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified)));
    let old = TlsAcceptor::from(Arc::new(old));
    let towards = |min| {
        let client = ClientSpec { min, ..client(Trust::Named(ca())) };
        ClientTls::load(client, fixture.path()).unwrap().config()
    };
    let name = server_name("db.internal").unwrap();
    connect(old.clone(), towards(TlsVersion::V1_2), name.clone()).await.unwrap();
    connect(old, towards(TlsVersion::V1_3), name).await.expect_err("too old");
}

#[tokio::test]
async fn a_clients_changed_files_are_taken_up() {
    let (fixture, elsewhere) = (Fixture::new(), Fixture::new());
    let server = fixture.load(&[fixture.issue("db", &["db.internal"])]).unwrap();
    let own = fixture.issue("own", &["pool.internal"]);
    let spec = ClientSpec { cert: Some(own.cert), key: Some(own.key), ..client(Trust::Issued(ca())) };
    let client = Arc::new(ClientTls::load(spec, fixture.path()).unwrap());
    let context = Context::new(1, Events::silent());
    let trusted = async || {
        connect(server.acceptor(), client.config(), server_name("db.internal").unwrap()).await.is_ok()
    };
    tokio::time::pause();
    let watch = Arc::clone(&client).watch(Duration::from_secs(10), context.clone());
    let test = async {
        assert!(trusted().await);
        fixture.write("ca.pem", elsewhere.authority.pem());
        until_told(&context, "authorities_reloaded", 1).await;
        assert!(!trusted().await);
        fixture.write("ca.pem", "nothing");
        until_told(&context, "certificate_rejected", 1).await;
        fixture.write("ca.pem", fixture.authority.pem());
        until_told(&context, "authorities_reloaded", 2).await;
        assert!(trusted().await);
        fixture.issue("own", &["newer.internal"]);
        until_told(&context, "certificate_reloaded", 1).await;
        assert_eq!(client.status().unwrap().names, ["newer.internal"]);
    };
    tokio::select! {
        () = watch => panic!("the watch goes on until the process drains"),
        () = test => {}
    }
}
