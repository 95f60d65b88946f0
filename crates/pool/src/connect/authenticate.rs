//! Proving to a server who we are.

use aws_lc_rs::rand;
use deepwater_pgwire::auth::scram::{self, Client, Credential, ScramError};
use deepwater_pgwire::auth::{StoredPassword, md5};
use deepwater_pgwire::message::backend::{self, Authentication};
use deepwater_pgwire::message::frontend::write;

use super::dial::end_point;
use super::login::{MAX_MESSAGE_BYTES, malformed, unexpected};
use super::{ConnectError, Credentials};
use crate::talk::Talk;

/// Steps a server may ask for.
const MAX_STEPS: usize = 32;

/// Answers what the server asks until it is content.
pub(super) async fn authenticate(
    talk: &mut Talk,
    user: &str,
    credentials: &Credentials,
) -> Result<(), ConnectError> {
    let mut scram = None;
    for _ in 0..MAX_STEPS {
        let message = talk.message(MAX_MESSAGE_BYTES).await?;
        match message.tag {
            backend::AUTHENTICATION => {}
            backend::ERROR_RESPONSE => return Err(ConnectError::said(&message.payload)),
            backend::NOTICE_RESPONSE | backend::NEGOTIATE_PROTOCOL_VERSION => continue,
            other => return Err(unexpected(other)),
        }
        match (Authentication::read(&message.payload).map_err(malformed)?, &mut scram) {
            (Authentication::Ok, None | Some(Scram { verified: true, .. })) => return Ok(()),
            (Authentication::Ok, Some(_)) => {
                // Else anybody who is asked for a proof and cannot check it could be the server.
                return Err(ConnectError::config("the server did not prove that it knows the password"));
            }
            (Authentication::CleartextPassword, None) => {
                let password =
                    plain(credentials).ok_or_else(|| missing("in clear text", user, credentials))?;
                write::password(&mut talk.output, password);
            }
            (Authentication::Md5 { salt }, None) => {
                let answer = match &credentials.password {
                    Some(StoredPassword::Plain(password)) => md5::password(user, password, salt),
                    Some(StoredPassword::Md5(secret)) => md5::answer(secret, salt),
                    _ => return Err(missing("MD5", user, credentials)),
                };
                write::password(&mut talk.output, answer);
            }
            (Authentication::Sasl { mechanisms }, None) => {
                let begun = Scram::begin(talk, &mechanisms, user, credentials)?;
                write::sasl_initial_response(
                    &mut talk.output,
                    begun.client.mechanism(),
                    begun.client.first(),
                );
                scram = Some(begun);
            }
            (Authentication::SaslContinue(said), Some(begun)) if !begun.verified => {
                let said = said.to_vec();
                let Some(Scram { client, .. }) = scram.take() else { continue };
                let (client, answer) = answer(client, said).await?;
                write::sasl_response(&mut talk.output, answer.map_err(|error| failed(&error, user))?);
                scram = Some(Scram { client, verified: false });
            }
            (Authentication::SaslFinal(said), Some(begun)) => {
                begun.client.verify(said).map_err(|error| failed(&error, user))?;
                begun.verified = true;
            }
            (Authentication::Other(code), _) => {
                let why = format!("the server asks for authentication method {code}, which is not supported");
                return Err(ConnectError::config(why));
            }
            _ => return Err(unexpected(backend::AUTHENTICATION)),
        }
        talk.send().await?;
    }
    Err(ConnectError::broken("the server does not come to an end of authentication"))
}

struct Scram {
    client: Client,
    /// The server has proved that it knows the password.
    verified: bool,
}

impl Scram {
    fn begin(
        talk: &Talk,
        mechanisms: &[&str],
        user: &str,
        credentials: &Credentials,
    ) -> Result<Self, ConnectError> {
        let credential = match (&credentials.password, &credentials.keys) {
            (Some(StoredPassword::Plain(password)), _) => Credential::Password(password.clone().into_bytes()),
            (_, Some(keys)) => Credential::Keys(keys.clone()),
            _ => return Err(missing("SCRAM-SHA-256", user, credentials)),
        };
        let mut random = [0; 18];
        rand::fill(&mut random).map_err(|_| ConnectError::broken("the system gives no random numbers"))?;
        let bound_to = end_point(&talk.stream);
        let client = Client::new(credential, &scram::nonce(&random), mechanisms, bound_to.as_deref());
        Ok(Self { client: client.map_err(|error| failed(&error, user))?, verified: false })
    }
}

/// The answer takes as long as the server's iterations ask for: not on this thread.
async fn answer(
    mut client: Client,
    said: Vec<u8>,
) -> Result<(Client, Result<String, ScramError>), ConnectError> {
    let answered = tokio::task::spawn_blocking(move || {
        let answer = client.answer(&said);
        (client, answer)
    });
    answered.await.map_err(|_| ConnectError::broken("hashing a password failed"))
}

fn plain(credentials: &Credentials) -> Option<&str> {
    match &credentials.password {
        Some(StoredPassword::Plain(password)) => Some(password),
        _ => None,
    }
}

fn missing(method: &str, user: &str, credentials: &Credentials) -> ConnectError {
    let have = match &credentials.password {
        None if credentials.keys.is_some() => "only what a SCRAM login left is known",
        None => "none is configured",
        Some(StoredPassword::Plain(_)) => "it does not fit",
        Some(StoredPassword::Md5(_)) => "only its MD5 hash is stored",
        Some(StoredPassword::Scram(_)) if method == "SCRAM-SHA-256" => {
            "only its SCRAM secret is stored, and no client has logged in with it yet"
        }
        Some(StoredPassword::Scram(_)) => "only its SCRAM secret is stored",
    };
    ConnectError::config(format!(
        "the server asks for the password of user \"{user}\" ({method}), and {have}; fix: store it in clear, in the \
         database's URL or `password`, under `users`, or in the file of users"
    ))
}

fn failed(error: &ScramError, user: &str) -> ConnectError {
    let fix = match error {
        ScramError::OtherSecret => {
            "; fix: store the same SCRAM secret (salt and iterations too) as the server has in pg_authid, or the password"
        }
        _ => "",
    };
    ConnectError::config(format!("logging in to the server as \"{user}\" failed: {error}{fix}"))
}

#[cfg(test)]
mod tests;
