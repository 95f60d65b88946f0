//! Logging in to one host: encryption, the first packet, authentication, up to the server's first ReadyForQuery.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use deepwater_pgwire::message::backend::{self, BackendKeyData, DataRow, ParameterStatus, Status};
use deepwater_pgwire::message::frontend;
use deepwater_pgwire::sql;
use deepwater_pgwire::startup::write;
use deepwater_tls::ClientTls;

use super::authenticate::authenticate;
use super::dial::{Dialled, Encrypted, dial, encrypt, tls_description};
use super::{ConnectError, Credentials, Raw};
use crate::config::{Host, ServerTlsMode};
use crate::plan::{DatabasePlan, Plan};
use crate::server::ServerInfo;
use crate::settings::{Parameters, Settings, literal};
use crate::stream::Stream;
use crate::talk::Talk;

/// Longest message of a login; PostgreSQL's have some 100 bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most messages of a login.
const MAX_MESSAGES: usize = 1_000;
/// Longest message in answer to `connect_query`.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Asks for what a query has set in the session: what the server lists, and what the query names.
fn session_settings(query: &str) -> String {
    let mut text = String::from(
        "SELECT name, pg_catalog.current_setting(name, true) FROM pg_catalog.pg_settings WHERE source = 'session'",
    );
    for statement in sql::read(query.as_bytes()).session {
        if let sql::Statement::Set { name, .. } | sql::Statement::Touch(name) = statement {
            text.push_str(" UNION SELECT ");
            literal(&mut text, &name);
            text.push_str(", pg_catalog.current_setting(");
            literal(&mut text, &name);
            text.push_str(", true)");
        }
    }
    text
}

/// A login to one host.
pub(super) struct Attempt<'a> {
    pub plan: &'a Plan,
    pub database: &'a DatabasePlan,
    pub host: &'a Host,
    pub user: &'a str,
    pub parameters: &'a [(String, String)],
    pub credentials: &'a Credentials,
}

/// Whether this connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Clear,
    TlsIfPossible,
    Tls,
}

impl Attempt<'_> {
    pub(super) async fn run(&self, id: u64, limit: Option<Duration>) -> Result<Raw, ConnectError> {
        let (mode, want) = self.wanted();
        let first = self.connect(id, want, limit).await;
        match first {
            // libpq's `allow`: in clear, unless the server insists.
            Err(error) if mode == ServerTlsMode::Allow && error.code() == "28000" => {
                let second = self.connect(id, Want::Tls, limit).await;
                second.map_err(|_| error)
            }
            first => first,
        }
    }

    fn mode(&self) -> ServerTlsMode {
        self.database.config.primary.sslmode.unwrap_or(self.plan.config.server_tls.mode)
    }

    fn wanted(&self) -> (ServerTlsMode, Want) {
        // As libpq, no TLS where nobody can listen in.
        if matches!(self.host, Host::Unix { .. }) {
            return (ServerTlsMode::Disable, Want::Clear);
        }
        let mode = self.mode();
        let want = match mode {
            ServerTlsMode::Disable | ServerTlsMode::Allow => Want::Clear,
            ServerTlsMode::Prefer => Want::TlsIfPossible,
            ServerTlsMode::Require | ServerTlsMode::VerifyCa | ServerTlsMode::VerifyFull => Want::Tls,
        };
        (mode, want)
    }

    fn tls(&self) -> Result<&Arc<ClientTls>, ConnectError> {
        let missing = || ConnectError::config("TLS to this server is not set up");
        self.plan.server_tls.get(&self.mode()).ok_or_else(missing)
    }

    async fn connect(&self, id: u64, want: Want, limit: Option<Duration>) -> Result<Raw, ConnectError> {
        let mut dialled = dial(self.host, &self.plan.config.tcp_keepalive, limit).await?;
        if want != Want::Clear {
            dialled = match encrypt(dialled, self.host, self.tls()?).await? {
                Encrypted::Yes(dialled) => dialled,
                Encrypted::Refused(dialled) if want == Want::TlsIfPossible => dialled,
                Encrypted::Refused(_) => {
                    let why = format!("{} does not speak TLS, but sslmode requires it", self.host);
                    return Err(ConnectError::config(why));
                }
            };
        }
        self.log_in(id, dialled).await
    }

    async fn log_in(&self, id: u64, dialled: Dialled) -> Result<Raw, ConnectError> {
        let tls = match &dialled.stream {
            Stream::TlsClient(tls) => Some(tls_description(tls.get_ref().1)),
            Stream::Plain(_) | Stream::TlsServer(_) => None,
        };
        let mut talk = Talk::new(dialled.stream);
        let who = [("user", self.user), ("database", self.database.server_name.as_str())];
        let others = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        write::startup(&mut talk.output, 0, who.into_iter().chain(others));
        talk.send().await?;
        authenticate(&mut talk, self.user, self.credentials).await?;

        let (mut login, mut base) = (Begun::default(), Settings::default());
        login.until_ready(&mut talk).await?;
        if let Some(query) = &self.database.config.connect_query {
            frontend::write::query(&mut talk.output, query);
            talk.send().await?;
            login.until_answered(&mut talk, &mut Settings::default()).await?;
            frontend::write::query(&mut talk.output, session_settings(query));
            talk.send().await?;
            login.until_answered(&mut talk, &mut base).await?;
        }
        while !talk.inbox.is_empty() {
            login.take_unasked(&mut talk).await?;
        }
        let (pid, key) = login.key.unwrap_or_default();
        let mut info = ServerInfo::new(id, pid, key, self.host.clone());
        info.remote = dialled.remote;
        info.local = dialled.local;
        info.descriptor = talk.stream.socket().descriptor();
        info.tls = tls;
        Ok(Raw { stream: talk.stream, info, parameters: login.parameters, base })
    }
}

