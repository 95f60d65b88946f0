//! From a request to its answer: guard, router, handler.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use deepwater_core::{Call, Context, Endpoint, Events, Reply, Shutdown};
use http::header::{ALLOW, VARY, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use super::answer::{self, Answer};
use super::asset::Asset;
use super::guard::{Guard, Refusal};
use super::measure::{CommandGiven, Measure};
use super::path::query_value;
use super::router::{Found, Router};
use super::{Ports, StartError, pages};
use crate::out::scrape::Format;

/// Longest body of a command, in bytes.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// Longest wait for a body.
const BODY_DEADLINE: Duration = Duration::from_secs(20);
/// Longest wait for an endpoint's answer.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Paths that load balancers and supervisors ask, which have no token.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Everything a request needs.
pub(super) struct App {
    guard: ArcSwap<Guard>,
    router: Router<Handler>,
    dashboard: Asset,
    sign_in: Asset,
    metrics: deepwater_core::metrics::Registry,
    events: Events,
    shutdown: Shutdown,
    measure: Measure,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

enum Handler {
    Dashboard,
    Metrics,
    Endpoint(Endpoint),
}

impl App {
    /// # Errors
    /// Two endpoints claim one path.
    pub(super) fn new(context: &Context, ports: &Ports, guard: Guard) -> Result<Self, StartError> {
        let own = [
            pages::healthz(),
            pages::readyz(context, ports),
            pages::status(context, ports),
            pages::events(context),
        ];
        let index = pages::index(own.iter().chain(&ports.endpoints));
        let mut router = Router::new();
        router.mount("GET", "/", Handler::Dashboard)?;
        router.mount("GET", "/metrics", Handler::Metrics)?;
        for endpoint in own.into_iter().chain([index]).chain(ports.endpoints.iter().cloned()) {
            router.mount(endpoint.method, endpoint.path, Handler::Endpoint(endpoint))?;
        }
        Ok(Self {
            guard: ArcSwap::from_pointee(guard),
            router,
            dashboard: Asset::dashboard(),
            sign_in: Asset::sign_in(),
            metrics: context.metrics.clone(),
            events: context.events.clone(),
            shutdown: context.shutdown.clone(),
            measure: Measure::new(&context.metrics),
        })
    }

    /// Lets in by another guard from now on.
    pub(super) fn guard_with(&self, guard: Guard) {
        self.guard.store(Arc::new(guard));
    }

    /// The console's own metrics.
    pub(super) fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Answers one request.
    pub(super) async fn answer<B>(&self, request: Request<B>, peer: SocketAddr) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // A drain lets calls under way finish.
        let _work = self.shutdown.work();
        let answer = self.dispatch(request, peer).await;
        self.measure.answered(answer.status());
        answer
    }

    async fn dispatch<B>(&self, request: Request<B>, peer: SocketAddr) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let query = head.uri.query().unwrap_or_default();
        let pretty = query_value(query, "pretty").is_some();
        let refuse = |status, message: &str| answer::json(&Reply::error(status, message), pretty);

        if !OPEN_PATHS.contains(&path) {
            if path == "/"
                && let Some(cookie) =
                    query_value(query, "token").and_then(|token| self.guard.load().login(&token))
            {
                return answer::signed_in(&cookie);
            }
            if let Err(refusal) = self.guard.load().admit(&head.uri, &head.headers) {
                return self.refused(&refusal, path, pretty);
            }
        }
        let (handler, parameters) = match self.router.find(head.method.as_str(), path) {
            Found::Handler(handler, parameters) => (handler, parameters),
            Found::WrongMethod(allow) => {
                let mut answer = refuse(405, &format!("{path} does not take {}, but {allow}", head.method));
                answer::set(&mut answer, ALLOW, &allow);
                return answer;
            }
            Found::Nothing(near) => return answer::json(&not_found(path, &near), pretty),
            Found::Malformed => return refuse(400, "the path holds a broken percent escape or is not UTF-8"),
        };
        let endpoint = match handler {
            Handler::Dashboard => return answer::page(StatusCode::OK, &self.dashboard),
            Handler::Metrics => {
                let format = Format::wanted(&head.headers);
                let mut answer = answer::text(format.media_type(), format.write(&self.metrics.read()));
                answer::set(&mut answer, VARY, "Accept");
                return answer;
            }
            Handler::Endpoint(endpoint) => endpoint,
        };

        let command = head.method != Method::GET && head.method != Method::HEAD;
        if command && let Err(refusal) = Guard::admit_command(&head.headers) {
            return self.refused(&refusal, path, pretty);
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err(reply) => return answer::json(&reply, pretty),
        };
        let reply = run(endpoint, Call { parameters, query: query.to_owned(), body }).await;
        if command {
            let (path, peer) = (path.to_owned(), peer.ip().to_string());
            self.events.emit(CommandGiven { path, peer, status: reply.status });
        }
        answer::json(&reply, pretty)
    }

    fn refused(&self, refusal: &Refusal, path: &str, pretty: bool) -> Answer {
        match refusal {
            Refusal::Unauthorized => {
                let mut answer = if path == "/" {
                    answer::page(StatusCode::UNAUTHORIZED, &self.sign_in)
                } else {
                    let message = "this console needs its token: send `Authorization: Bearer TOKEN`, \
                                   or open /?token=TOKEN in a browser";
                    answer::json(&Reply::error(401, message), pretty)
                };
                answer::set(&mut answer, WWW_AUTHENTICATE, "Bearer realm=\"deepwater console\"");
                answer
            }
            Refusal::ForeignHost(host) => {
                let message = format!(
                    "the Host `{host}` is not a name of this console, which has no token; \
                     use http://localhost or the IP address, or set a `token` in [console]"
                );
                answer::json(&Reply::error(403, &message), pretty)
            }
            Refusal::CrossSite => {
                let message = "a command needs `Content-Type: application/json` or `X-Deepwater: 1`, \
                               so that no foreign page can give it";
                answer::json(&Reply::error(403, message), pretty)
            }
        }
    }
}

fn not_found(path: &str, near: &[&str]) -> Reply {
    let hint = if near.is_empty() { "see /api/".to_owned() } else { format!("near it: {}", near.join(", ")) };
    let error = format!("there is nothing at {path}; {hint}");
    Reply { status: 404, body: serde_json::json!({ "error": error, "near": near }) }
}

/// The body, whole.
async fn read<B>(body: B) -> Result<Vec<u8>, Reply>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > BODY_LIMIT_BYTES as u64 {
        return Err(Reply::error(413, "a body may hold a mebibyte"));
    }
    let whole = Box::pin(Limited::new(body, BODY_LIMIT_BYTES).collect());
    match tokio::time::timeout(BODY_DEADLINE, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Reply::error(413, "a body may hold a mebibyte"))
        }
        Ok(Err(error)) => Err(Reply::error(400, &format!("the body cannot be read: {error}"))),
        Err(_) => Err(Reply::error(408, "the body did not arrive in time")),
    }
}

/// Calls the endpoint in a task of its own: a client that leaves does not leave a command half done, and a
/// fault in one endpoint is an answer, not the end of the connection.
async fn run(endpoint: &Endpoint, call: Call) -> Reply {
    let function = std::sync::Arc::clone(&endpoint.call);
    let running = tokio::spawn(async move { function(call).await });
    match tokio::time::timeout(CALL_DEADLINE, running).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => Reply::error(500, "the endpoint failed; this is a fault of Deepwater"),
        Err(_) => Reply::error(504, "no answer within 30 seconds; what was begun goes on"),
    }
}
