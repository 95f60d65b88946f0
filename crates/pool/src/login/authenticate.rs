//! How clients prove who they are.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand;
use deepwater_pgwire::auth::scram::{self, Keys, ScramError, ScramSecret};
use deepwater_pgwire::auth::{StoredPassword, md5};
use deepwater_pgwire::message::backend::write;
use deepwater_pgwire::message::frontend::{self, SaslInitialResponse};

use super::{Login, Peer, Refused, ask, system};
use crate::config::AuthMethod;
use crate::hba::{Kind, Method};
use crate::plan::{DatabasePlan, Face};

/// Longest answer of a client to a question of authentication (PostgreSQL, `PG_MAX_AUTH_TOKEN_LENGTH`).
const MAX_ANSWER_BYTES: usize = 65_535;
/// The administrator that a process of the same system user is, without proof.
const OWN_USER: &str = "pgbouncer";

/// What a proof is good for.
#[derive(Default)]
pub(super) struct Proof {
    /// Logs in to servers that store the same SCRAM secret.
    pub keys: Option<Keys>,
    /// What the server said is stored of the client's password.
    pub found: Option<StoredPassword>,
}

/// What is known of a user.
enum Known {
    /// What is stored of the password, and whether `auth.query` gave it.
    Stored {
        password: StoredPassword,
        asked: bool,
    },
    /// The user may come, and has no password.
    Named,
    No,
}

/// How the client is to prove who it is.
enum Way {
    Any,
    By { method: Method, map: Option<String> },
}

