//! Passing bytes of another protocol: after an upgrade, or what CONNECT asked for.

use std::time::Instant;

use deepwater_upstream::{Lease, Outcome};
use http::StatusCode;

use crate::body::h1::Writer;
use crate::body::{BodyRead, relay_both};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::Response;
use crate::origin::h1::ResponseReader;
use crate::origin::{OriginRead, OriginWrite, connect};
use crate::websocket;

use super::Proxying;

impl Proxying<'_> {
    /// Passes them both ways.
    pub(super) async fn tunnel<B: BodyRead, R: Reply, W: OriginWrite, O: BodyRead>(
        &self,
        is_websocket: bool,
        writer: &mut W,
        reader: &mut O,
        body: &mut B,
        reply: &mut R,
    ) {
        // It is no request any more: neither its deadline nor its turn are for what may last for days.
        self.deadline.limit(None);
        drop(self.tally.turn.take());
        let idle = self.local.plan.limits.tunnel_idle;
        let (received, sent) = (&self.tally.received_bytes, &self.tally.sent_bytes);
        if is_websocket {
            let (client, origin) = ((body, reply), (reader, writer));
            return websocket::relay(self.worker, client, origin, self.deadline, idle, received, sent).await;
        }
        relay_both((body, reply), (reader, writer), self.deadline, idle, received, sent).await;
    }

    /// CONNECT: the target itself is what the client talks to.
    pub(super) async fn connect_tunnel<B: BodyRead, R: Reply>(
        &self,
        lease: &Lease,
        chosen_at: Instant,
        out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) -> Result<Outcome, Failure> {
        let plan = &self.pool.plan;
        let (slabs, time) = (&self.worker.slabs, self.time_to_connect());
        let mut connection = connect::raw(plan, lease.target(), self.peer, slabs, time)
            .await
            .map_err(|failure| self.in_time(failure))?;
        let latency = chosen_at.elapsed();
        self.tally.status.set(Some(StatusCode::OK));
        let mut response = Response::default();
        self.edit_response(Some(lease), &mut response);
        reply.tunnel(StatusCode::OK, &response.fields, None);
        let mut writer = Writer::new(&connection.io, out);
        let mut reader = ResponseReader::new(&connection.io, &mut connection.buffer, 0);
        OriginWrite::become_tunnel(&mut writer);
        reader.body().become_tunnel();
        body.become_tunnel();
        self.tunnel(false, &mut writer, reader.body(), body, reply).await;
        Ok(Outcome::Success { latency })
    }
}
