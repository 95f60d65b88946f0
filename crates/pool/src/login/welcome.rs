//! What a client is told when it is in: the server's parameters, its own secret, and that it may begin.

use std::ops::Deref;
use std::sync::Arc;

use deepwater_pgwire::message::backend::{Status, write};

use super::lease::Lease;
use super::{Administrator, Client, Login, Refused, Replica};
use crate::clients::{ClientInfo, Clients};
use crate::pgbouncer::VERSION;
use crate::plan::ADMINISTRATION;
use crate::pools::{Pool, Welcome};
use crate::settings::Parameters;
use crate::stream::{Socket, Stream};

/// What the administration database says of itself beside its version; as PgBouncer's does.
const ADMINISTRATION_PARAMETERS: [(&str, &str); 6] = [
    ("client_encoding", "UTF8"),
    ("server_encoding", "UTF8"),
    ("DateStyle", "ISO"),
    ("TimeZone", "GMT"),
    ("standard_conforming_strings", "on"),
    ("is_superuser", "on"),
];

impl Login<'_> {
    pub(super) async fn open_session(&mut self, pool: Arc<Pool>, user: Arc<str>) -> Result<Client, Refused> {
        let welcome = self.welcome_to(&pool).await?;
        let info = self.introduce(Arc::clone(&pool.key.database), user)?;
        self.talk.output.extend_from_slice(&welcome.messages);
        self.welcome(&info).await?;
        let (stream, input) = self.leave();
        let startup = std::mem::take(&mut self.request.settings);
        let info = info.keep();
        let parameters = Arc::clone(&welcome.parameters);
        Ok(Client { stream, input, pool, info, startup, parameters })
    }

    pub(super) async fn open_administration(&mut self, may_change: bool) -> Result<Administrator, Refused> {
        let info = self.introduce(ADMINISTRATION.into(), self.request.user.as_str().into())?;
        let version = format!("{VERSION}/bouncer");
        let version = std::iter::once(("server_version", version.as_str()));
        for (name, value) in version.chain(ADMINISTRATION_PARAMETERS) {
            write::parameter_status(&mut self.talk.output, name, value);
        }
        self.welcome(&info).await?;
        let (stream, input) = self.leave();
        Ok(Administrator { stream, input, info: info.keep(), may_change })
    }

    /// The rest is told by the server itself, once it is connected to.
    pub(super) fn open_replication(
        &mut self,
        pool: Arc<Pool>,
        user: Arc<str>,
        replication: String,
    ) -> Result<Replica, Refused> {
        let info = self.introduce(Arc::clone(&pool.key.database), user)?;
        let output = std::mem::take(&mut self.talk.output);
        let (stream, input) = self.leave();
        let startup = std::mem::take(&mut self.request.settings);
        let info = info.keep();
        Ok(Replica { stream, input, output, pool, info, replication, startup })
    }

    /// Tells the client that it is in.
    async fn welcome(&mut self, info: &ClientInfo) -> Result<(), Refused> {
        let out = &mut self.talk.output;
        write::backend_key_data(out, info.pid, &info.key);
        write::ready_for_query(out, Status::Idle);
        self.talk.send().await?;
        Ok(())
    }

    fn leave(&mut self) -> (Stream, Vec<u8>) {
        let stream = std::mem::replace(&mut self.talk.stream, Stream::Plain(Socket::Lost));
        let inbox = std::mem::take(&mut self.talk.inbox);
        (stream, inbox.into_rest())
    }

    /// What the client is told of the server: what the server says, with the client's own settings in their place. Most
    /// clients of a pool are told the same as the one before.
    async fn welcome_to(&self, pool: &Arc<Pool>) -> Result<Arc<Welcome>, Refused> {
        let server = match pool.welcome() {
            Some(server) => server,
            None => self.meet_server(pool).await?,
        };
        let settings = self.request.settings.hash();
        let mut last = pool.last_welcome.lock().expect("no panic while it is held");
        if let Some(welcome) = &*last
            && welcome.settings == settings
            && Arc::ptr_eq(&welcome.server, &server)
        {
            return Ok(Arc::clone(welcome));
        }
        let mut parameters = Arc::clone(&server);
        for (name, value) in server.iter() {
            if let Some(own) = self.request.settings.get(&name.to_ascii_lowercase())
                && own != value
            {
                Arc::make_mut(&mut parameters).set(name, own);
            }
        }
        let mut messages = Vec::new();
        for (name, value) in parameters.iter() {
            write::parameter_status(&mut messages, name, value);
        }
        let welcome = Arc::new(Welcome { server, settings, parameters, messages: messages.into() });
        *last = Some(Arc::clone(&welcome));
        Ok(welcome)
    }

    /// Has a connection to the server opened, since nothing is known of it yet.
    async fn meet_server(&self, pool: &Arc<Pool>) -> Result<Arc<Parameters>, Refused> {
        match Lease::take(self.worker, pool).await {
            Ok(lease) => {
                let welcome = Arc::clone(&lease.parameters);
                lease.give_back();
                Ok(pool.welcome().unwrap_or(welcome))
            }
            Err(refusal) => {
                let (code, message) = refusal.words(&pool.key, self.plan.face);
                Err(Refused { code, reason: message.clone(), message })
            }
        }
    }
}

/// A client that is known to all and not told so yet. Should it go before, it is forgotten.
pub(super) struct Entered<'a> {
    clients: &'a Clients,
    info: Option<Arc<ClientInfo>>,
}

impl<'a> Entered<'a> {
    pub(super) fn new(clients: &'a Clients, info: Arc<ClientInfo>) -> Self {
        Self { clients, info: Some(info) }
    }

    fn keep(mut self) -> Arc<ClientInfo> {
        self.info.take().expect("it is kept once")
    }
}

impl Deref for Entered<'_> {
    type Target = ClientInfo;

    fn deref(&self) -> &ClientInfo {
        self.info.as_ref().expect("it is there until it is kept")
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.info.take().iter().for_each(|info| self.clients.leave(info));
    }
}
