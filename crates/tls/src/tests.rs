//! Real handshakes over real sockets, with certificates made for each test.

mod client_auth;
mod end_point;
mod trust;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::Context;
use deepwater_core::event::Events;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::{Resumption, Tls12Resumption};
use rustls::version::TLS12;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// A folder of certificates, and the authority that issued them.
struct Fixture {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Fixture {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        // As careful tools do: the file is replaced at once.
        let new = self.path().join(format!("{file}.new"));
        fs::write(&new, content).unwrap();
        fs::rename(new, self.path().join(file)).unwrap();
    }

    /// Issues a certificate into `<file>.pem` and `<file>.key`.
    fn issue(&self, file: &str, names: &[&str]) -> Certificate {
        self.issue_with(file, names, |_| {})
    }

    fn issue_with(&self, file: &str, names: &[&str], change: impl Fn(&mut CertificateParams)) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let (cert_file, key_file) = (format!("{file}.pem"), format!("{file}.key"));
        self.write(&cert_file, certificate.pem());
        self.write(&key_file, key.serialize_pem());
        Certificate { cert: cert_file, key: key_file }
    }

    fn load(&self, certificates: &[Certificate]) -> Result<ServerTls, Vec<TlsProblem>> {
        ServerTls::load(spec(certificates), self.path())
    }

    /// A client that trusts the authority and speaks HTTP/2.
    fn client(&self) -> Arc<ClientConfig> {
        self.client_of(H2)
    }

    fn client_of(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let client = ClientSpec { alpn: vec![protocol.to_vec()], ..client(Trust::Web(ca())) };
        ClientTls::load(client, self.path()).unwrap().config()
    }

    fn client_tls12(&self) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The only fault of a single certificate, as `key: what; fix`.
    fn fault(&self, cert: &str, key: &str) -> String {
        let certificate = Certificate { cert: cert.into(), key: key.into() };
        let problems = self.load(&[certificate]).err().expect("it is faulty");
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        format!("{}: {problem}", problem.key)
    }
}

/// A listener for HTTP.
fn spec(certificates: &[Certificate]) -> ServerSpec {
    ServerSpec {
        certificates: certificates.to_vec(),
        client_auth: ClientAuth::None,
        min: TlsVersion::V1_2,
        alpn: vec![H2.to_vec(), HTTP_1_1.to_vec()],
        resume: true,
    }
}

/// A client without a certificate, for anything inside.
fn client(trust: Trust) -> ClientSpec {
    ClientSpec { trust, cert: None, key: None, min: TlsVersion::V1_2, alpn: Vec::new(), resume: true }
}

/// The fixture's authority.
fn ca() -> Authorities {
    Authorities::File("ca.pem".into())
}

/// What a client saw of a handshake.
#[derive(Debug)]
struct Seen {
    names: Vec<String>,
    kind: HandshakeKind,
    version: ProtocolVersion,
    alpn: Option<Vec<u8>>,
}

/// One connection: a handshake, a byte from the server, the end.
async fn connect(
    acceptor: TlsAcceptor,
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> std::io::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async {
        let (socket, _) = listener.accept().await?;
        let mut tls = acceptor.accept(socket).await?;
        tls.write_all(b"!").await?;
        tls.shutdown().await
    };
    let client = async {
        let socket = TcpStream::connect(address).await?;
        let mut tls = TlsConnector::from(client).connect(name, socket).await?;
        // Tickets come with the first bytes.
        tls.read_to_end(&mut Vec::new()).await?;
        let connection = tls.get_ref().1;
        Ok(Seen {
            names: identity::names_of(
                &connection.peer_certificates().expect("a server shows a certificate")[0],
            ),
            kind: connection.handshake_kind().expect("the handshake is done"),
            version: connection.protocol_version().expect("the handshake is done"),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        })
    };
    let (_, seen) = tokio::join!(server, client);
    seen
}

async fn names_served(server: &ServerTls, client: &Arc<ClientConfig>, name: &str) -> Vec<String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    connect(server.acceptor(), Arc::clone(client), name).await.unwrap().names
}

