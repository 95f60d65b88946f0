use std::num::NonZeroU32;
use std::time::Duration;

use deepwater_pgwire::auth::scram::{Keys, SCRAM_SHA_256, ScramSecret, Server};
use deepwater_pgwire::message::backend::write as say;
use deepwater_pgwire::message::frontend::SaslInitialResponse;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::*;
use crate::stream::{Socket, Stream};

const LIMIT: Duration = Duration::from_secs(10);

fn plain(password: &str) -> Credentials {
    Credentials { password: Some(StoredPassword::Plain(password.into())), keys: None }
}

/// Logs in to a server that is played by `server`.
async fn log_in<F>(credentials: Credentials, server: impl FnOnce(Talk) -> F) -> Result<(), ConnectError>
where
    F: Future<Output = ()>,
{
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut talk = Talk::new(Stream::Plain(Socket::Unix(ours)));
    let client = async {
        let result = authenticate(&mut talk, "app", &credentials).await;
        // The server sees the end, should it wait for more.
        drop(talk);
        result
    };
    let both = async { tokio::join!(client, server(Talk::new(Stream::Plain(Socket::Unix(theirs))))) };
    timeout(LIMIT, both).await.expect("it comes to an end").0
}

async fn tell(talk: &mut Talk, what: impl FnOnce(&mut Vec<u8>)) {
    what(&mut talk.output);
    // A client that has given up hears nothing.
    let _ = talk.send().await;
}

async fn hear(talk: &mut Talk) -> Vec<u8> {
    talk.message(MAX_MESSAGE_BYTES).await.map(|message| message.payload).unwrap_or_default()
}

/// Plays SCRAM up to the last word, which is the caller's.
async fn scram_up_to_proof(talk: &mut Talk, secret: ScramSecret) -> Option<String> {
    let mut server = Server::new(secret, "nonce", None);
    tell(talk, |out| say::authentication_sasl(out, &[SCRAM_SHA_256])).await;
    let first = hear(talk).await;
    let first = SaslInitialResponse::read(&first).ok()?;
    let challenge = server.first(first.mechanism, first.response?).ok()?;
    tell(talk, |out| say::authentication_sasl_continue(out, challenge)).await;
    server.last(&hear(talk).await).ok().map(|accepted| accepted.server_final)
}

fn secret(password: &str) -> ScramSecret {
    ScramSecret::of_password(password.as_bytes(), b"salt", NonZeroU32::new(2).unwrap())
}

#[tokio::test]
async fn a_server_that_asks_for_nothing_gets_nothing() {
    let server = async |mut talk: Talk| tell(&mut talk, say::authentication_ok).await;
    assert_eq!(log_in(Credentials::default(), server).await, Ok(()));
}

#[tokio::test]
async fn md5_is_answered_from_the_password_or_its_hash() {
    for stored in [StoredPassword::Plain("pw".into()), StoredPassword::Md5(md5::secret("app", "pw"))] {
        let credentials = Credentials { password: Some(stored), keys: None };
        let server = async |mut talk: Talk| {
            tell(&mut talk, |out| say::authentication_md5(out, [1, 2, 3, 4])).await;
            let mut expected = md5::password("app", "pw", [1, 2, 3, 4]).into_bytes();
            expected.push(0);
            assert_eq!(hear(&mut talk).await, expected);
            tell(&mut talk, say::authentication_ok).await;
        };
        assert_eq!(log_in(credentials, server).await, Ok(()));
    }
}

#[tokio::test]
async fn scram_is_answered_from_the_password_or_the_keys_of_a_login() {
    let keys = Keys::derive(b"pw", b"salt", NonZeroU32::new(2).unwrap());
    let of_keys = Credentials { password: Some(StoredPassword::Scram(secret("pw"))), keys: Some(keys) };
    for credentials in [plain("pw"), of_keys] {
        let server = async |mut talk: Talk| {
            let last = scram_up_to_proof(&mut talk, secret("pw")).await.expect("the proof holds");
            tell(&mut talk, |out| {
                say::authentication_sasl_final(out, last);
                say::authentication_ok(out);
            })
            .await;
        };
        assert_eq!(log_in(credentials, server).await, Ok(()));
    }
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_is_not_believed() {
    let silent = async |mut talk: Talk| {
        scram_up_to_proof(&mut talk, secret("pw")).await;
        tell(&mut talk, say::authentication_ok).await;
    };
    let error = log_in(plain("pw"), silent).await.unwrap_err();
    assert!(error.to_string().contains("did not prove"), "{error}");

    let early = async |mut talk: Talk| {
        tell(&mut talk, |out| say::authentication_sasl(out, &[SCRAM_SHA_256])).await;
        hear(&mut talk).await;
        tell(&mut talk, say::authentication_ok).await;
    };
    assert!(log_in(plain("pw"), early).await.unwrap_err().to_string().contains("did not prove"));

    let lying = async |mut talk: Talk| {
        scram_up_to_proof(&mut talk, secret("pw")).await;
        let wrong = format!("v={}", "A".repeat(43) + "=");
        tell(&mut talk, |out| say::authentication_sasl_final(out, wrong)).await;
    };
    assert!(log_in(plain("pw"), lying).await.is_err());

    // Having been asked for a proof, it must not be content with the password.
    let greedy = async |mut talk: Talk| {
        tell(&mut talk, |out| say::authentication_sasl(out, &[SCRAM_SHA_256])).await;
        hear(&mut talk).await;
        tell(&mut talk, say::authentication_cleartext_password).await;
        assert_eq!(hear(&mut talk).await, b"", "no password");
    };
    assert!(log_in(plain("pw"), greedy).await.is_err());
}

#[tokio::test]
async fn what_is_missing_is_said_with_what_to_do() {
    let stored = Credentials { password: Some(StoredPassword::Scram(secret("pw"))), keys: None };
    let md5 = async |mut talk: Talk| tell(&mut talk, |out| say::authentication_md5(out, [0; 4])).await;
    let error = log_in(stored.clone(), md5).await.unwrap_err().to_string();
    assert!(error.contains("\"app\" (MD5)") && error.contains("fix: "), "{error}");
    let sasl =
        async |mut talk: Talk| tell(&mut talk, |out| say::authentication_sasl(out, &[SCRAM_SHA_256])).await;
    let error = log_in(stored, sasl).await.unwrap_err().to_string();
    assert!(error.contains("no client has logged in with it yet"), "{error}");
    let error = log_in(Credentials::default(), sasl).await.unwrap_err().to_string();
    assert!(error.contains("none is configured"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_ends_is_given_up() {
    let endless = async |mut talk: Talk| {
        for _ in 0..=MAX_STEPS {
            tell(&mut talk, |out| out.extend_from_slice(b"N\0\0\0\x05\0")).await;
        }
    };
    assert!(log_in(plain("pw"), endless).await.is_err());
    let huge = async |mut talk: Talk| tell(&mut talk, |out| out.extend_from_slice(b"R\0\x10\0\0")).await;
    assert!(log_in(plain("pw"), huge).await.is_err());
}
