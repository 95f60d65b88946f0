//! Compares a document with a schema and reports every difference, not only the first.

mod expected;
mod secrets;

use std::collections::BTreeMap;

pub(super) use expected::{examples, one_of};
pub(super) use secrets::secrets;

use super::nearest::nearest;
use super::path::KeyPath;
use super::place::quoted_list;
use super::schema::Schema;
use super::tree::{Node, Value};

/// A difference, not yet placed in a file.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: KeyPath,
    pub(super) what: String,
    pub(super) fix: Option<String>,
}

/// Everything in `node` that `schema` does not allow.
pub(super) fn check(node: &Node, schema: &Schema<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_value(node, schema, &KeyPath::root(), &mut faults);
    faults
}

fn check_value(node: &Node, schema: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    let forms = schema.forms();
    let fitting: Vec<&Schema<'_>> = forms.iter().filter(|form| form.accepts(&node.value)).collect();
    match (&node.value, fitting.as_slice()) {
        (_, []) => faults.push(expected::wrong_type(node, &forms, path)),
        (_, [form]) => check_form(node, form, path, faults),
        (Value::Table(entries), _) => check_variants(node, entries, &fitting, path, faults),
        _ => check_alternatives(node, &fitting, path, faults),
    }
}

/// One form whose kind is right.
fn check_form(node: &Node, form: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    match &node.value {
        Value::String(text) => check_string(text, form, path, faults),
        Value::Integer(integer) => {
            // Beyond 2⁵³ a double is close enough: no limit of ours lies there.
            check_number(integer.map_or(f64::INFINITY, |integer| integer as f64), form, path, faults);
        }
        Value::Float(number) => check_number(*number, form, path, faults),
        Value::Boolean | Value::Date => {}
        Value::Array(items) => check_array(items, form, path, faults),
        Value::Table(entries) => check_table(entries, form, path, faults),
    }
}

/// Several forms of the same kind: right if one is, else the complaint of the one that came nearest.
fn check_alternatives(node: &Node, forms: &[&Schema<'_>], path: &KeyPath, faults: &mut Vec<Fault>) {
    let mut nearest: Option<Vec<Fault>> = None;
    for form in forms {
        let mut found = Vec::new();
        check_form(node, form, path, &mut found);
        if found.is_empty() {
            return;
        }
        // A form with a grammar says more than "not this name".
        let says_more = form.literals().is_empty();
        if says_more && nearest.as_ref().is_none_or(|nearest| found.len() < nearest.len()) {
            nearest = Some(found);
        }
    }
    match (nearest, &node.value) {
        (Some(nearest), _) => faults.extend(nearest),
        (None, Value::String(text)) => {
            let known: Vec<&str> = forms.iter().flat_map(|form| form.literals()).collect();
            faults.push(unknown_value(text, &known, forms.first().and_then(|form| form.title()), path));
        }
        (None, _) => {}
    }
}

/// A table that may be one of several: told apart by the value of a key (`type = "file"`), by which key
/// it has (`{ cookie = "..." }` or `{ header = "..." }`), or by trying.
fn check_variants(
    node: &Node,
    entries: &BTreeMap<String, Node>,
    forms: &[&Schema<'_>],
    path: &KeyPath,
    faults: &mut Vec<Fault>,
) {
    if let Some((tag, values)) = tag(forms) {
        let missing = || Fault {
            path: path.key(tag),
            what: "this required key is missing".to_owned(),
            fix: Some(format!("add it; known: {}", quoted_list(&values))),
        };
        match entries.get(tag).map(|entry| &entry.value) {
            None => faults.push(missing()),
            Some(Value::String(text)) => match forms.iter().zip(&values).find(|(_, value)| *value == text) {
                Some((form, _)) => check_table(entries, form, path, faults),
                None => faults.push(unknown_value(text, &values, None, &path.key(tag))),
            },
            Some(other) => faults.push(Fault {
                path: path.key(tag),
                what: format!("expected {}, found {}", one_of(&values), other.kind()),
                fix: None,
            }),
        }
    } else if let Some(keys) = variant_keys(forms) {
        let present: Vec<&str> = keys.iter().copied().filter(|key| entries.contains_key(*key)).collect();
        match present[..] {
            [] if entries.is_empty() => faults.push(Fault {
                path: path.clone(),
                what: "this table must have a key".to_owned(),
                fix: Some(format!("add one of {}", quoted_list(&keys))),
            }),
            [] => faults.extend(entries.keys().map(|key| unknown_key(key, &keys, path))),
            [key] => {
                for (form, _) in forms.iter().zip(&keys).filter(|(_, known)| **known == key) {
                    check_table(entries, form, path, faults);
                }
            }
            _ => faults.push(Fault {
                path: path.clone(),
                what: format!("{} exclude each other", quoted_list(&present)),
                fix: Some("keep one of them".to_owned()),
            }),
        }
    } else {
        check_alternatives(node, forms, path, faults);
    }
}

/// The key whose value tells the forms apart, and that value for each form.
pub(super) fn tag<'s>(forms: &[&Schema<'s>]) -> Option<(&'s str, Vec<&'s str>)> {
    let value = |form: &Schema<'s>, tag: &str| {
        let (_, schema) = form.properties().into_iter().find(|(key, _)| *key == tag)?;
        if let [value] = schema.literals()[..] { Some(value) } else { None }
    };
    let candidates = forms.first()?.properties();
    candidates.into_iter().find_map(|(tag, _)| {
        let values: Option<Vec<&str>> = forms.iter().map(|form| value(form, tag)).collect();
        Some((tag, values?))
    })
}

