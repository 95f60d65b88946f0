//! Lines of configuration put into a document that has their tables already.

/// The document with the lines in it: tables are merged key by key, anything else of the same name is replaced. Comments
/// are lost.
///
/// # Errors
/// One of the two is no TOML, in a sentence.
pub fn merge(document: &str, lines: &str) -> Result<String, String> {
    let parse = |what: &str, text: &str| {
        text.parse::<toml::Table>().map_err(|error| format!("{what} cannot be read as TOML: {error}"))
    };
    let (mut whole, more) = (parse("the document", document)?, parse("what is to be put in", lines)?);
    put(&mut whole, more);
    toml::to_string_pretty(&whole).map_err(|error| format!("the whole cannot be written as TOML: {error}"))
}

fn put(into: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(value)) => put(known, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_merged_and_values_replaced() {
        let document = "[a]\nx = 1\ny = 2\n[a.b]\nz = [1]\n";
        let merged = merge(document, "[a]\ny = 3\n[a.b]\nz = [2]\nw = true\n[c]\nv = \"new\"\n").unwrap();
        let expected: toml::Table =
            "[a]\nx = 1\ny = 3\n[a.b]\nz = [2]\nw = true\n[c]\nv = \"new\"".parse().unwrap();
        assert_eq!(merged.parse::<toml::Table>().unwrap(), expected);
    }

    #[test]
    fn what_is_no_toml_is_said() {
        assert!(merge("a = ", "").unwrap_err().starts_with("the document cannot be read"));
        assert!(merge("", "[").unwrap_err().starts_with("what is to be put in"));
    }
}
