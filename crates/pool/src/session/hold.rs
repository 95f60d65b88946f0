//! How a client gets its server, and gives it back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::{Duration, Instant};

use deepwater_pgwire::message::frontend::write as frontend;

use super::end::End;
use super::expect::Ours;
use super::link::Link;
use super::{Session, Step};
use crate::clients::ClientState;
use crate::server::{Server, ServerState};
use crate::shared::Moment;

impl Session {
    /// Takes a server that is free, and goes on with what the client has sent.
    pub(super) fn take_server(&mut self, cx: &mut Context<'_>, server: Box<Server>) -> Result<Step, End> {
        let Some(server) = self.fit(server) else { return self.ask_again(cx) };
        self.link_to(server, self.worker.shared.moment(Instant::now()));
        self.introduce(cx)?;
        self.feed_input(cx)?;
        Ok(Step::Again)
    }

    /// Makes a server that was idle one of this thread; none if it has ended meanwhile.
    pub(super) fn fit(&mut self, mut server: Box<Server>) -> Option<Box<Server>> {
        if !server.settle() {
            self.worker.discard(server);
            return None;
        }
        if server.home != self.worker.id {
            if server.stream.rehome().is_err() {
                self.worker.discard(server);
                return None;
            }
            server.home = self.worker.id;
        }
        Some(server)
    }

    pub(super) fn link_to(&mut self, server: Box<Server>, now: Moment) {
        let mut link = self.worker.take_link(now);
        server.info.client.store(self.info.id, Ordering::SeqCst);
        server.info.set_state(ServerState::Active);
        self.info.set_server(Some(&server.info));
        self.info.set_state(ClientState::Active);
        (link.linked, link.moment) = (now, now);
        link.server = Some(server);
        self.metrics.assignments.increment();
        self.link = Some(link);
    }

    /// Tests a server that was idle for long, if that is asked for: nothing of the client reaches it before it answers.
    pub(super) fn check(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some((text, after)) = &self.plan.check else { return Ok(()) };
        let server = link.server.as_ref().expect("it was just linked");
        if server.last_used.elapsed() < *after {
            return Ok(());
        }
        frontend::query(&mut link.to_server, &**text);
        link.expect_ours(Ours::Check);
        link.hold = true;
        self.push_to_server(cx).map(|_| ())
    }

    /// Tells the client what is different about this server.
    pub(super) fn tell_parameters(&mut self) {
        let Some(link) = &mut self.link else { return };
        let server = link.server.as_ref().expect("it is linked");
        if self.parameters.hash() == server.parameters.hash() {
            return;
        }
        for (name, value) in server.parameters.iter() {
            if self.parameters.get(name) != Some(value) {
                deepwater_pgwire::message::backend::write::parameter_status(&mut self.to_client, name, value);
            }
        }
        self.parameters = Arc::clone(&server.parameters);
    }

    /// Gives the server back if the client needs it no more.
    pub(super) fn try_release(&mut self) -> bool {
        let Some(link) = &self.link else { return false };
        if !link.is_clean() || self.pins != 0 || !self.is_tracked() || (link.fresh && !self.input.is_empty())
        {
            return false;
        }
        let link = self.link.take().expect("it was just looked at");
        let now = link.moment;
        let server = self.unlink(link);
        self.names.trim();
        if self.plan.reset_always {
            crate::cleaning::clean(&self.worker, server, crate::cleaning::Left::to_reset());
        } else {
            self.worker.release_at(server, now);
        }
        true
    }

    /// Takes a link apart.
    pub(super) fn unlink(&mut self, mut link: Box<Link>) -> Box<Server> {
        let server = link.server.take().expect("a link has a server until it is taken apart");
        let used = link.moment.micros.saturating_sub(link.linked.micros);
        self.metrics.used.observe(Duration::from_micros(used));
        self.info.set_server(None);
        self.info.set_state(ClientState::Idle);
        if self.watched {
            self.info.query_since.store(0, Ordering::Relaxed);
            self.info.transaction_since.store(0, Ordering::Relaxed);
            self.info.idle_since.store(link.moment.micros, Ordering::Relaxed);
        }
        link.reset();
        self.worker.give_link(link);
        server
    }
}
