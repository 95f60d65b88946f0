//! What a route does with its requests: passes them to a pool, redirects, answers, or gives files.

use deepwater_core::config::Place;
use http::StatusCode;

use crate::config::{self, Redirect, Respond, Route};
use crate::files::Files;
use crate::route::Template;

use super::Builder;
use crate::plan::{Action, Fixed};

impl Builder<'_> {
    /// The first of what is written; that it is the only one is for the route to see.
    pub(super) fn action(
        &self,
        place: &Place<'_>,
        route: &Route,
        names: &[&str],
        pattern: &[String],
    ) -> Option<Action> {
        if let Some(pool) = &route.pool {
            return self.pool_index(&place.at("pool"), pool, names).map(Action::Pool);
        }
        if let Some(redirect) = &route.redirect {
            return to_elsewhere(&place.at("redirect"), redirect, pattern);
        }
        if let Some(respond) = &route.respond {
            return fixed(&place.at("respond"), respond).map(Action::Respond);
        }
        let files = route.files.as_ref()?;
        self.files(&place.at("files"), files).map(Action::Files)
    }

    fn files(&self, place: &Place<'_>, files: &config::Files) -> Option<Files> {
        let root = self.directory.join(&files.root);
        if !root.is_dir() {
            place.at("root").problem_with_fix(
                format!("`{}` is not a directory", root.display()),
                "create it, or mend the path",
            );
            return None;
        }
        Some(Files::new(root, files.index.clone()))
    }
}

fn to_elsewhere(place: &Place<'_>, redirect: &Redirect, pattern: &[String]) -> Option<Action> {
    let to = Template::parse(&redirect.to, pattern).map_err(|what| place.at("to").problem(what)).ok();
    let status = matches!(redirect.status, 301 | 302 | 303 | 307 | 308)
        .then(|| StatusCode::from_u16(redirect.status).ok())
        .flatten();
    if status.is_none() {
        place.at("status").problem_with_fix(
            format!("{} is not the status of a redirect", redirect.status),
            "write 301, 302, 303, 307 or 308",
        );
    }
    Some(Action::Redirect { to: to?, status: status? })
}

fn fixed(place: &Place<'_>, respond: &Respond) -> Option<Fixed> {
    let status =
        StatusCode::from_u16(respond.status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    if status.is_none() {
        place
            .at("status")
            .problem_with_fix(format!("{} is not a final status", respond.status), "write 200 to 599");
    }
    if http::HeaderValue::from_str(&respond.content_type).is_err() {
        place.at("content_type").problem("it holds characters that no header field may have");
        return None;
    }
    let (content_type, body) = (respond.content_type.clone(), respond.body.clone());
    Some(Fixed { status: status?, content_type, body })
}
