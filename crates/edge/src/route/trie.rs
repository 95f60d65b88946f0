//! Dispatch by path: a trie over segments, whose walk gives the routes whose paths fit.

use smallvec::SmallVec;

use super::keyed::Keyed;
use super::pattern::{Pattern, Segment, Tail, segment_len};

/// No route.
const NONE: u32 = u32::MAX;

/// The routes of one pattern, in the order of the file.
#[derive(Debug)]
struct Leaves {
    /// Routes with further conditions, all before the unconditional one: those behind it are out of reach.
    conditional: Vec<u32>,
    /// The first route without any, or [`NONE`].
    unconditional: u32,
}

impl Default for Leaves {
    fn default() -> Self {
        Self { conditional: Vec::new(), unconditional: NONE }
    }
}

impl Leaves {
    /// Adds a route; they come in order.
    fn push(&mut self, route: u32, unconditional: bool) {
        if self.unconditional != NONE {
            return;
        }
        if unconditional {
            self.unconditional = route;
        } else {
            self.conditional.push(route);
        }
    }
}

/// Routes whose host and path fit a request.
#[derive(Debug)]
pub(super) struct Candidates {
    conditional: SmallVec<[u32; 16]>,
    unconditional: u32,
}

impl Default for Candidates {
    fn default() -> Self {
        Self { conditional: SmallVec::new(), unconditional: NONE }
    }
}

impl Candidates {
    fn take(&mut self, leaves: &Leaves) {
        self.unconditional = self.unconditional.min(leaves.unconditional);
        self.conditional
            .extend(leaves.conditional.iter().copied().take_while(|route| *route < self.unconditional));
    }

    /// The first route whose further conditions hold.
    pub(super) fn first(mut self, holds: impl Fn(usize) -> bool) -> Option<usize> {
        self.conditional.sort_unstable();
        let found = self
            .conditional
            .into_iter()
            .take_while(|route| *route < self.unconditional)
            .find(|route| holds(*route as usize))
            .unwrap_or(self.unconditional);
        (found != NONE).then_some(found as usize)
    }
}

#[derive(Debug, Default)]
struct Node {
    literal: Keyed<u32>,
    parameter: Option<u32>,
    /// Patterns that end here.
    ends: Leaves,
    /// Patterns that take whatever follows.
    tails: Leaves,
}

/// The routes of one host by path.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// Routes that take requests without a path too (`OPTIONS *`, `CONNECT`): those of `/*`.
    pathless: Leaves,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], pathless: Leaves::default() }
    }
}

impl Trie {
    /// Adds a route; they come in order.
    pub(super) fn insert(&mut self, pattern: &Pattern, route: u32, unconditional: bool) {
        let mut node = 0;
        for segment in &pattern.segments {
            node = self.child(node, segment);
        }
        match pattern.tail {
            Tail::None => self.nodes[node].ends.push(route, unconditional),
            Tail::Any | Tail::Captured => self.nodes[node].tails.push(route, unconditional),
        }
        if pattern.segments.is_empty() && pattern.tail == Tail::Any {
            self.pathless.push(route, unconditional);
        }
    }

    fn child(&mut self, node: usize, segment: &Segment) -> usize {
        let next = self.nodes.len() as u32;
        let child = match segment {
            Segment::Literal(text) => *self.nodes[node].literal.entry(text.clone()).or_insert(next),
            Segment::Parameter => *self.nodes[node].parameter.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child as usize
    }

    /// Collects the routes that take requests without a path.
    pub(super) fn collect_pathless(&self, candidates: &mut Candidates) {
        candidates.take(&self.pathless);
    }

    /// Collects the routes whose pattern matches a path in normal form.
    pub(super) fn collect(&self, path: &[u8], candidates: &mut Candidates) {
        // Nodes to visit, each with the offset of the segment that follows; beyond the path when none does. A
        // node adds at most two, so this stays as deep as patterns are long.
        let mut open: SmallVec<[(u32, usize); 8]> = SmallVec::new();
        open.push((0, 1));
        while let Some((node, at)) = open.pop() {
            let node = &self.nodes[node as usize];
            candidates.take(&node.tails);
            let Some(rest) = path.get(at..) else {
                candidates.take(&node.ends);
                continue;
            };
            let segment = &rest[..segment_len(rest)];
            let next = at + segment.len() + 1;
            if let (Some(child), false) = (node.parameter, segment.is_empty()) {
                open.push((child, next));
            }
            if let Some(child) = node.literal.get(segment) {
                open.push((*child, next));
            }
        }
    }
}