/// A client that takes any certificate: for what no honest client could see.
fn credulous() -> Arc<ClientConfig> {
    #[derive(Debug)]
    struct Anyone;
    impl rustls::client::danger::ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: rustls_pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            provider().signature_verification_algorithms.supported_schemes()
        }
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let fixture = Fixture::new();
    let server = fixture
        .load(&[
            fixture.issue("first", &["shop.example"]),
            fixture.issue("wild", &["*.shop.example", "127.0.0.1"]),
            fixture.issue("exact", &["API.shop.example"]),
        ])
        .unwrap();
    let client = fixture.client();
    assert_eq!(names_served(&server, &client, "shop.example").await, ["shop.example"]);
    assert_eq!(names_served(&server, &client, "www.shop.example").await, ["*.shop.example", "127.0.0.1"]);
    assert_eq!(
        names_served(&server, &client, "api.shop.example").await,
        ["api.shop.example"],
        "exact goes first"
    );
    assert_eq!(names_served(&server, &client, "API.SHOP.example").await, ["api.shop.example"]);

    let anyone = credulous();
    assert_eq!(
        names_served(&server, &anyone, "a.b.shop.example").await,
        ["shop.example"],
        "one label, no more"
    );
    assert_eq!(
        names_served(&server, &anyone, "other.example").await,
        ["shop.example"],
        "the first is the default"
    );
    assert_eq!(
        names_served(&server, &anyone, "127.0.0.1").await,
        ["shop.example"],
        "an address is no name (SNI)"
    );
}

#[tokio::test]
async fn of_two_certificates_for_a_name_the_client_gets_one_it_can_verify() {
    let fixture = Fixture::new();
    let p256 = fixture.issue("p256", &["shop.example"]);
    let ed25519 = {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let params = CertificateParams::new(vec!["shop.example".into(), "ed25519".into()]).unwrap();
        fixture.write("ed.pem", params.signed_by(&key, &fixture.authority).unwrap().pem());
        fixture.write("ed.key", key.serialize_pem());
        Certificate { cert: "ed.pem".into(), key: "ed.key".into() }
    };
    let server = fixture.load(&[ed25519, p256]).unwrap();
    assert_eq!(names_served(&server, &fixture.client(), "shop.example").await, ["shop.example", "ed25519"]);

    let mut only_ecdsa = rustls::crypto::aws_lc_rs::default_provider();
    let algorithms = &mut only_ecdsa.signature_verification_algorithms;
    algorithms.mapping = &algorithms.mapping[..2];
    let schemes = algorithms.supported_schemes();
    assert!(!schemes.contains(&rustls::SignatureScheme::ED25519), "{schemes:?}");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(fixture.authority.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(only_ecdsa))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert_eq!(names_served(&server, &Arc::new(client), "shop.example").await, ["shop.example"]);
}

#[tokio::test]
async fn both_sides_agree_on_a_protocol() {
    let fixture = Fixture::new();
    let certificates = [fixture.issue("shop", &["shop.example"])];
    let seen = async |alpn: &[&[u8]], protocol| {
        let alpn = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let server = ServerTls::load(ServerSpec { alpn, ..spec(&certificates) }, fixture.path()).unwrap();
        let name = ServerName::try_from("shop.example").unwrap();
        connect(server.acceptor(), fixture.client_of(protocol), name).await.map(|seen| seen.alpn)
    };
    let (http2, http1): (&[&[u8]], &[&[u8]]) = (&[H2, HTTP_1_1], &[HTTP_1_1]);
    assert_eq!(seen(http2, H2).await.unwrap().as_deref(), Some(H2));
    assert_eq!(seen(http2, HTTP_1_1).await.unwrap().as_deref(), Some(HTTP_1_1));
    assert_eq!(seen(http1, HTTP_1_1).await.unwrap().as_deref(), Some(HTTP_1_1));
    let refusal = seen(http1, H2).await.unwrap_err();
    assert!(refusal.to_string().contains("NoApplicationProtocol"), "{refusal}");
    assert_eq!(seen(&[], H2).await.unwrap(), None, "nothing is claimed");
}

