//! What a route's pattern captured of a request's path.

use smallvec::SmallVec;

use crate::head::Request;

use super::normal::{BadPath, normalise};
use super::pattern::{Part, Pattern};

/// What a match found. Kept for reuse: clearing it keeps its memory.
#[derive(Debug, Default)]
pub struct Captures {
    /// The path in normal form, if it was not sent so or parts of it are captured: captures must outlive a rewrite.
    path: Vec<u8>,
    parts: SmallVec<[Part; 4]>,
    below: u32,
}

impl Captures {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.path.clear();
        self.parts.clear();
        self.below = 0;
    }

    /// What the name at this position of the pattern matched, percent-encoded; empty if there is none.
    pub fn get(&self, position: usize) -> &[u8] {
        self.parts.get(position).map_or(&[], |(start, end)| &self.path[*start as usize..*end as usize])
    }

    /// The path the route was chosen by, in normal form. To be asked before the request's target is changed.
    pub fn path<'a>(&'a self, request: &'a Request) -> &'a [u8] {
        if self.path.is_empty() { request.path() } else { &self.path }
    }

    /// The part of [`path`](Self::path) that the pattern's `*` matched, without slash before it; for a pattern
    /// without `*` the whole path without its first slash.
    pub fn below<'a>(&'a self, request: &'a Request) -> &'a [u8] {
        self.path(request).get(self.below as usize..).unwrap_or_default()
    }

    /// Normalises a path.
    pub(super) fn normalise(&mut self, path: &[u8]) -> Result<(), BadPath> {
        normalise(path, &mut self.path)
    }

    /// Captures what a pattern, known to match, names.
    pub(super) fn capture(&mut self, request: &Request, pattern: &Pattern) {
        if !pattern.names().is_empty() && self.path.is_empty() {
            self.path.extend_from_slice(request.path());
        }
        let path = if self.path.is_empty() { request.path() } else { &self.path };
        self.below = pattern.capture(path, &mut self.parts);
    }
}
