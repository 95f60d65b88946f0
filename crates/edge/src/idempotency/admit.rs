//! Whether a request on a route that honours keys is done, answered like the one it repeats, or refused.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deepwater_auth::Claims;
use http::StatusCode;

use crate::body::BodyRead;
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Request, Response};
use crate::http1::framing::Framing;
use crate::hygiene;
use crate::io::Deadline;

use super::answer::{Answer, Kept};
use super::attempt::Attempt;
use super::body::{Buffered, NotRead, read_whole};
use super::keeper::Keeper;
use super::plan::KeyPlan;
use super::problem::Problem;
use super::store::Begun;

/// A request whose key is to be looked up.
pub(crate) struct Asking<'a> {
    pub keeper: &'a Rc<Keeper>,
    pub plan: &'a Arc<KeyPlan>,
    /// As the client sent it, before anything rewrites it.
    pub request: &'a Request,
    pub client_ip: IpAddr,
    /// What the client has proved.
    pub claims: Option<&'a Claims>,
    pub deadline: &'a Deadline,
    /// How long the client may be silent in its body.
    pub stall: Duration,
    pub received_bytes: &'a Cell<u64>,
}

/// What becomes of a request.
pub(crate) enum Admission {
    /// It has no key, and needs none. Its body was not touched.
    Keyless,
    /// Keys cannot be looked up, and it goes on as if it had none.
    Uncovered(Buffered),
    /// It is to be done, through a [`Recorder`](super::Recorder).
    Begun(Rc<Attempt>, Buffered),
    /// It repeats one that is done.
    Repeated(Arc<Answer>),
    /// It is told why not.
    Refused(Problem),
    /// Its client broke off, stalled, or sent more than any request may.
    Failed(Failure),
}

impl Asking<'_> {
    /// Looks the key up, and gets hold of it if it is new. A client that waits to be asked for its body is asked.
    pub async fn admit<B: BodyRead, R: Reply>(
        &self,
        body: &mut B,
        framing: Framing,
        reply: &mut R,
    ) -> Admission {
        let Self { keeper, plan, request, .. } = *self;
        if !plan.covers(&request.method) {
            return Admission::Keyless;
        }
        let header = || plan.header.clone();
        let key = match plan.key(request) {
            Ok(Some(key)) => key,
            Ok(None) if plan.required => return Admission::Refused(Problem::Missing { header: header() }),
            Ok(None) => return Admission::Keyless,
            Err(fault) => return Admission::Refused(Problem::BadKey { header: header(), fault }),
        };
        let bounds = (plan.max_request, keeper.buffers());
        let timing = (self.deadline, self.stall);
        let ask = async || {
            if hygiene::waits_to_be_asked(request) {
                reply.interim(&Response { status: StatusCode::CONTINUE, ..Response::default() });
                // Whoever is gone sends no body either.
                let _ = poll_fn(|cx| reply.poll_flush(cx)).await;
            }
        };
        let body = match read_whole(body, framing, bounds, timing, self.received_bytes, ask).await {
            Ok(body) => body,
            Err(NotRead::TooLarge) => {
                return Admission::Refused(Problem::TooLarge { most: plan.max_request });
            }
            Err(NotRead::NoRoom) => return Admission::Refused(Problem::Unavailable),
            Err(NotRead::Broken(failure)) => return Admission::Failed(failure),
        };
        let lookup = plan.lookup(&key, request, self.client_ip, self.claims);
        let fingerprint = plan.fingerprint(request, body.data());
        let owner = keeper.owner();
        let step = keeper.store().begin(&lookup, &fingerprint, owner, plan.terms).await;
        match keeper.heard(step) {
            Ok(Begun::Fresh) => {
                let attempt = Attempt::new(Rc::clone(keeper), Arc::clone(plan), lookup, owner);
                Admission::Begun(Rc::new(attempt), body)
            }
            Ok(Begun::InFlight(left)) => Admission::Refused(Problem::InFlight { left }),
            Ok(Begun::Done(kept)) => match &*kept {
                Kept::Whole(answer) => Admission::Repeated(Arc::clone(answer)),
                Kept::TooLarge(status) => Admission::Refused(Problem::NotKept { status: *status }),
            },
            Ok(Begun::Mismatch) => Admission::Refused(Problem::Mismatch),
            Ok(Begun::Unknown) => Admission::Refused(Problem::Unknown),
            Ok(Begun::Full) if keeper.passes_uncovered() => Admission::Uncovered(body),
            Ok(Begun::Full) => Admission::Refused(Problem::Unavailable),
            Err(_) => {
                // The store may have given hold of the key all the same.
                let keeper = Rc::clone(keeper);
                tokio::task::spawn_local(async move {
                    let _ = keeper.store().abandon(&lookup, owner).await;
                });
                if self.keeper.passes_uncovered() {
                    Admission::Uncovered(body)
                } else {
                    Admission::Refused(Problem::Unavailable)
                }
            }
        }
    }
}
