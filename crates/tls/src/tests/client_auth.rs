//! Clients that show certificates.

use rcgen::DnType;

use super::*;

const POSTGRESQL: &[u8] = b"postgresql";

/// A listener for PostgreSQL.
fn postgresql(certificate: Certificate, client_auth: ClientAuth) -> ServerSpec {
    let spec = spec(&[certificate]);
    ServerSpec { client_auth, alpn: vec![POSTGRESQL.to_vec()], resume: false, ..spec }
}

fn required() -> ClientAuth {
    ClientAuth::Required("ca.pem".into())
}

fn optional() -> ClientAuth {
    ClientAuth::Optional("ca.pem".into())
}

impl Fixture {
    fn listener(&self, client_auth: ClientAuth) -> ServerTls {
        let certificate = self.issue("server", &["db.internal"]);
        ServerTls::load(postgresql(certificate, client_auth), self.path()).unwrap()
    }

    /// A client that trusts the authority and shows a certificate of its own if it has one.
    fn shows(&self, own: Option<Certificate>) -> Arc<ClientConfig> {
        let (cert, key) = own.map(|own| (own.cert, own.key)).unzip();
        let client = ClientSpec { cert, key, ..client(Trust::Issued(ca())) };
        ClientTls::load(client, self.path()).unwrap().config()
    }

    /// A certificate for a user.
    fn user(&self, file: &str, name: &str) -> Certificate {
        self.issue_with(file, &[], |params| params.distinguished_name.push(DnType::CommonName, name))
    }
}

/// What a listener saw of a handshake: the client's first certificate, and the protocol agreed on.
#[derive(Debug)]
struct SeenByServer {
    client: Option<CertificateDer<'static>>,
    alpn: Option<Vec<u8>>,
    kind: HandshakeKind,
}

async fn accept(acceptor: TlsAcceptor, client: Arc<ClientConfig>) -> std::io::Result<SeenByServer> {
    let (ours, theirs) = tokio::io::duplex(65_536);
    let server = async {
        let mut tls = acceptor.accept(ours).await?;
        tls.write_all(b"!").await?;
        tls.shutdown().await?;
        let connection = tls.get_ref().1;
        Ok(SeenByServer {
            client: connection.peer_certificates().map(|chain| chain[0].clone().into_owned()),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            kind: connection.handshake_kind().expect("the handshake is done"),
        })
    };
    let client = async {
        let name = ServerName::try_from("db.internal").unwrap();
        let Ok(mut tls) = TlsConnector::from(client).connect(name, theirs).await else { return };
        // Fails where the server refuses; in TLS 1.3 only now.
        let _ = tls.read_to_end(&mut Vec::new()).await;
    };
    let (seen, ()) = tokio::join!(server, client);
    seen
}

#[tokio::test]
async fn a_required_certificate_is_one_of_the_authority() {
    let (fixture, elsewhere) = (Fixture::new(), Fixture::new());
    let server = fixture.listener(required());
    let seen = accept(server.acceptor(), fixture.shows(Some(fixture.user("alice", "alice")))).await.unwrap();
    assert_eq!(common_name(&seen.client.unwrap()).as_deref(), Some("alice"));

    let refusal = accept(server.acceptor(), fixture.shows(None)).await.unwrap_err();
    assert!(refusal.to_string().contains("no certificates"), "{refusal}");
    let foreign = elsewhere.user("alice", "alice");
    for file in [&foreign.cert, &foreign.key] {
        fixture.write(file, fs::read(elsewhere.path().join(file)).unwrap());
    }
    let refusal = accept(server.acceptor(), fixture.shows(Some(foreign.clone()))).await.unwrap_err();
    assert!(refusal.to_string().contains("certificate"), "{refusal}");

    let lenient = fixture.listener(optional());
    accept(lenient.acceptor(), fixture.shows(Some(foreign))).await.expect_err("optional, but not anyone's");
}