#[tokio::test]
async fn sessions_are_resumed() {
    let fixture = Fixture::new();
    let server = fixture.load(&[fixture.issue("shop", &["shop.example"])]).unwrap();
    let by_ticket = fixture.client_tls12();
    let mut by_session_id = fixture.client_tls12();
    by_session_id.resumption =
        Resumption::in_memory_sessions(8).tls12_resumption(Tls12Resumption::SessionIdOnly);

    let clients = [
        (fixture.client(), ProtocolVersion::TLSv1_3),
        (Arc::new(by_ticket), ProtocolVersion::TLSv1_2),
        (Arc::new(by_session_id), ProtocolVersion::TLSv1_2),
    ];
    for (client, version) in clients {
        let name = ServerName::try_from("shop.example").unwrap();
        let first = connect(server.acceptor(), Arc::clone(&client), name.clone()).await.unwrap();
        assert_eq!((first.version, first.kind), (version, HandshakeKind::Full));
        let second = connect(server.acceptor(), client, name).await.unwrap();
        assert_eq!((second.version, second.kind), (version, HandshakeKind::Resumed));
    }
}

#[tokio::test]
async fn tls_1_2_can_be_refused() {
    let fixture = Fixture::new();
    let certificates = [fixture.issue("shop", &["shop.example"])];
    let name = ServerName::try_from("shop.example").unwrap();
    let old = Arc::new(fixture.client_tls12());
    let strict = ServerSpec { min: TlsVersion::V1_3, ..spec(&certificates) };
    let strict = ServerTls::load(strict, fixture.path()).unwrap();
    let refusal = connect(strict.acceptor(), Arc::clone(&old), name.clone()).await.unwrap_err();
    assert!(refusal.to_string().contains("ProtocolVersion"), "{refusal}");
    let seen = connect(strict.acceptor(), fixture.client(), name.clone()).await.unwrap();
    assert_eq!(seen.version, ProtocolVersion::TLSv1_3);

    let lenient = fixture.load(&certificates).unwrap();
    assert_eq!(connect(lenient.acceptor(), old, name).await.unwrap().version, ProtocolVersion::TLSv1_2);
}

/// Runs the test beside a watch of the server's files. Time is virtual: a poll is due whenever nothing else is.
async fn watched<T>(server: &Arc<ServerTls>, context: &Context, test: impl Future<Output = T>) -> T {
    tokio::time::pause();
    let watch = Arc::clone(server).watch(Duration::from_secs(10), context.clone());
    tokio::select! {
        () = watch => panic!("the watch goes on until the process drains"),
        result = test => result,
    }
}

