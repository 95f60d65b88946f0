use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const CERTIFICATE: &[u8] = &[7; 32];

/// A secret that costs nothing to open.
fn secret(password: &str) -> ScramSecret {
    ScramSecret::of_password(password.as_bytes(), b"salt", NonZeroU32::MIN)
}

fn password(text: &str) -> Credential {
    Credential::Password(text.as_bytes().to_vec())
}

/// Client and server, with the channel bound or not.
fn pair(credential: Credential, secret: ScramSecret, certificate: Option<&[u8]>) -> (Client, Server) {
    let offered = mechanisms(certificate.is_some());
    let client = Client::new(credential, &nonce(&[1; 18]), offered, certificate).unwrap();
    (client, Server::new(secret, &nonce(&[2; 18]), certificate))
}

/// Which message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    ClientFirst,
    ServerFirst,
    ClientFinal,
    ServerFinal,
}

const STEPS: [Step; 4] = [Step::ClientFirst, Step::ServerFirst, Step::ClientFinal, Step::ServerFinal];

/// A login, each message of which passes through the hands of someone between.
fn login(
    (mut client, mut server): (Client, Server),
    mut between: impl FnMut(Step, &mut Vec<u8>),
) -> Result<Accepted, ScramError> {
    let mut pass = |step, message: String| {
        let mut message = message.into_bytes();
        between(step, &mut message);
        message
    };
    let server_first = server.first(client.mechanism(), &pass(Step::ClientFirst, client.first()))?;
    let answer = client.answer(&pass(Step::ServerFirst, server_first))?;
    let accepted = server.last(&pass(Step::ClientFinal, answer))?;
    client.verify(&pass(Step::ServerFinal, accepted.server_final.clone()))?;
    assert_eq!(client.keys(), Some(&accepted.keys));
    Ok(accepted)
}

/// The messages of a login that succeeds.
fn messages(certificate: Option<&[u8]>) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let parties = pair(password("pencil"), secret("pencil"), certificate);
    login(parties, |_, message| messages.push(message.clone())).unwrap();
    messages
}

/// What the server says to a first message, no channel being bound.
fn first(mechanism: &str, message: &str, certificate: Option<&[u8]>) -> ScramError {
    let mut server = Server::new(secret("pencil"), "server", certificate);
    server.first(mechanism, message.as_bytes()).unwrap_err()
}

/// What a client with the nonce `client` says to a server's first message.
fn answer(message: &str) -> Result<String, ScramError> {
    let mut client = Client::new(password("pencil"), "client", &[SCRAM_SHA_256], None).unwrap();
    client.answer(message.as_bytes())
}

