//! Says what a key takes, and what to do with a value of the wrong kind.

use super::Fault;
use crate::config::path::KeyPath;
use crate::config::place::quoted_list;
use crate::config::schema::Schema;
use crate::config::tree::{Node, Value};

/// What a key with these forms takes: `true or false, or a table`.
pub(super) fn describe(forms: &[Schema<'_>]) -> String {
    let mut phrases: Vec<String> = Vec::new();
    let names: Vec<&str> = forms.iter().flat_map(Schema::literals).collect();
    if !names.is_empty() {
        phrases.push(one_of(&names));
    }
    for form in forms.iter().filter(|form| form.literals().is_empty()) {
        let phrase = phrase(form);
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    join(&phrases)
}

fn phrase(form: &Schema<'_>) -> String {
    if let Some(format) = form.format() {
        return format.expected();
    }
    let example = form.example().map(|example| format!(" such as {example}")).unwrap_or_default();
    match form.json_type() {
        Some("string") => format!("a string{example}"),
        Some("integer") => format!("a whole number{example}"),
        Some("number") => format!("a number{example}"),
        Some("boolean") => "true or false".to_owned(),
        Some("array") if !example.is_empty() => format!("a list{example}"),
        Some("array") => match form.item(0).map(|item| describe(&item.forms())) {
            Some(item) if !item.is_empty() => format!("a list, each {item}"),
            _ => "a list".to_owned(),
        },
        Some("object") => "a table".to_owned(),
        _ => "a value".to_owned(),
    }
}

/// `one of "a", "b"`, or the only one.
pub(in crate::config) fn one_of(names: &[&str]) -> String {
    match names {
        [name] => format!("\"{name}\""),
        names => format!("one of {}", examples(names)),
    }
}

/// `"a", "b"`
pub(in crate::config) fn examples(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
}

fn join(phrases: &[String]) -> String {
    match phrases {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => {
            // "true or false or a table" needs its comma.
            let comma = if first.len() > 1 || first.iter().any(|it| it.contains(" or ")) { "," } else { "" };
            format!("{}{comma} or {last}", first.join(", "))
        }
    }
}

/// The value's kind is none that the key takes.
pub(super) fn wrong_type(node: &Node, forms: &[Schema<'_>], path: &KeyPath) -> Fault {
    let what = format!("expected {}, found {}", describe(forms), node.value.kind());
    let named = forms.iter().any(|form| !form.literals().is_empty());
    let instead = || if named { None } else { forms.iter().find_map(table) };
    let fix = forms.iter().find_map(|form| fix(node, form, path)).or_else(instead);
    Fault { path: path.clone(), what, fix }
}

/// What was probably meant. Never shows a string: it may be a secret in the wrong place.
fn fix(node: &Node, form: &Schema<'_>, path: &KeyPath) -> Option<String> {
    match (form.json_type()?, &node.value) {
        ("string", Value::Integer(integer)) if form.format().is_some() => {
            let integer = integer.and_then(|integer| u64::try_from(integer).ok())?;
            let meant = (form.format()?.from_integer)(integer);
            Some(meant.map_or_else(
                || {
                    format!(
                        "write it like \"{}\"",
                        form.format().and_then(|f| f.examples.first()).unwrap_or(&"")
                    )
                },
                |meant| format!("write \"{meant}\""),
            ))
        }
        // Quotes alone would make no address of a port.
        ("string", Value::Integer(_)) if form.literals().is_empty() && form.example().is_some() => {
            form.example().map(|example| format!("write it like {example}"))
        }
        ("string", Value::Integer(_) | Value::Float(_) | Value::Boolean) if form.literals().is_empty() => {
            Some("put it in quotes".to_owned())
        }
        ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => {
            Some("remove the quotes".to_owned())
        }
        ("number", Value::String(text)) if text.parse::<f64>().is_ok() => {
            Some("remove the quotes".to_owned())
        }
        ("integer" | "number", Value::String(text))
            if text.starts_with(|first: char| first.is_ascii_digit()) =>
        {
            Some("write the number alone, without quotes and unit".to_owned())
        }
        ("boolean", Value::String(text))
            if ["yes", "on", "no", "off"].contains(&text.to_lowercase().as_str()) =>
        {
            Some("write true or false, without quotes".to_owned())
        }
        ("boolean", Value::String(text)) if text.parse::<bool>().is_ok() => {
            Some("remove the quotes".to_owned())
        }
        ("array", Value::Table(_)) => Some(format!("write it as a list: `[[{path}]]`, or `[{{ ... }}]`")),
        ("array", value) => {
            let forms = form.item(0)?.forms();
            forms.iter().any(|form| form.accepts(value)).then(|| "put it in brackets".to_owned())
        }
        ("object", Value::Array(items)) if items.iter().all(|it| matches!(it.value, Value::Table(_))) => {
            Some("there can be only one: write it as a table, in single brackets".to_owned())
        }
        _ => None,
    }
}

/// How a table is written, where something else was.
fn table(form: &Schema<'_>) -> Option<String> {
    let keys = form.properties();
    let required = form.required();
    if form.json_type() != Some("object") || keys.is_empty() {
        return None;
    }
    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    Some(match required[..] {
        [] => format!("write a table, `{{ key = value }}`; its keys: {}", quoted_list(&names)),
        [..] => format!("write a table, `{{ key = value }}`, with {}", quoted_list(&required)),
    })
}
