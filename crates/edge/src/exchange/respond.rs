//! Answers of our own: failures, redirects, fixed responses, files.

use std::future::poll_fn;
use std::task::ready;
use std::time::SystemTime;

use deepwater_core::Blame;
use http::StatusCode;

use crate::body::{Stalls, relay};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::files::Files;
use crate::guard::Refusal;
use crate::head::{Fields, Name, Request};
use crate::http1::framing::{Framing, has_no_body, parse_length};
use crate::io::Deadline;
use crate::plan::{Fixed, RoutePlan};
use crate::route::{Captures, Template, Values};
use crate::worker::Worker;

use super::Tally;

deepwater_core::event! {
    /// A static file could not be read.
    pub struct FileUnreadable { path: String, reason: String }
    file_unreadable: Warn, "cannot serve the file for {path}: {reason}"
}

/// A request that we answer ourselves.
#[derive(Clone, Copy)]
pub(super) struct Answering<'a> {
    pub worker: &'a Worker,
    pub request: &'a Request,
    pub deadline: &'a Deadline,
    pub tally: &'a Tally,
    /// What the cache did, where the route caches.
    pub cache_status: Option<&'a [u8]>,
}

impl Answering<'_> {
    /// Tells the client what failed, if it can still be told; else breaks off.
    pub async fn failure<R: Reply>(&self, failure: Failure, reply: &mut R) {
        self.failure_with(failure, &[], reply).await;
    }

    /// Tells the client what a guard refused.
    pub async fn refusal<R: Reply>(&self, refusal: &Refusal, reply: &mut R) {
        self.failure_with(refusal.failure, &refusal.fields, reply).await;
    }

    /// The same with more fields.
    async fn failure_with<R: Reply>(
        &self,
        failure: Failure,
        more: &[(&'static [u8], Vec<u8>)],
        reply: &mut R,
    ) {
        self.tally.failure.set(Some(failure));
        if reply.head_sent() {
            reply.abort();
            return;
        }
        let status = failure.status();
        let mut fields = Fields::default();
        fields.add_known(Name::ContentType, b"text/plain; charset=utf-8");
        fields.add_known(Name::CacheControl, b"no-store");
        fields.add_known(Name::ProxyStatus, format!("deepwater; error={}", failure.error()).as_bytes());
        self.tally.write_rate(&mut fields);
        for (name, value) in more {
            fields.add(name, value);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && fields.get_known(Name::RetryAfter).is_none() {
            fields.add_known(Name::RetryAfter, b"1");
        }
        if let Some(status) = self.cache_status {
            fields.add_known(Name::CacheStatus, status);
        }
        if failure == Failure::MethodNotAllowed {
            fields.add(b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        }
        let mut text = format!("{} {}\n", status.as_u16(), failure.sentence());
        if let Some(id) = self.request.fields.get_known(Name::XRequestId) {
            text.push_str("request id: ");
            text.push_str(&String::from_utf8_lossy(id));
            text.push('\n');
        }
        // Where a message's end is in doubt, nothing that follows on the connection can be trusted.
        if failure.blame() == Blame::Client && !failure.is_understood() {
            reply.close_after();
        }
        self.whole(status, fields, text.as_bytes(), reply).await;
    }

    /// The same address under `https://`.
    pub async fn redirect_to_https<R: Reply>(&self, reply: &mut R) {
        let authority = self.request.authority();
        if authority.is_empty() {
            return self.failure(Failure::BadRequest, reply).await;
        }
        let host = match authority.iter().rposition(|b| *b == b':') {
            Some(colon) if !authority[colon..].contains(&b']') => &authority[..colon],
            _ => authority,
        };
        let mut fields = Fields::default();
        fields.add_known(Name::Location, &[b"https://", host, self.request.target()].concat());
        self.whole(StatusCode::PERMANENT_REDIRECT, fields, b"", reply).await;
    }

    /// A redirect to what the template says.
    pub async fn redirect<R: Reply>(
        &self,
        route: &RoutePlan,
        captures: &Captures,
        to: &Template,
        status: StatusCode,
        reply: &mut R,
    ) {
        let mut location = Vec::new();
        to.render(&mut location, &Values::of(self.request, self.tally.client_ip, captures));
        let mut fields = Fields::default();
        fields.add_known(Name::Location, &location);
        self.edit(route, captures, &mut fields);
        self.whole(status, fields, b"", reply).await;
    }

    /// An answer in JSON.
    pub async fn json<R: Reply>(&self, status: StatusCode, value: &serde_json::Value, reply: &mut R) {
        let mut fields = Fields::default();
        fields.add_known(Name::ContentType, b"application/json");
        fields.add_known(Name::CacheControl, b"no-store");
        self.whole(status, fields, format!("{value}\n").as_bytes(), reply).await;
    }

    /// A response that is always the same.
    pub async fn fixed<R: Reply>(
        &self,
        route: &RoutePlan,
        captures: &Captures,
        fixed: &Fixed,
        reply: &mut R,
    ) {
        let mut fields = Fields::default();
        fields.add_known(Name::ContentType, fixed.content_type.as_bytes());
        self.edit(route, captures, &mut fields);
        self.whole(fixed.status, fields, fixed.body.as_bytes(), reply).await;
    }

    /// A file below a directory.
    pub async fn file<R: Reply>(&self, route: &RoutePlan, captures: &Captures, files: &Files, reply: &mut R) {
        let mut answer = files.answer(self.request, captures.below(self.request), SystemTime::now()).await;
        if let Some(error) = answer.error {
            let (path, reason) =
                (String::from_utf8_lossy(self.request.path()).into_owned(), error.to_string());
            self.worker.context.events.emit(FileUnreadable { path, reason });
        }
        self.edit(route, captures, &mut answer.fields);
        let Some(mut body) = answer.body else {
            return self.whole(answer.status, answer.fields, b"", reply).await;
        };
        answer.fields.add_known(Name::Date, &self.worker.date());
        self.tally.status.set(Some(answer.status));
        let stall = self.worker.limits().body_stall;
        let length = answer.fields.get_known(Name::ContentLength).and_then(parse_length).unwrap_or_default();
        reply.head(answer.status, &answer.fields, Framing::Length(length));
        self.deadline.set(stall);
        let stalls = Stalls::both(stall);
        let sending = relay(&mut body, reply, self.deadline, &stalls, &self.tally.sent_bytes);
        if !matches!(self.deadline.guard(sending).await, Ok(Ok(()))) {
            self.tally.failure.set(Some(Failure::ResponseIncomplete));
            reply.abort();
        }
    }

    fn edit(&self, route: &RoutePlan, captures: &Captures, fields: &mut Fields) {
        self.tally.write_rate(fields);
        route.edit_response(fields, &route.prepare_response(self.request, self.tally.client_ip, captures));
    }

    /// Sends a whole answer from memory.
    pub(super) async fn whole<R: Reply>(
        &self,
        status: StatusCode,
        mut fields: Fields,
        body: &[u8],
        reply: &mut R,
    ) {
        let bodiless = has_no_body(status, &self.request.method);
        if fields.get_known(Name::ContentLength).is_none()
            && status != StatusCode::NO_CONTENT
            && status != StatusCode::NOT_MODIFIED
        {
            fields.add_known(Name::ContentLength, itoa::Buffer::new().format(body.len()).as_bytes());
        }
        fields.add_known(Name::Date, &self.worker.date());
        self.tally.status.set(Some(status));
        let body = if bodiless { b"" } else { body };
        let framing = if body.is_empty() { Framing::Empty } else { Framing::Length(body.len() as u64) };
        reply.head(status, &fields, framing);
        let mut sent = 0;
        let sending = poll_fn(|cx| {
            while sent < body.len() {
                sent += ready!(reply.poll_data(cx, &body[sent..], true))?;
            }
            reply.poll_end(cx, None)
        });
        self.deadline.set(self.worker.limits().body_stall);
        let ended = self.deadline.guard(sending).await;
        self.tally.sent_bytes.set(sent as u64);
        if !matches!(ended, Ok(Ok(()))) {
            reply.abort();
        }
    }
}