#[test]
fn the_example_of_rfc_7677() {
    const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const UNPROVED: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let secret = ScramSecret::of_password(b"pencil", &salt, NonZeroU32::new(4096).unwrap());
    let mut server = Server::new(secret, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", None);
    assert_eq!(server.first(SCRAM_SHA_256, CLIENT_FIRST).unwrap(), SERVER_FIRST);
    let accepted = server.last(format!("{UNPROVED},p={PROOF}").as_bytes()).unwrap();
    assert_eq!(accepted.server_final, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");

    // The client's proof, which names a user as ours never does.
    let said = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{SERVER_FIRST},{UNPROVED}");
    assert_eq!(BASE64.encode(keys::prove(&accepted.keys.client_key, said.as_bytes())), PROOF);
}

#[test]
fn a_login_succeeds_with_the_password_and_then_with_what_it_left() {
    for certificate in [None, Some(CERTIFICATE)] {
        let accepted = login(pair(password("pencil"), secret("pencil"), certificate), |_, _| {}).unwrap();
        let again = pair(Credential::Keys(accepted.keys.clone()), secret("pencil"), certificate);
        assert_eq!(login(again, |_, _| {}).unwrap().keys, accepted.keys);
        // Another salt makes it another secret.
        let other = ScramSecret::of_password(b"pencil", b"pepper", NonZeroU32::MIN);
        let other = pair(Credential::Keys(accepted.keys), other, certificate);
        assert_eq!(login(other, |_, _| {}), Err(ScramError::OtherSecret));
    }
}

#[test]
fn a_wrong_password_fails_at_the_end_as_a_user_does_that_is_not_there() {
    let until = |secret| {
        let mut last = None;
        let result = login(pair(password("pen"), secret, None), |step, _| last = Some(step));
        (result.unwrap_err(), last)
    };
    assert_eq!(until(secret("pencil")), (ScramError::Proof, Some(Step::ClientFinal)));
    assert_eq!(until(ScramSecret::mock(&[9; 32], "nobody")), (ScramError::Proof, Some(Step::ClientFinal)));
}

#[test]
fn the_salt_of_a_user_that_is_not_there_stays() {
    let salt = |key: [u8; 32], user| ScramSecret::mock(&key, user).salt;
    assert_eq!(salt([9; 32], "nobody"), salt([9; 32], "nobody"));
    assert_ne!(salt([9; 32], "nobody"), salt([9; 32], "no one"));
    assert_ne!(salt([9; 32], "nobody"), salt([8; 32], "nobody"));
    // It looks like one of PostgreSQL's.
    assert!(ScramSecret::mock(&[9; 32], "nobody").to_text().starts_with("SCRAM-SHA-256$4096:"));
    assert_eq!(salt([9; 32], "nobody").len(), 16);
}

#[test]
fn no_bit_of_any_message_can_be_changed() {
    for certificate in [None, Some(CERTIFICATE)] {
        for (step, message) in STEPS.into_iter().zip(messages(certificate)) {
            for (at, bit) in (0..message.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let parties = pair(password("pencil"), secret("pencil"), certificate);
                let result = login(parties, |now, message| {
                    if now == step {
                        message[at] ^= 1 << bit;
                    }
                });
                assert!(result.is_err(), "{step:?}: bit {bit} of byte {at}");
            }
            // Nor can any be left out.
            for at in 0..message.len() {
                let parties = pair(password("pencil"), secret("pencil"), certificate);
                let result = login(parties, |now, message| {
                    if now == step {
                        message.remove(at);
                    }
                });
                assert!(result.is_err(), "{step:?}: without byte {at}");
            }
        }
    }
}

#[test]
fn who_sits_between_two_channels_is_noticed() {
    // Each side has another certificate before it.
    let client = Client::new(password("pencil"), "client", mechanisms(true), Some(&[1; 32])).unwrap();
    let server = Server::new(secret("pencil"), "server", Some(&[2; 32]));
    assert_eq!(login((client, server), |_, _| {}), Err(ScramError::OtherChannel));
    // The offer of channel binding was struck out.
    let client = Client::new(password("pencil"), "client", mechanisms(false), Some(&[2; 32])).unwrap();
    let server = Server::new(secret("pencil"), "server", Some(&[2; 32]));
    assert_eq!(login((client, server), |_, _| {}), Err(ScramError::Downgrade));
    // Who cannot bind may be served without, and a server that cannot has a client that could.
    let client = Client::new(password("pencil"), "client", mechanisms(true), None).unwrap();
    assert!(login((client, Server::new(secret("pencil"), "server", Some(&[2; 32]))), |_, _| {}).is_ok());
    let client = Client::new(password("pencil"), "client", mechanisms(false), Some(&[2; 32])).unwrap();
    assert!(login((client, Server::new(secret("pencil"), "server", None)), |_, _| {}).is_ok());
}

#[test]
fn a_mechanism_must_be_on_offer() {
    let client = |offered: &[&str], certificate| {
        Client::new(password("a"), "client", offered, certificate).map(|client| client.mechanism()).ok()
    };
    assert_eq!(client(&[SCRAM_SHA_256_PLUS], None), None);
    assert_eq!(client(&["OAUTHBEARER"], Some(CERTIFICATE)), None);
    assert_eq!(client(mechanisms(true), None), Some(SCRAM_SHA_256));
    assert_eq!(client(mechanisms(true), Some(CERTIFICATE)), Some(SCRAM_SHA_256_PLUS));
    assert_eq!(first(SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,n=,r=a", None), ScramError::Mechanism);
    assert_eq!(first("SCRAM-SHA-1", "n,,n=,r=a", None), ScramError::Mechanism);
}

#[test]
fn first_messages_of_clients_are_refused_by_name() {
    let plain = |message: &str| first(SCRAM_SHA_256, message, None);
    assert_eq!(plain("p=tls-server-end-point,,n=,r=a"), ScramError::ChannelBinding);
    assert_eq!(plain("n,a=admin,n=,r=a"), ScramError::AuthorizationIdentity);
    assert_eq!(plain("n,,m=x,n=,r=a"), ScramError::Extension);
    assert_eq!(plain("n,,n=,r=a,m=x"), ScramError::Extension);
    assert_eq!(plain(&format!("n,,n=,r={}", "a".repeat(MAX_NONCE_BYTES))), ScramError::TooLong("nonce"));
    assert_eq!(plain(&format!("n,,n={},r=a", "a".repeat(9_999))), ScramError::TooLong("message"));
    let malformed = [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=",
        "n,,n=,",
        "n,,n=,r=",
        "x,,n=,r=a",
        "n,x,n=,r=a",
        "n,,r=a,n=",
        "n,,n=,r=\u{e9}",
        "n,,n=,r=a\0",
        "n,,n=,r=a,",
        "n,,n=,r=a,x",
        "n,,n=,r=a b",
    ];
    for message in malformed {
        assert!(matches!(plain(message), ScramError::Malformed(_)), "{message}");
    }

    let plus = |message: &str| first(SCRAM_SHA_256_PLUS, message, Some(CERTIFICATE));
    assert_eq!(plus("n,,n=,r=a"), ScramError::ChannelBinding);
    assert_eq!(plus("y,,n=,r=a"), ScramError::ChannelBinding);
    assert_eq!(plus("p=tls-unique,,n=,r=a"), ScramError::ChannelBinding);
}

#[test]
fn optional_extensions_are_ignored() {
    let mut server = Server::new(secret("pencil"), "server", None);
    assert_eq!(
        server.first(SCRAM_SHA_256, b"n,,n=user,r=client,x=1").unwrap(),
        "r=clientserver,s=c2FsdA==,i=1"
    );
    assert!(answer("r=clientserver,s=c2FsdA==,i=1,x=1").is_ok());
    assert_eq!(answer("r=clientserver,s=c2FsdA==,i=1,m=1"), Err(ScramError::Extension));
}

#[test]
fn last_messages_of_clients_are_refused_by_name() {
    let last = |message: &str| {
        let mut server = Server::new(secret("pencil"), "server", None);
        server.first(SCRAM_SHA_256, b"n,,n=,r=client").unwrap();
        server.last(message.as_bytes()).unwrap_err()
    };
    let proof = BASE64.encode([0; 32]);
    assert_eq!(last(&format!("c=biws,r=clientserver,p={proof}")), ScramError::Proof);
    assert_eq!(last(&format!("c=biws,r=clientserver,x=1,p={proof}")), ScramError::Proof);
    assert_eq!(last(&format!("c=eSws,r=clientserver,p={proof}")), ScramError::OtherChannel);
    assert_eq!(last(&format!("c=biws,r=clientserve,p={proof}")), ScramError::Nonce);
    assert_eq!(last(&format!("c=biws,r=clientserver,m=1,p={proof}")), ScramError::Extension);
    for end in [
        "",
        ",",
        &proof,
        ",p=",
        ",p=AAAA",
        &format!(",p={proof}A"),
        &format!(",p={proof},x=1"),
        &format!(",p={}", BASE64.encode([0; 33])),
    ] {
        assert!(
            matches!(
                last(&format!("c=biws,r=clientserver{end}")),
                ScramError::Malformed(_) | ScramError::Nonce
            ),
            "{end}"
        );
    }
    assert!(matches!(last("c=?,r=clientserver,p=x"), ScramError::Malformed(_)));
}

#[test]
fn first_messages_of_servers_are_refused_by_name() {
    let refused = |message: &str| answer(message).unwrap_err();
    assert_eq!(refused("r=client,s=c2FsdA==,i=1"), ScramError::Nonce);
    assert_eq!(refused("r=clienT1,s=c2FsdA==,i=1"), ScramError::Nonce);
    assert_eq!(
        refused(&format!("r=client{},s=c2FsdA==,i=1", "a".repeat(MAX_NONCE_BYTES))),
        ScramError::TooLong("nonce")
    );
    assert_eq!(refused(&format!("r=client1,s={},i=1", "A".repeat(1_400))), ScramError::TooLong("salt"));
    assert_eq!(refused(&"r=client1,s=c2FsdA==,i=1,".repeat(200)), ScramError::TooLong("message"));
    assert_eq!(refused("r=client1,s=c2FsdA==,i=0"), ScramError::Iterations(0));
    assert_eq!(refused("r=client1,s=c2FsdA==,i=1000001"), ScramError::Iterations(1_000_001));
    assert_eq!(refused("m=1,r=client1,s=c2FsdA==,i=1"), ScramError::Extension);
    for message in [
        "",
        "r=client1",
        "r=client1,s=,i=1",
        "r=client1,s=?,i=1",
        "r=client1,s=c2FsdA==,i=",
        "r=client1,s=c2FsdA==,i=-1",
        "r=client1,s=c2FsdA==,i=99999999999",
        "r=client1,s=c2FsdA==,i=1,",
        "e=other-error",
    ] {
        assert!(matches!(refused(message), ScramError::Malformed(_)), "{message}");
    }
}

#[test]
fn last_messages_of_servers_are_refused_by_name() {
    let verify = |message: &str| {
        let mut client = Client::new(password("pencil"), "client", &[SCRAM_SHA_256], None).unwrap();
        client.answer(b"r=client1,s=c2FsdA==,i=1").unwrap();
        client.verify(message.as_bytes())
    };
    assert_eq!(verify(&format!("v={}", BASE64.encode([0; 32]))), Err(ScramError::Signature));
    assert_eq!(verify("e=invalid-proof"), Err(ScramError::Refused("invalid-proof".into())));
    assert_eq!(verify("e=\x1b[2J"), Err(ScramError::Refused("\\u{1b}[2J".into())));
    for message in ["", "v=", "v=AAAA", "p=AAAA"] {
        assert!(matches!(verify(message), Err(ScramError::Malformed(_))), "{message}");
    }
}

#[test]
fn no_step_is_taken_out_of_its_turn() {
    let (mut client, mut server) = pair(password("pencil"), secret("pencil"), None);
    assert_eq!(client.verify(b"v="), Err(ScramError::Order));
    assert_eq!(server.last(b"c=biws"), Err(ScramError::Order));
    // A login that failed cannot be taken up again, so that a proof cannot be guessed.
    assert_eq!(server.first(SCRAM_SHA_256, client.first().as_bytes()), Err(ScramError::Order));
    let (_, mut server) = pair(password("pencil"), secret("pencil"), None);
    let asked = server.first(SCRAM_SHA_256, client.first().as_bytes()).unwrap();
    let answer = client.answer(asked.as_bytes()).unwrap();
    assert_eq!(client.answer(asked.as_bytes()), Err(ScramError::Order));
    assert!(server.last(format!("{answer}A").as_bytes()).is_err());
    assert_eq!(server.last(answer.as_bytes()), Err(ScramError::Order));
}

#[test]
fn nothing_secret_is_shown() {
    let (mut client, mut server) = pair(password("pencil"), secret("pencil"), Some(CERTIFICATE));
    let asked = server.first(client.mechanism(), client.first().as_bytes()).unwrap();
    let answer = client.answer(asked.as_bytes()).unwrap();
    let keys = client.keys().unwrap().clone();
    let shown = format!("{client:?} {server:?} {keys:?}");
    let accepted = server.last(answer.as_bytes()).unwrap();
    let shown = format!("{shown} {accepted:?} {:?}", Credential::Keys(keys.clone()));
    let bytes = |key: &[u8]| format!("{key:?}").trim_matches(['[', ']']).to_owned();
    for secret in ["pencil", &bytes(b"pencil"), &bytes(&keys.client_key), &bytes(&keys.server_key)] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn no_message_brings_either_side_down(message in vec(prop_oneof![Just(b','), Just(b'='), any::<u8>()], 0..60)) {
        let (mut client, mut server) = pair(password("pencil"), secret("pencil"), None);
        prop_assert!(client.answer(&message).is_err());
        let _ = server.first(SCRAM_SHA_256, &message);
        let (mut client, mut server) = pair(password("pencil"), secret("pencil"), None);
        let asked = server.first(SCRAM_SHA_256, client.first().as_bytes()).unwrap();
        client.answer(asked.as_bytes()).unwrap();
        prop_assert!(server.last(&message).is_err());
        prop_assert!(client.verify(&message).is_err());
    }
}