#[tokio::test]
async fn an_optional_certificate_may_be_missing() {
    let fixture = Fixture::new();
    let server = fixture.listener(optional());
    assert_eq!(accept(server.acceptor(), fixture.shows(None)).await.unwrap().client, None);
    let shown = fixture.shows(Some(fixture.user("alice", "alice")));
    let seen = accept(server.acceptor(), Arc::clone(&shown)).await.unwrap();
    assert_eq!(common_name(&seen.client.unwrap()).as_deref(), Some("alice"));

    let uninterested = fixture.listener(ClientAuth::None);
    assert_eq!(accept(uninterested.acceptor(), shown).await.unwrap().client, None, "it is not asked for");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let fixture = Fixture::new();
    let expired = fixture.issue_with("old", &[], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let server = fixture.listener(required());
    let refusal = accept(server.acceptor(), fixture.shows(Some(expired))).await.unwrap_err();
    assert!(refusal.to_string().contains("expired"), "{refusal}");
}

#[tokio::test]
async fn the_protocol_inside_may_be_named() {
    let fixture = Fixture::new();
    let server = fixture.listener(ClientAuth::None);
    let names = |alpn: &[&[u8]]| {
        let alpn = alpn.iter().map(|name| name.to_vec()).collect();
        ClientTls::load(ClientSpec { alpn, ..client(Trust::Anyone) }, fixture.path()).unwrap().config()
    };
    let seen = accept(server.acceptor(), names(&[POSTGRESQL])).await.unwrap();
    assert_eq!(seen.alpn.as_deref(), Some(POSTGRESQL));
    let seen = accept(server.acceptor(), names(&[])).await.unwrap();
    assert_eq!(seen.alpn, None, "libpq before 17 names none");
    accept(server.acceptor(), names(&[b"http/1.1"])).await.expect_err("a browser led astray");
}

#[tokio::test]
async fn sessions_are_not_resumed_unless_wanted() {
    let fixture = Fixture::new();
    let server = fixture.listener(optional());
    let mut old = fixture.client_tls12();
    old.resumption = Resumption::in_memory_sessions(8).tls12_resumption(Tls12Resumption::SessionIdOnly);
    for client in [fixture.shows(None), Arc::new(fixture.client_tls12()), Arc::new(old)] {
        for _ in 0..2 {
            let seen = accept(server.acceptor(), Arc::clone(&client)).await.unwrap();
            assert_eq!(seen.kind, HandshakeKind::Full);
        }
    }
}

#[tokio::test]
async fn a_changed_authority_is_taken_up_and_forgets_sessions() {
    let (fixture, elsewhere) = (Fixture::new(), Fixture::new());
    let spec = postgresql(fixture.issue("server", &["db.internal"]), required());
    let server = ServerTls::load(ServerSpec { resume: true, ..spec }, fixture.path()).unwrap();
    let server = Arc::new(server);
    let alice = fixture.shows(Some(fixture.user("alice", "alice")));
    let context = Context::new(1, Events::silent());
    watched(&server, &context, async {
        let first = accept(server.acceptor(), Arc::clone(&alice)).await.unwrap();
        assert_eq!(first.kind, HandshakeKind::Full);
        let second = accept(server.acceptor(), Arc::clone(&alice)).await.unwrap();
        assert_eq!(second.kind, HandshakeKind::Resumed);
        assert_eq!(common_name(&second.client.unwrap()).as_deref(), Some("alice"), "as at first");

        fixture.write("ca.pem", elsewhere.authority.pem());
        until_told(&context, "authorities_reloaded", 1).await;
        accept(server.acceptor(), Arc::clone(&alice)).await.expect_err("neither anew nor resumed");

        fixture.write("ca.pem", "");
        until_told(&context, "certificate_rejected", 1).await;
        let told = &context.events.recent(1)[0].message;
        assert!(told.contains("the file `ca.pem` holds no PEM certificate"), "{told}");
        fixture.write("ca.pem", fixture.authority.pem());
        until_told(&context, "authorities_reloaded", 2).await;
        accept(server.acceptor(), alice).await.unwrap();
    })
    .await;
    assert!(!context.events.counts().contains_key("certificate_reloaded"), "{:?}", context.events.counts());
}

#[tokio::test]
async fn what_is_in_force_is_kept_over_a_reload() {
    let fixture = Fixture::new();
    let server = fixture.listener(ClientAuth::None);
    let context = Context::new(1, Events::silent());
    let before = server.in_force();
    fixture.issue("server", &["db.internal"]);
    server.reload(&context).unwrap();
    let after = server.in_force();
    assert_ne!(before.end_point(), after.end_point());
    for served in [before, after] {
        let name = ServerName::try_from("db.internal").unwrap();
        let (ours, theirs) = tokio::io::duplex(65_536);
        let (server, client) = tokio::join!(
            served.acceptor().accept(ours),
            TlsConnector::from(fixture.shows(None)).connect(name, theirs)
        );
        let (_server, client) = (server.unwrap(), client.unwrap());
        let leaf = &client.get_ref().1.peer_certificates().unwrap()[0];
        assert_eq!((leaf, end_point(leaf).as_deref()), (served.leaf(), served.end_point()));
    }
    assert_eq!(context.events.counts()["certificate_reloaded"], 1);

    fixture.write("server.key", "");
    let problems = server.reload(&context).unwrap_err();
    assert_eq!((problems.len(), problems[0].key), (1, "key"));
    fixture.issue("server", &["db.internal"]);
    server.reload(&context).unwrap();
    server.reload(&context).unwrap();
    assert_eq!(context.events.counts()["certificate_reloaded"], 2, "nothing new is not told");
}

#[tokio::test]
async fn a_renewed_certificate_leaves_sessions_alone() {
    let fixture = Fixture::new();
    let spec = postgresql(fixture.issue("server", &["db.internal"]), ClientAuth::None);
    let server = ServerTls::load(ServerSpec { resume: true, ..spec }, fixture.path()).unwrap();
    let client = fixture.shows(None);
    accept(server.acceptor(), Arc::clone(&client)).await.unwrap();
    fixture.issue("server", &["db.internal"]);
    server.reload(&Context::new(1, Events::silent())).unwrap();
    assert_eq!(accept(server.acceptor(), client).await.unwrap().kind, HandshakeKind::Resumed);
}

#[test]
fn faults_of_authorities_are_named_precisely() {
    let fixture = Fixture::new();
    fixture.write("odd.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    let fault = |file: &str| {
        let spec = postgresql(fixture.issue("server", &["db.internal"]), ClientAuth::Required(file.into()));
        let problems = ServerTls::load(spec, fixture.path()).err().expect("it is faulty");
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        format!("{}: {problem}", problem.key)
    };
    assert!(fault("no.pem").starts_with("ca: the file `no.pem` does not exist"), "{}", fault("no.pem"));
    assert!(fault("server.key").starts_with("ca: the file `server.key` holds a private key"));
    let odd = fault("odd.pem");
    assert!(odd.starts_with("ca: a certificate in `odd.pem` is no authority that can be trusted"), "{odd}");
    assert!(odd.ends_with("give the certificate of the authority that issued the clients'"), "{odd}");
}

#[test]
fn a_certificate_names_its_owner() {
    let fixture = Fixture::new();
    let name = |change: &dyn Fn(&mut CertificateParams)| {
        let issued = fixture.issue_with("user", &[], change);
        let pem = fs::read(fixture.path().join(issued.cert)).unwrap();
        common_name(&rustls_pki_types::pem::PemObject::from_pem_slice(&pem).unwrap())
    };
    let named = |value: rcgen::DnValue| {
        name(&|params| params.distinguished_name.push(DnType::CommonName, value.clone()))
    };
    use rcgen::DnValue::{BmpString, PrintableString, TeletexString, Utf8String};
    assert_eq!(named(Utf8String("Jürgen".into())).as_deref(), Some("Jürgen"));
    assert_eq!(named(PrintableString("alice".try_into().unwrap())).as_deref(), Some("alice"));
    assert_eq!(named(TeletexString("alice".try_into().unwrap())).as_deref(), Some("alice"));
    assert_eq!(named(BmpString("Jürgen".try_into().unwrap())).as_deref(), Some("Jürgen"));
    assert_eq!(named(Utf8String("postgres\0.example".into())), None, "CVE-2009-4034");
    assert_eq!(named(Utf8String(String::new())), None);

    let another = DnType::CustomDnType(vec![2, 5, 4, 3]);
    let two = name(&|params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Shop");
        params.distinguished_name.push(DnType::CommonName, "alice");
        params.distinguished_name.push(another.clone(), "postgres");
    });
    assert_eq!(two.as_deref(), Some("alice"), "the first, as in PostgreSQL");

    assert_eq!(name(&|params| params.distinguished_name = rcgen::DistinguishedName::new()), None);
    assert_eq!(common_name(&CertificateDer::from(b"no certificate".to_vec())), None);
}

#[test]
fn a_damaged_certificate_is_survived() {
    let fixture = Fixture::new();
    let whole = fixture.authority.der().to_vec();
    for at in 0..whole.len() {
        for flipped in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flipped;
            let damaged = CertificateDer::from(damaged);
            common_name(&damaged);
            end_point(&damaged);
        }
        let cut = CertificateDer::from(&whole[..at]);
        assert_eq!((common_name(&cut), end_point(&cut)), (None, None), "cut at {at}");
    }
}
