//! Static files, with what RFC 9110 asks of them: types, validators, conditions, ranges.
//!
//! Nothing outside the root is served, wherever names and links lead, nor any name that begins with a dot. The
//! file system is only ever touched on tokio's blocking threads.

mod body;
pub mod locate;
mod version;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use deepwater_cache::rules::{self, Outcome, Selection};
use http::{Method, StatusCode};

use crate::head::{Fields, Name, Request};

use locate::{Found, Opened, decode_path};
use version::Version;

pub use body::FileBody;

/// A directory whose files are served.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<PathBuf>,
    index: Arc<str>,
}

/// The answer to a request for a file.
#[derive(Debug)]
pub struct FileAnswer {
    /// 200, 206, 301, 304, 403, 404, 405, 412, 416 or 500.
    pub status: StatusCode,
    /// Its fields. `content-length` is always there, but on 304.
    pub fields: Fields,
    /// The content of the file, for GET answered by 200 or 206 and not empty.
    pub body: Option<FileBody>,
    /// Why the status is 500.
    pub error: Option<io::Error>,
}

impl Files {
    /// Serves what is below `root`; for a directory its file named `index`.
    pub fn new(root: PathBuf, index: String) -> Self {
        Self { root: Arc::new(root), index: index.into() }
    }

    /// Answers a request for the file at `below`, the part of the path below the route's prefix, percent-encoded
    /// and without slash before it. `now` is the time of day.
    ///
    /// Must run within a tokio runtime.
    pub async fn answer(&self, request: &Request, below: &[u8], now: SystemTime) -> FileAnswer {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return FileAnswer::with_field(StatusCode::METHOD_NOT_ALLOWED, b"allow", b"GET, HEAD");
        }
        let Some(path) = decode_path(below) else { return FileAnswer::empty(StatusCode::NOT_FOUND) };
        let named_directory = if below.is_empty() { request.path() } else { below }.ends_with(b"/");
        let whole = request.method == Method::GET && !rules::is_conditional(&request.fields);
        let (root, index) = (Arc::clone(&self.root), Arc::clone(&self.index));
        // A plain request takes one trip to the blocking threads for a file that fits in a piece.
        let located = tokio::task::spawn_blocking(move || {
            let found = locate::open(&root, &path, named_directory, &index)?;
            Ok(match found {
                Found::File(file) if whole => {
                    let start = body::read_piece(&file.file, 0, file.len);
                    (Found::File(file), start.unwrap_or_default())
                }
                found => (found, Vec::new()),
            })
        });
        match located.await.map_err(io::Error::other).and_then(|located| located) {
            Ok((Found::File(file), start)) => file_answer(request, file, start, now),
            Ok((Found::Directory, _)) => redirect_to_slash(request),
            Err(error) => failed(error),
        }
    }
}

impl FileAnswer {
    fn empty(status: StatusCode) -> Self {
        let mut fields = Fields::default();
        fields.add_known(Name::ContentLength, b"0");
        Self { status, fields, body: None, error: None }
    }

    fn with_field(status: StatusCode, name: &[u8], value: &[u8]) -> Self {
        let mut answer = Self::empty(status);
        answer.fields.add(name, value);
        answer
    }
}

/// The answer to a request for a file that is there.
fn file_answer(request: &Request, opened: Opened, start: Vec<u8>, now: SystemTime) -> FileAnswer {
    let len = opened.len;
    let now_ms = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let version = Version::new(opened.modified, len, now);
    let validators = version.validators();
    let outcome = rules::evaluate(&request.fields, &validators, now_ms);
    if outcome == Outcome::Failed {
        return FileAnswer::empty(StatusCode::PRECONDITION_FAILED);
    }
    let mut fields = Fields::default();
    fields.add_known(Name::Etag, version.etag.as_bytes());
    fields.add_known(Name::LastModified, version.last_modified.as_bytes());
    fields.add_known(Name::AcceptRanges, b"bytes");
    if outcome == Outcome::NotModified {
        return FileAnswer { status: StatusCode::NOT_MODIFIED, fields, body: None, error: None };
    }
    let asked = rules::Request { method: &request.method, fields: &request.fields };
    let range = match rules::select(asked, &validators, len, now_ms) {
        Selection::Single(range) => Some(range),
        // Several parts may be answered with the whole (RFC 9110 §15.3.7).
        Selection::Whole | Selection::Several(_) => None,
        Selection::Unsatisfiable => {
            let value = format!("bytes */{len}");
            return FileAnswer::with_field(
                StatusCode::RANGE_NOT_SATISFIABLE,
                b"content-range",
                value.as_bytes(),
            );
        }
    };
    let (first, size) = range.as_ref().map_or((0, len), |range| (range.start, range.end - range.start));
    fields.add_known(Name::ContentType, opened.content_type.as_bytes());
    fields.add_known(Name::ContentLength, itoa::Buffer::new().format(size).as_bytes());
    if let Some(range) = &range {
        let last = range.end - 1;
        fields.add_known(Name::ContentRange, format!("bytes {first}-{last}/{len}").as_bytes());
    }
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let has_body = request.method == Method::GET && size > 0;
    let body = has_body.then(|| FileBody::new(opened.file, first, size, start));
    FileAnswer { status, fields, body, error: None }
}

/// A directory is asked for by a name that ends with a slash, or the links in its index would lead astray.
fn redirect_to_slash(request: &Request) -> FileAnswer {
    // Two slashes, or what browsers take for them, would name another host.
    let path = request.path();
    let name_start = path.iter().position(|b| !matches!(b, b'/' | b'\\')).unwrap_or(path.len());
    let query = &request.target()[path.len()..];
    let location = [b"/", &path[name_start..], b"/", query].concat();
    FileAnswer::with_field(StatusCode::MOVED_PERMANENTLY, b"location", &location)
}

fn failed(error: io::Error) -> FileAnswer {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::NXIO) => {
            FileAnswer::empty(StatusCode::NOT_FOUND)
        }
        Some(Errno::ACCESS | Errno::PERM) => FileAnswer::empty(StatusCode::FORBIDDEN),
        _ => FileAnswer { error: Some(error), ..FileAnswer::empty(StatusCode::INTERNAL_SERVER_ERROR) },
    }
}
