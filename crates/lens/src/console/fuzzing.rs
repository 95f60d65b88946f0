//! Parsers in the form fuzz targets use them.

use super::path::{Pattern, query_value};

/// The parameters of a path like `/x/{name}/y/{name}`; none when it matches not, or is malformed.
pub fn parameters(path: &str) -> Option<Vec<String>> {
    Pattern::new("/x/{first}/y/{second}").matches(path)?.ok()
}

/// The value of a key in a query.
pub fn value(query: &str, key: &str) -> Option<String> {
    query_value(query, key)
}