/// The one key each form has, when each has one of its own.
pub(super) fn variant_keys<'s>(forms: &[&Schema<'s>]) -> Option<Vec<&'s str>> {
    let key = |form: &&Schema<'s>| match (&form.properties()[..], &form.required()[..]) {
        ([(key, _)], [required]) if key == required => Some(*key),
        _ => None,
    };
    forms.iter().map(key).collect()
}

fn check_string(text: &str, form: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    let literals = form.literals();
    if !literals.is_empty() {
        if !literals.contains(&text) {
            faults.push(unknown_value(text, &literals, form.title(), path));
        }
        return;
    }
    if let Some(Err(error)) = form.format().map(|format| (format.check)(text)) {
        faults.push(Fault { path: path.clone(), what: error.what, fix: error.fix });
    }
    let (least, greatest) = form.lengths("minLength", "maxLength");
    let length = text.chars().count() as u64;
    if length < least || length > greatest {
        let what =
            if length == 0 { "must not be empty".to_owned() } else { span("characters", least, greatest) };
        faults.push(Fault { path: path.clone(), what, fix: None });
    }
}

fn check_number(number: f64, form: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    let (least, greatest) = form.range();
    let range = match (least, greatest) {
        (Some(least), Some(greatest)) => format!("{least} to {greatest}"),
        (Some(least), None) => format!("{least} or more"),
        (None, Some(greatest)) => format!("{greatest} or less"),
        (None, None) => String::new(),
    };
    let what = if !number.is_finite() {
        "expected a finite number".to_owned()
    } else if least.is_some_and(|least| number < least) || greatest.is_some_and(|greatest| number > greatest)
    {
        format!("{number} is out of range: expected {range}")
    } else {
        return;
    };
    let fix = (!range.is_empty()).then(|| format!("write {range}"));
    faults.push(Fault { path: path.clone(), what, fix });
}

fn check_array(items: &[Node], form: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    let (least, greatest) = form.lengths("minItems", "maxItems");
    let length = items.len() as u64;
    if length < least || length > greatest {
        let what = if length == 0 { "must not be empty".to_owned() } else { span("values", least, greatest) };
        faults.push(Fault { path: path.clone(), what, fix: None });
    }
    for (index, item) in items.iter().enumerate() {
        if let Some(schema) = form.item(index) {
            check_value(item, &schema, &path.index(index), faults);
        }
    }
}

fn check_table(entries: &BTreeMap<String, Node>, form: &Schema<'_>, path: &KeyPath, faults: &mut Vec<Fault>) {
    let properties = form.properties();
    let any = form.entries();
    for (key, entry) in entries {
        let known = properties.iter().find(|(known, _)| known == key).map(|(_, schema)| schema);
        match known.or(any.as_ref()) {
            Some(schema) => check_value(entry, schema, &path.key(key), faults),
            // A type that names no keys at all keeps whatever it is given.
            None if properties.is_empty() => {}
            None => {
                let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
                let mut fault = unknown_key(key, &names, path);
                // A key of a table below, written one level too high, is meant as it is spelt.
                let has_it = |schema: &Schema<'_>| {
                    schema.forms().iter().any(|form| form.properties().iter().any(|(name, _)| name == key))
                };
                if let Some((table, _)) = properties.iter().find(|(_, schema)| has_it(schema)) {
                    fault.fix = Some(format!("did you mean `{table}.{key}`?"));
                }
                faults.push(fault);
            }
        }
    }
    for key in form.required().into_iter().filter(|key| !entries.contains_key(*key)) {
        let schema = properties.iter().find(|(name, _)| *name == key).map(|(_, schema)| schema);
        let add = schema.map_or_else(String::new, |schema| expected::describe(&schema.forms()));
        faults.push(Fault {
            path: path.key(key),
            what: "this required key is missing".to_owned(),
            fix: Some(format!("add `{key}`: {add}")),
        });
    }
}

fn unknown_key(key: &str, known: &[&str], path: &KeyPath) -> Fault {
    let fix = match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys here: {}", quoted_list(known)),
    };
    Fault { path: path.key(key), what: "unknown key".to_owned(), fix: Some(fix) }
}

fn unknown_value(text: &str, known: &[&str], noun: Option<&str>, path: &KeyPath) -> Fault {
    let noun = noun.map_or_else(|| "value".to_owned(), str::to_lowercase);
    let what = format!("unknown {noun} `{text}`; known: {}", quoted_list(known));
    let fix = nearest(text, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    Fault { path: path.clone(), what, fix }
}

/// `expected 2 to 3 values`
fn span(noun: &str, least: u64, greatest: u64) -> String {
    match (least, greatest) {
        (least, u64::MAX) => format!("expected at least {least} {noun}"),
        (0, greatest) => format!("expected at most {greatest} {noun}"),
        (least, greatest) if least == greatest => format!("expected {least} {noun}"),
        (least, greatest) => format!("expected {least} to {greatest} {noun}"),
    }
}