async fn until_told(context: &Context, event: &str, count: u64) {
    let told = async {
        while context.events.counts().get(event).is_none_or(|told| *told < count) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(3_600), told).await;
    told.unwrap_or_else(|_| panic!("{event}: {:?}", context.events.counts()));
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_and_a_faulty_one_is_not() {
    let fixture = Fixture::new();
    let certificates = [fixture.issue("shop", &["old.example"]), fixture.issue("other", &["other.example"])];
    let server = Arc::new(fixture.load(&certificates).unwrap());
    let context = Context::new(1, Events::silent());
    let anyone = credulous();

    watched(&server, &context, async {
        fixture.issue("shop", &["new.example"]);
        until_told(&context, "certificate_reloaded", 1).await;
        assert_eq!(names_served(&server, &anyone, "new.example").await, ["new.example"]);
        assert_eq!(names_served(&server, &anyone, "other.example").await, ["other.example"]);
        assert_eq!(context.events.recent(1)[0].fields["names"], "new.example");

        // The key of another certificate, and a certificate that would be good: all or nothing.
        fixture.write("shop.key", KeyPair::generate().unwrap().serialize_pem());
        fixture.issue("other", &["another.example"]);
        until_told(&context, "certificate_rejected", 1).await;
        let told = &context.events.recent(1)[0].message;
        assert!(told.contains("`shop.key` does not match the certificate in `shop.pem`"), "{told}");
        assert_eq!(names_served(&server, &anyone, "new.example").await, ["new.example"]);
        assert_eq!(names_served(&server, &anyone, "other.example").await, ["other.example"]);

        // Ten further looks tell nothing new; a further change does.
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(context.events.counts()["certificate_rejected"], 1);
        fs::remove_file(fixture.path().join("shop.key")).unwrap();
        until_told(&context, "certificate_rejected", 2).await;

        fixture.issue("shop", &["newest.example"]);
        until_told(&context, "certificate_reloaded", 3).await;
        assert_eq!(names_served(&server, &anyone, "newest.example").await, ["newest.example"]);
        assert_eq!(names_served(&server, &anyone, "another.example").await, ["another.example"]);
    })
    .await;
    assert_eq!(server.status()[0].names, ["newest.example"]);
    assert_eq!(context.events.counts().len(), 2, "{:?}", context.events.counts());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_points_elsewhere_is_a_change() {
    // As Kubernetes mounts a secret: the files are links through `..data`, which is swapped in one rename.
    let fixture = Fixture::new();
    let release = |folder: &str, name: &str| {
        fs::create_dir(fixture.path().join(folder)).unwrap();
        fixture.issue(&format!("{folder}/tls"), &[name]);
        std::os::unix::fs::symlink(folder, fixture.path().join("..new")).unwrap();
        fs::rename(fixture.path().join("..new"), fixture.path().join("..data")).unwrap();
    };
    release("one", "one.example");
    let certificate = Certificate { cert: "..data/tls.pem".into(), key: "..data/tls.key".into() };
    let server = Arc::new(fixture.load(&[certificate]).unwrap());
    let context = Context::new(1, Events::silent());
    watched(&server, &context, async {
        release("two", "two.example");
        until_told(&context, "certificate_reloaded", 1).await;
        assert_eq!(server.status()[0].names, ["two.example"]);
    })
    .await;
}

#[tokio::test]
async fn a_watch_ends_when_the_process_drains() {
    let fixture = Fixture::new();
    let server = Arc::new(fixture.load(&[fixture.issue("shop", &["shop.example"])]).unwrap());
    let context = Context::new(1, Events::silent());
    context.shutdown.drain(Duration::from_secs(1));
    server.watch(Duration::from_secs(3_600), context).await;
}

#[tokio::test]
async fn an_expired_certificate_is_served_and_told_of_once() {
    let fixture = Fixture::new();
    let expired = fixture.issue_with("shop", &["shop.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let server = Arc::new(fixture.load(&[fixture.issue("good", &["good.example"]), expired]).unwrap());
    let context = Context::new(1, Events::silent());
    watched(&server, &context, async {
        until_told(&context, "certificate_expired", 1).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
    })
    .await;
    assert_eq!(context.events.counts()["certificate_expired"], 1);
    let status = serde_json::to_value(server.status()).unwrap();
    let expected = serde_json::json!({
        "names": ["shop.example"], "not_after": "2021-01-01T00:00:00Z", "file": "shop.pem"
    });
    assert_eq!(status[1], expected);
    let name = ServerName::try_from("shop.example").unwrap();
    let refusal = connect(server.acceptor(), fixture.client(), name).await.unwrap_err();
    assert!(refusal.to_string().contains("expired"), "{refusal}");
}

#[test]
fn faults_are_named_precisely() {
    let fixture = Fixture::new();
    let shop = fixture.issue("shop", &["shop.example"]);
    fixture.issue("other", &["other.example"]);
    fixture.write("empty.pem", "");
    fixture.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    fixture.write("odd.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    fixture.write("der.pem", fixture.authority.der());
    fixture.write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let read = |file: &str| fs::read_to_string(fixture.path().join(file)).unwrap();
    fixture.write("reversed.pem", fixture.authority.pem() + &read("shop.pem"));
    fixture.write("both.pem", read("shop.pem") + &read("shop.key"));

    for (cert, key, expected) in [
        ("none.pem", "shop.key", "cert: the file `none.pem` does not exist; give the path"),
        ("shop.pem", "none.key", "key: the file `none.key` does not exist"),
        (".", "shop.key", "cert: the file `.` cannot be read"),
        ("empty.pem", "shop.key", "cert: the file `empty.pem` holds no PEM certificate"),
        ("cut.pem", "shop.key", "cert: the file `cut.pem` is damaged"),
        ("odd.pem", "shop.key", "cert: the certificate in `odd.pem` is not valid X.509"),
        ("der.pem", "shop.key", "cert: the file `der.pem` is binary (DER); convert it: openssl x509"),
        ("shop.key", "shop.key", "cert: the file `shop.key` holds a private key, but no certificate"),
        ("shop.pem", "shop.pem", "key: the file `shop.pem` holds a certificate, but no private key"),
        (
            "shop.pem",
            "locked.key",
            "key: the private key in `locked.key` is locked with a passphrase; unlock it",
        ),
        (
            "shop.key",
            "shop.pem",
            "cert: `shop.key` holds a private key and `shop.pem` a certificate; exchange",
        ),
        (
            "shop.pem",
            "other.key",
            "key: the private key in `other.key` does not match the certificate in `shop.pem`",
        ),
        ("reversed.pem", "shop.key", "cert: the certificate of the key in `shop.key` is not the first in"),
    ] {
        let fault = fixture.fault(cert, key);
        assert!(fault.starts_with(expected), "{fault}");
    }
    let both = Certificate { cert: "both.pem".into(), key: "both.pem".into() };
    assert!(fixture.load(&[both]).is_ok(), "one file may hold both");

    let missing = |file: &str| Certificate { cert: format!("{file}.pem"), key: format!("{file}.key") };
    let problems = fixture.load(&[shop, missing("a"), missing("b")]).err().unwrap();
    let places: Vec<_> = problems.iter().map(|problem| (problem.index, problem.key)).collect();
    assert_eq!(places, [(1, "cert"), (1, "key"), (2, "cert"), (2, "key")], "all faults at once");
    assert_eq!(fixture.load(&[]).err().unwrap()[0].what, "no certificate is given");
}

#[tokio::test]
async fn a_server_is_verified_and_may_verify_us() {
    let fixture = Fixture::new();
    let own = fixture.issue("edge", &["edge.internal"]);
    let server = fixture.issue("origin", &["app.internal", "127.0.0.1", "::1"]);
    let client = ClientSpec { cert: Some(own.cert), key: Some(own.key), ..client(Trust::Web(ca())) };
    let client = ClientTls::load(client, fixture.path()).unwrap().config();

    // A server that admits only clients with a certificate of the authority.
    let server = ServerSpec { client_auth: ClientAuth::Required("ca.pem".into()), ..spec(&[server]) };
    let server = ServerTls::load(server, fixture.path()).unwrap();

    let name = server_name("app.internal").unwrap();
    connect(server.acceptor(), Arc::clone(&client), name.clone()).await.unwrap();
    let address = server_name("[::1]").unwrap();
    connect(server.acceptor(), Arc::clone(&client), address).await.unwrap();
    let wrong = server_name("other.internal").unwrap();
    let refusal = connect(server.acceptor(), client, wrong).await.unwrap_err();
    assert!(refusal.to_string().contains("not valid for name"), "{refusal}");
    connect(server.acceptor(), fixture.client(), name).await.expect_err("a client without a certificate");
}

#[test]
fn faults_towards_servers_are_named_precisely() {
    let fixture = Fixture::new();
    let shop = fixture.issue("shop", &["shop.example"]);
    let faults = |ca: &str, cert: Option<&str>, key: Option<&str>| {
        let (cert, key) = (cert.map(str::to_owned), key.map(str::to_owned));
        let client = ClientSpec { cert, key, ..client(Trust::Web(Authorities::File(ca.into()))) };
        let problems = ClientTls::load(client, fixture.path()).err().expect("it is faulty");
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.what)).collect::<Vec<_>>()
    };
    assert_eq!(faults("ca.pem", Some(&shop.cert), None), ["cert: `cert` is given without its key"]);
    assert_eq!(faults("ca.pem", None, Some(&shop.key)), ["key: `key` is given without its certificate"]);
    assert_eq!(
        faults("no.pem", Some("no.pem"), Some("no.key")),
        [
            "ca: the file `no.pem` does not exist",
            "cert: the file `no.pem` does not exist",
            "key: the file `no.key` does not exist"
        ]
    );
    assert_eq!(
        faults("no.pem", Some("no.pem"), None),
        ["ca: the file `no.pem` does not exist", "cert: `cert` is given without its key"],
        "all faults at once"
    );
    assert_eq!(
        faults("shop.key", None, None),
        ["ca: the file `shop.key` holds a private key, but no certificate"]
    );
    assert_eq!(server_name("not a name"), None);
}
