//! The start of a session.

use deepwater_pgwire::auth::md5;
use deepwater_pgwire::auth::scram::{Client, Credential};

use super::super::postgres::Place;
use super::{Pg, Reply, say};

/// The error that a login ends with.
pub type Refused = Reply;

impl Pg {
    /// Logs in, and is ready for a query.
    pub async fn login(place: &Place) -> Self {
        Self::login_with(place, &[]).await
    }

    /// Logs in with further parameters, and is ready for a query.
    pub async fn login_with(place: &Place, parameters: &[(&str, &str)]) -> Self {
        match Self::try_login_with(place, parameters).await {
            Ok(session) => session,
            Err(refused) => panic!("{} may not log in: {refused:?}", place.user),
        }
    }

    /// Logs in, or is refused.
    pub async fn try_login(place: &Place) -> Result<Self, Refused> {
        Self::try_login_with(place, &[]).await
    }

    /// Logs in with further parameters, or is refused.
    pub async fn try_login_with(place: &Place, parameters: &[(&str, &str)]) -> Result<Self, Refused> {
        let mut session = Self::dial(place).await;
        session.begin(place, parameters).await?;
        Ok(session)
    }

    /// Logs in over a connection on which nothing was said yet; what was heard before the server was ready.
    pub async fn begin(&mut self, place: &Place, parameters: &[(&str, &str)]) -> Result<Vec<Reply>, Refused> {
        let own = [("user", place.user.as_str()), ("database", place.database.as_str())];
        self.say(say::startup(0, &[&own, parameters].concat())).await;
        self.prove(&place.user, &place.password).await
    }

    /// Goes on after the first packet, until the server is ready.
    pub async fn prove(&mut self, user: &str, password: &str) -> Result<Vec<Reply>, Refused> {
        let mut heard = Vec::new();
        let mut scram = None;
        loop {
            let reply = self.hear().await;
            match reply.tag {
                b'E' => return Err(reply),
                b'R' => self.authenticate(&reply, user, password, &mut scram).await,
                b'K' => {
                    self.pid = u32::from_be_bytes(reply.payload[..4].try_into().unwrap());
                    self.key = reply.payload[4..].to_vec();
                }
                _ => {}
            }
            let ready = reply.tag == b'Z';
            heard.push(reply);
            if ready {
                return Ok(heard);
            }
        }
    }

    async fn authenticate(&mut self, asked: &Reply, user: &str, password: &str, scram: &mut Option<Client>) {
        let (kind, data) = asked.payload.split_at(4);
        match u32::from_be_bytes(kind.try_into().unwrap()) {
            0 => {}
            3 => self.say(say::password(password)).await,
            5 => self.say(say::password(&md5::password(user, password, data.try_into().unwrap()))).await,
            10 => {
                let offered = std::str::from_utf8(data).unwrap().split_terminator('\0').collect::<Vec<_>>();
                let password = Credential::Password(password.into());
                let client = scram.insert(Client::new(password, "nonce-of-a-test", &offered, None).unwrap());
                self.say(say::sasl_first(client.mechanism(), &client.first())).await;
            }
            11 => {
                let answer = scram.as_mut().unwrap().answer(data).expect("a good challenge");
                self.say(say::sasl_next(&answer)).await;
            }
            12 => scram.as_mut().unwrap().verify(data).expect("the server knows the password"),
            other => panic!("authentication {other}"),
        }
    }
}
