//! The way to one claim: `sub`, `org.id`, `https://shop.example/roles`.

use serde_json::{Map, Value};

/// Names of members, joined by dots. Names may have dots themselves, as namespaced claims do: at each level the longest
/// name that exists is taken first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath(Box<str>);

/// Longest path, bytes: more is no name of a claim.
const MAX_BYTES: usize = 256;

impl ClaimPath {
    /// Reads a path; none for an empty one, one with an empty name, and one of more than 256 bytes.
    pub fn new(text: &str) -> Option<Self> {
        let right = text.len() <= MAX_BYTES && text.split('.').all(|name| !name.is_empty());
        right.then(|| Self(text.into()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there.
    pub(crate) fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        find(claims, &self.0)
    }
}

fn find<'c>(members: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = members.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.')
        .find_map(|(dot, _)| find(members.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_through_objects_and_dotted_names() {
        let claims = serde_json::json!({
            "sub": "ada", "org": { "id": 7, "a.b": { "c": 1 } }, "https://x.example/roles": ["a"], "org.id2": 8,
        });
        let at = |path: &str| ClaimPath::new(path).unwrap().find(claims.as_object().unwrap()).cloned();
        assert_eq!(at("sub"), Some("ada".into()));
        assert_eq!(at("org.id"), Some(7.into()));
        assert_eq!(at("org.a.b.c"), Some(1.into()));
        assert_eq!(at("org.id2"), Some(8.into()));
        assert_eq!(at("https://x.example/roles"), Some(serde_json::json!(["a"])));
        for absent in ["nobody", "sub.x", "org.id.x", "org.a", "org.a.b.d"] {
            assert_eq!(at(absent), None, "{absent}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b", &"a".repeat(257)] {
            assert_eq!(ClaimPath::new(wrong), None, "{wrong}");
        }
    }
}
