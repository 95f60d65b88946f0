//! A claim as the value of a header field.
//!
//! Nobody who can choose the content of a claim can end the field, start another, or make one value look like two: all
//! that is not printable ASCII, the percent sign, and spaces at either end are percent-encoded (RFC 3986 §2.1). So are
//! commas inside the values of a list, which are joined by commas. Objects, and lists inside lists, are JSON. Whoever
//! splits at commas first and decodes then gets exactly what was signed.

use std::fmt::Write as _;

use serde_json::Value;

/// The text; none for `null`.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| encoded(&plain(item), true)).collect();
            Some(items.join(","))
        }
        _ => Some(encoded(&plain(value), false)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn encoded(text: &str, in_list: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        let at_an_end = position == 0 || position == text.len() - 1;
        match byte {
            b'%' => out.push_str("%25"),
            b' ' if at_an_end => out.push_str("%20"),
            b',' if in_list => out.push_str("%2C"),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing into a string does not fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn is_safe_and_says_what_was_signed() {
        for (value, expected) in [
            (json!("ada"), Some("ada")),
            (json!("a b, c"), Some("a b, c")),
            (json!(" a "), Some("%20a%20")),
            (json!("100%"), Some("100%25")),
            (json!("a\r\nX-Admin: 1\0\t"), Some("a%0D%0AX-Admin: 1%00%09")),
            (json!("Zoë"), Some("Zo%C3%AB")),
            (json!(["user", "a,admin", 7, null]), Some("user,a%2Cadmin,7,null")),
            (json!([]), Some("")),
            (json!(""), Some("")),
            (json!(true), Some("true")),
            (json!(-3), Some("-3")),
            (json!({"id": 7, "n": "ë"}), Some("{\"id\":7,\"n\":\"%C3%AB\"}")),
            (json!([["a", "b"]]), Some("[\"a\"%2C\"b\"]")),
            (json!(null), None),
        ] {
            assert_eq!(text(&value).as_deref(), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_escapes(content in any::<String>()) {
            let value = text(&json!(content)).unwrap();
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert!(!value.starts_with(' ') && !value.ends_with(' '));
            let list = text(&json!([content, "x"])).unwrap();
            prop_assert_eq!(list.matches(',').count(), 1);
        }
    }
}
