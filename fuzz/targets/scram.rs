//! Whoever changes a message of a login between client and server makes it fail; no message brings either side down.
#![no_main]

use std::num::NonZeroU32;
use std::sync::LazyLock;

use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::{Client, Credential, Keys, ScramError, ScramSecret, Server, mechanisms};
use libfuzzer_sys::fuzz_target;

const CERTIFICATE: &[u8] = &[7; 32];

/// A secret and the keys that open it: with the password, a message could ask for a million iterations each time.
static SECRET: LazyLock<(ScramSecret, Keys)> = LazyLock::new(|| {
    let secret = ScramSecret::of_password(b"pencil", b"salt", NonZeroU32::MIN);
    (secret, Keys::derive(b"pencil", b"salt", NonZeroU32::MIN))
});

/// A login in which `step` of the messages is replaced, and whether that was another message.
fn login(step: u8, replaced: &[u8], certificate: Option<&[u8]>) -> (bool, Result<(), ScramError>) {
    let mut changed = false;
    let mut now = 0;
    let mut pass = |message: String| {
        let turn = now == step;
        now += 1;
        if !turn {
            return message.into_bytes();
        }
        changed = message.as_bytes() != replaced;
        replaced.to_vec()
    };
    let mut run = || {
        let (secret, keys) = &*SECRET;
        let offered = mechanisms(certificate.is_some());
        let mut client = Client::new(Credential::Keys(keys.clone()), "client", offered, certificate)?;
        let mut server = Server::new(secret.clone(), "server", certificate);
        let asked = server.first(client.mechanism(), &pass(client.first()))?;
        let answer = client.answer(&pass(asked))?;
        let accepted = server.last(&pass(answer))?;
        client.verify(&pass(accepted.server_final))
    };
    let result = run();
    (changed, result)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let certificate = (choice & 4 != 0).then_some(CERTIFICATE);
    let step = choice & 3;
    let (changed, result) = login(step, bytes, certificate);
    // The server's last message is not itself signed: extensions behind the signature pass.
    if step < 3 {
        assert_eq!(result.is_ok(), !changed, "{result:?}");
    }

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let shown = format!("{:?}", StoredPassword::parse(text));
    assert!(shown.len() < 20, "{shown}");
    if let Ok(StoredPassword::Scram(secret)) = StoredPassword::parse(text) {
        assert_eq!(ScramSecret::parse(&secret.to_text()), Ok(secret));
    }
});