impl Login<'_> {
    /// Has the client prove that it is the user it says.
    pub(super) async fn authenticate(
        &mut self,
        database: Option<&Arc<DatabasePlan>>,
    ) -> Result<Proof, Refused> {
        let Way::By { method, map } = self.way()? else {
            write::authentication_ok(&mut self.talk.output);
            return Ok(Proof::default());
        };
        if method == Method::Reject {
            return Err(self.rejected("login rejected"));
        }
        let known = if self.needs_no_password(method) { Known::Named } else { self.known(database).await? };
        let proof = self.prove(method, map.as_deref(), &known).await;
        if let (Err(_), Some(database), Known::Stored { asked: true, .. }) = (&proof, database, &known) {
            self.worker.shared.login.forget(&database.name, &self.request.user);
        }
        let keys = proof?;
        write::authentication_ok(&mut self.talk.output);
        Ok(match known {
            Known::Stored { password, asked: true } => Proof { keys, found: Some(password) },
            Known::Stored { .. } | Known::Named | Known::No => Proof { keys, found: None },
        })
    }

    /// Has an administrator prove who it is; whether it may change anything.
    pub(super) async fn administrator(&mut self) -> Result<bool, Refused> {
        let config = &self.plan.config;
        if self.is_own_process() {
            write::authentication_ok(&mut self.talk.output);
            return Ok(true);
        }
        let may_change = config.admin_users.contains(&self.request.user);
        let may_look = may_change || config.stats_users.contains(&self.request.user);
        // Only there can users be asked for who are nowhere else.
        let database = config.auth.query_database.as_deref().and_then(|name| self.plan.database(name));
        self.authenticate(database.as_ref()).await?;
        if may_look {
            return Ok(may_change);
        }
        let native = format!("user \"{}\" is neither in admin_users nor in stats_users", self.request.user);
        Err(Refused::new(self.plan.face, "42501", native, "not allowed"))
    }

    /// Whether the client runs as the same system user as we do, and says so: as PgBouncer, on Unix sockets alone.
    fn is_own_process(&self) -> bool {
        let Peer::Unix { uid: Some(uid), .. } = self.peer else { return false };
        self.request.user == OWN_USER && *uid == rustix::process::getuid().as_raw()
    }

    /// How the configuration has this client prove who it is.
    fn way(&self) -> Result<Way, Refused> {
        let by = |method| Way::By { method, map: None };
        Ok(match self.plan.config.auth.method {
            AuthMethod::Any => Way::Any,
            AuthMethod::Trust => by(Method::Trust),
            AuthMethod::Md5 => by(Method::Md5),
            AuthMethod::Plain => by(Method::Password),
            AuthMethod::ScramSha256 => by(Method::ScramSha256),
            AuthMethod::Cert => by(Method::Cert),
            AuthMethod::Peer => by(Method::Peer),
            AuthMethod::Hba => self.rule()?,
        })
    }

    fn rule(&self) -> Result<Way, Refused> {
        let kind = match self.peer {
            Peer::Unix { .. } => Kind::Local,
            Peer::Tcp { remote, .. } => Kind::Host { address: remote.ip(), tls: self.tls.is_some() },
        };
        let request = &self.request;
        let replication = request.replication.is_some();
        let rules = self.plan.hba.as_ref();
        let rule =
            rules.and_then(|rules| rules.first_match(kind, &request.database, &request.user, replication));
        let rule = rule.ok_or_else(|| self.rejected("no authentication method is found"))?;
        Ok(Way::By { method: rule.method, map: rule.map.clone() })
    }

    fn rejected(&self, pgbouncer: &str) -> Refused {
        let Login { request, peer, .. } = self;
        let tls = if self.tls.is_some() { "TLS" } else { "no encryption" };
        let native = format!(
            "no rule lets user \"{}\" in to database \"{}\" from {peer}, {tls}",
            request.user, request.database
        );
        Refused::new(self.plan.face, "28000", native, pgbouncer)
    }

    /// What is known of the user: from the configuration, or from the server.
    async fn known(&self, database: Option<&Arc<DatabasePlan>>) -> Result<Known, Refused> {
        let (plan, user) = (self.plan, self.request.user.as_str());
        if let Some(password) = plan.passwords.get(user) {
            return Ok(Known::Stored { password: password.clone(), asked: false });
        }
        let Some(database) = database else { return Ok(Known::No) };
        // Whoever knows the password that a database's servers are logged in to with may come as that user.
        if plan.face == Face::Native && database.user.as_deref() == Some(user) {
            return Ok(match &database.password {
                Some(password) => Known::Stored { password: password.clone(), asked: false },
                None => Known::Named,
            });
        }
        let login = &self.worker.shared.login;
        if let Some(password) = login.remembered(&database.name, user, Instant::now()) {
            return Ok(Known::Stored { password, asked: true });
        }
        let answer = ask::ask(self.worker, plan, database, user).await;
        match answer.map_err(|reason| self.not_asked(reason))? {
            Some(password) => {
                login.remember(&database.name, user, password.clone(), Instant::now());
                Ok(Known::Stored { password, asked: true })
            }
            None => Ok(Known::No),
        }
    }

    /// The client is not told what is wrong with the server.
    fn not_asked(&self, reason: String) -> Refused {
        let native = "the server could not be asked who you are: try again later";
        Refused::new(self.plan.face, "08006", native, "error response from auth_query").because(reason)
    }

    async fn prove(
        &mut self,
        method: Method,
        map: Option<&str>,
        known: &Known,
    ) -> Result<Option<Keys>, Refused> {
        match (method, known) {
            (Method::Trust, Known::No) => {
                let native = format!("role \"{}\" does not exist", self.request.user);
                Err(Refused::new(self.plan.face, "28000", native, "\"trust\" authentication failed"))
            }
            (Method::Trust, _) => Ok(None),
            (Method::Reject, _) => Err(self.rejected("login rejected")),
            (Method::Peer, _) => self.peer_proof(map, known).map(|()| None),
            (Method::Cert, _) => self.certificate_proof(map, known).map(|()| None),
            (Method::Password, _) => self.password_proof(known).await.map(|()| None),
            (Method::ScramSha256, _)
            | (Method::Md5, Known::Stored { password: StoredPassword::Scram(_), .. }) => {
                self.scram_proof(known).await
            }
            // Users there are not are asked as most of those that there are.
            (Method::Md5, Known::No | Known::Named) if self.plan.stores_scram() => {
                self.scram_proof(known).await
            }
            (Method::Md5, _) => self.md5_proof(known).await.map(|()| None),
        }
    }

    /// Whether the proof is all there is to it. PgBouncer lets only those in whom it knows.
    fn needs_no_password(&self, method: Method) -> bool {
        self.plan.face == Face::Native && matches!(method, Method::Peer | Method::Cert)
    }

    fn peer_proof(&self, map: Option<&str>, known: &Known) -> Result<(), Refused> {
        let user = self.request.user.as_str();
        let failed = |reason: String| {
            let native = format!("peer authentication failed for user \"{user}\"");
            Refused::new(self.plan.face, "28000", native, "unix socket login rejected").because(reason)
        };
        let Peer::Unix { uid: Some(uid), .. } = self.peer else {
            return Err(failed("peer authentication is for Unix sockets".into()));
        };
        let name =
            system::user_name(*uid).ok_or_else(|| failed(format!("no system user has the number {uid}")))?;
        if !self.is_mapped(map, &name) {
            return Err(failed(format!("the client is the system's user \"{name}\"")));
        }
        if matches!(known, Known::No) { Err(failed("there is no such user".into())) } else { Ok(()) }
    }

    fn certificate_proof(&self, map: Option<&str>, known: &Known) -> Result<(), Refused> {
        let failed = |reason: String| {
            let native = format!("certificate authentication failed for user \"{}\"", self.request.user);
            Refused::new(self.plan.face, "28000", native, "certificate authentication failed").because(reason)
        };
        let tls = self.tls.as_ref().ok_or_else(|| failed("the client does not speak TLS".into()))?;
        let certificate =
            tls.certificate.as_ref().ok_or_else(|| failed("the client has no certificate".into()))?;
        let name = deepwater_tls::common_name(certificate);
        let name = name.ok_or_else(|| failed("the client's certificate has no common name".into()))?;
        if !self.is_mapped(map, &name) {
            return Err(failed(format!("the client's certificate is that of \"{name}\"")));
        }
        if matches!(known, Known::No) { Err(failed("there is no such user".into())) } else { Ok(()) }
    }

    /// Whether somebody whom the system or a certificate calls so may be the user.
    fn is_mapped(&self, map: Option<&str>, name: &str) -> bool {
        match map {
            Some(map) => self.plan.ident.map(map, name, &self.request.user),
            None => name == self.request.user,
        }
    }

    async fn password_proof(&mut self, known: &Known) -> Result<(), Refused> {
        let sheltered = self.tls.is_some() || self.peer.is_unix() || self.plan.config.auth.plain_without_tls;
        if self.plan.face == Face::Native && !sheltered {
            let message = "a password in clear text is taken over TLS alone: use sslmode=require";
            return Err(Refused::new(self.plan.face, "28000", message, message));
        }
        write::authentication_cleartext_password(&mut self.talk.output);
        let answer = self.answer().await?;
        let password =
            frontend::password(&answer).map_err(|error| Refused::protocol(error.to_string()))?.to_vec();
        if password.is_empty() {
            return Err(Refused::new(
                self.plan.face,
                "28P01",
                "empty password returned by client",
                "empty password returned by client",
            ));
        }
        let (user, stored) = (self.request.user.clone(), self.stored_or_mock(known));
        let verified = match &stored {
            // It takes as long as the secret's iterations ask for: not on this thread.
            StoredPassword::Scram(_) => {
                let verified = tokio::task::spawn_blocking(move || stored.verify(&user, &password));
                verified.await.unwrap_or(false)
            }
            StoredPassword::Plain(_) | StoredPassword::Md5(_) => stored.verify(&user, &password),
        };
        if verified && !self.is_hopeless(known) {
            return Ok(());
        }
        Err(self.wrong(known))
    }

    async fn md5_proof(&mut self, known: &Known) -> Result<(), Refused> {
        let salt = random::<4>()?;
        write::authentication_md5(&mut self.talk.output, salt);
        let answer = self.answer().await?;
        let answer = frontend::password(&answer).map_err(|error| Refused::protocol(error.to_string()))?;
        let user = &self.request.user;
        let secret = match known {
            Known::Stored { password: StoredPassword::Plain(password), .. } => md5::secret(user, password),
            Known::Stored { password: StoredPassword::Md5(secret), .. } => secret.clone(),
            _ => md5::secret(user, random::<16>()?),
        };
        if md5::verify(&secret, salt, answer) && !self.is_hopeless(known) {
            return Ok(());
        }
        Err(self.wrong(known))
    }

    /// Plays the whole exchange whoever the user is: it fails at the end or it does not.
    async fn scram_proof(&mut self, known: &Known) -> Result<Option<Keys>, Refused> {
        let (secret, lasting) = self.scram_secret(known);
        let end_point = self.tls.as_ref().and_then(|tls| tls.end_point.clone());
        let nonce = scram::nonce(&random()?);
        let mut server = scram::Server::new(secret, &nonce, end_point.as_deref());
        write::authentication_sasl(&mut self.talk.output, scram::mechanisms(end_point.is_some()));

        let answer = self.answer().await?;
        let first =
            SaslInitialResponse::read(&answer).map_err(|error| Refused::protocol(error.to_string()))?;
        let challenge = server.first(first.mechanism, first.response.unwrap_or_default());
        let challenge = challenge.map_err(|error| self.broke_scram(&error))?;
        write::authentication_sasl_continue(&mut self.talk.output, challenge);

        let answer = self.answer().await?;
        let accepted = server.last(&answer).map_err(|error| match error {
            ScramError::Proof => self.wrong_scram(known),
            error => self.broke_scram(&error),
        })?;
        if self.is_hopeless(known) {
            return Err(self.wrong_scram(known));
        }
        write::authentication_sasl_final(&mut self.talk.output, &accepted.server_final);
        // The keys of a secret that was made for the occasion open nothing.
        Ok(lasting.then_some(accepted.keys))
    }

    /// The secret to be proved against, and whether the server may have the same.
    fn scram_secret(&self, known: &Known) -> (ScramSecret, bool) {
        let (login, user) = (&self.worker.shared.login, &self.request.user);
        match known {
            Known::Stored { password: StoredPassword::Scram(secret), .. } => (secret.clone(), true),
            Known::Stored { password: StoredPassword::Plain(password), .. } => {
                let iterations = NonZeroU32::new(self.plan.config.auth.scram_iterations);
                (login.secret_of(user, password, iterations.unwrap_or(NonZeroU32::MIN)), false)
            }
            _ => (login.mock_secret(user), false),
        }
    }

    fn stored_or_mock(&self, known: &Known) -> StoredPassword {
        match known {
            Known::Stored { password, .. } => password.clone(),
            Known::Named | Known::No => {
                StoredPassword::Scram(self.worker.shared.login.mock_secret(&self.request.user))
            }
        }
    }

    /// Nobody logs in with a password that is not there or empty.
    fn is_hopeless(&self, known: &Known) -> bool {
        match known {
            Known::Stored { password: StoredPassword::Plain(password), .. } => password.is_empty(),
            Known::Stored { .. } => false,
            Known::Named | Known::No => true,
        }
    }

    fn wrong(&self, known: &Known) -> Refused {
        let reason = match known {
            Known::Stored { password: StoredPassword::Plain(password), .. } if password.is_empty() => {
                "the user has no password"
            }
            Known::Stored { .. } => "the password is wrong",
            Known::Named => "the user has no password",
            Known::No => "there is no such user",
        };
        Refused::password(self.plan.face, &self.request.user).because(reason)
    }

    fn wrong_scram(&self, known: &Known) -> Refused {
        let reason = match known {
            Known::Stored { password: StoredPassword::Md5(_), .. } => {
                "only an MD5 hash of the password is stored, which SCRAM cannot be played with".to_owned()
            }
            known => self.wrong(known).reason,
        };
        let native = format!("password authentication failed for user \"{}\"", self.request.user);
        Refused::new(self.plan.face, "28P01", native, "SASL authentication failed").because(reason)
    }

    /// The client does not keep to the exchange.
    fn broke_scram(&self, error: &ScramError) -> Refused {
        let native = error.to_string();
        let pgbouncer = match error {
            ScramError::Mechanism => "client selected an invalid SASL authentication mechanism",
            _ => "SASL authentication failed",
        };
        Refused::new(self.plan.face, "08P01", native.clone(), pgbouncer).because(native)
    }

    /// Asks what was appended, and waits for the answer.
    async fn answer(&mut self) -> Result<Vec<u8>, Refused> {
        self.talk.send().await?;
        let message = self.talk.message(MAX_ANSWER_BYTES).await?;
        match message.tag {
            frontend::PASSWORD => Ok(message.payload),
            // psql looks whether a password is needed, leaves, and asks its user.
            frontend::TERMINATE => Err(Refused::gone("")),
            other => {
                let tag = char::from(other).escape_default();
                Err(Refused::protocol(format!(
                    "expected an answer to the authentication request, got message '{tag}'"
                )))
            }
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], Refused> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Refused::gone("the system gives no random numbers"))?;
    Ok(bytes)
}