/// What the server has said of the session.
#[derive(Default)]
struct Begun {
    parameters: Parameters,
    key: Option<(u32, Vec<u8>)>,
}

impl Begun {
    async fn until_ready(&mut self, talk: &mut Talk) -> Result<(), ConnectError> {
        for _ in 0..MAX_MESSAGES {
            let message = talk.message(MAX_MESSAGE_BYTES).await?;
            match message.tag {
                backend::READY_FOR_QUERY => return idle(&message.payload, "after logging in"),
                backend::BACKEND_KEY_DATA => {
                    let BackendKeyData { pid, key } =
                        BackendKeyData::read(&message.payload).map_err(malformed)?;
                    self.key = Some((pid, key.to_vec()));
                }
                backend::ERROR_RESPONSE => return Err(ConnectError::said(&message.payload)),
                tag => self.unasked(tag, &message.payload)?,
            }
        }
        Err(ConnectError::broken("the server does not come to an end of logging in"))
    }

    /// Reads the answer to `connect_query`, or to what it has set; what it returns are settings.
    async fn until_answered(&mut self, talk: &mut Talk, settings: &mut Settings) -> Result<(), ConnectError> {
        loop {
            let message = talk.message(MAX_ANSWER_BYTES).await?;
            match message.tag {
                backend::READY_FOR_QUERY => return idle(&message.payload, "after connect_query"),
                backend::ERROR_RESPONSE => {
                    let error = ConnectError::said(&message.payload);
                    return Err(ConnectError::config(format!("connect_query failed: {error}")));
                }
                backend::DATA_ROW => {
                    let row = DataRow::read(&message.payload);
                    let mut row = row.map_err(|_| ConnectError::broken("the server sends no rows"))?;
                    if let (Some(Some(name)), Some(Some(value)), None) = (row.next(), row.next(), row.next())
                    {
                        settings.set(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
                    }
                }
                backend::ROW_DESCRIPTION | backend::COMMAND_COMPLETE | backend::EMPTY_QUERY_RESPONSE => {}
                tag => self.unasked(tag, &message.payload)?,
            }
        }
    }

    async fn take_unasked(&mut self, talk: &mut Talk) -> Result<(), ConnectError> {
        let message = talk.message(MAX_MESSAGE_BYTES).await?;
        self.unasked(message.tag, &message.payload)
    }

    /// Takes what a server may say at any time.
    fn unasked(&mut self, tag: u8, payload: &[u8]) -> Result<(), ConnectError> {
        match tag {
            backend::PARAMETER_STATUS => {
                let status = ParameterStatus::read(payload).map_err(malformed)?;
                self.parameters.set(&text(status.name), &text(status.value));
            }
            backend::NOTICE_RESPONSE
            | backend::NEGOTIATE_PROTOCOL_VERSION
            | backend::NOTIFICATION_RESPONSE => {}
            other => return Err(unexpected(other)),
        }
        Ok(())
    }
}

fn idle(payload: &[u8], when: &str) -> Result<(), ConnectError> {
    match Status::read(payload).map_err(malformed)? {
        Status::Idle => Ok(()),
        _ => Err(ConnectError::config(format!("the server is in a transaction {when}"))),
    }
}

/// What a server reports is in the encoding of the session, which is UTF-8 or is shown as well as may be.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub(super) fn malformed(error: deepwater_pgwire::message::Malformed) -> ConnectError {
    ConnectError::broken(format!("the server does not speak the protocol: {error}"))
}

pub(super) fn unexpected(tag: u8) -> ConnectError {
    let tag = char::from(tag).escape_default();
    ConnectError::broken(format!("the server sent a message '{tag}' out of turn while logging in"))
}
