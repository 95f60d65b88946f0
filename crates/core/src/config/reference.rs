//! The reference of all keys, written from the schema so that it cannot be out of date.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::check::{examples, one_of};
use super::format::FORMATS;
use super::keys::{Key, Presence, Table, tables};
use super::schema::Schema;

/// A Markdown page with a section for each table of a [`super::json_schema`]: its keys, their types,
/// defaults and meaning, and what each named value stands for. `introduction` follows the title.
pub fn markdown(schema: &Json, title: &str, introduction: &str) -> String {
    let tables = tables(schema);
    let mut page = format!("# {title}\n\n");
    if !introduction.is_empty() {
        page += introduction.trim();
        page += "\n\n";
    }
    for table in &tables {
        section(&mut page, table, &tables);
    }
    values(&mut page);
    page
}

/// Appends to a page; writing to a `String` cannot fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => { let _ = writeln!($page, $($text)*); };
}

fn section(page: &mut String, table: &Table<'_>, tables: &[Table<'_>]) {
    if !table.path.is_empty() {
        line!(page, "## {}\n", heading(table));
    }
    let variant = table.variant.as_ref().and_then(|variant| variant.description);
    for description in table.descriptions.iter().copied().chain(variant) {
        line!(page, "{}\n", description.trim());
    }
    if table.keys.is_empty() {
        line!(page, "It has no further keys.\n");
        return;
    }
    line!(page, "| key | type | default | meaning |\n|---|---|---|---|");
    for key in &table.keys {
        let inner: Vec<&Table<'_>> = inner(table, key, tables).collect();
        line!(
            page,
            "| `{}` | {} | {} | {} |",
            key.name,
            cell(&type_of(&key.schema, inner.first().copied())),
            cell(&default_of(key, inner.first().copied())),
            cell(key.description.unwrap_or_default()),
        );
    }
    line!(page, "");
    for key in &table.keys {
        named_values(page, key);
    }
}

fn heading(table: &Table<'_>) -> String {
    let header = table.header();
    match &table.variant {
        Some(variant) => format!("`{header}` with `{}`", variant.label),
        None => format!("`{header}`"),
    }
}

/// The anchor that Markdown renderers derive from a heading: letters, digits and hyphens survive.
fn anchor(table: &Table<'_>) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading(table).chars().filter_map(kept).collect()
}

/// The tables that stand under a key, directly or under names of the user's choice.
fn inner<'t, 's>(
    table: &Table<'s>,
    key: &Key<'s>,
    tables: &'t [Table<'s>],
) -> impl Iterator<Item = &'t Table<'s>> + use<'t, 's> {
    let path = table.key(key.name);
    let named = format!("{path}.<name>");
    tables.iter().filter(move |table| table.path == path || table.path == named)
}

fn type_of(schema: &Schema<'_>, inner: Option<&Table<'_>>) -> String {
    let forms = schema.forms();
    let mut kinds: Vec<String> = Vec::new();
    let names: Vec<&str> = forms.iter().flat_map(Schema::literals).collect();
    if !names.is_empty() {
        kinds.push(one_of(&names).replace('"', "`"));
    }
    for form in forms.iter().filter(|form| form.literals().is_empty()) {
        let kind = kind_of(form, inner);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(" or ")
}

fn kind_of(form: &Schema<'_>, inner: Option<&Table<'_>>) -> String {
    if let Some(format) = form.format() {
        return format.label.to_owned();
    }
    let kind = match form.json_type() {
        Some("array") => match form.item(0) {
            Some(item) => format!("list of {}", type_of(&item, inner)),
            None => "list".to_owned(),
        },
        Some("object") => match (inner, form.entries().filter(|_| form.properties().is_empty())) {
            (Some(inner), _) => format!("[table](#{})", anchor(inner)),
            (None, Some(entry)) => format!("table of names to {}", type_of(&entry, None)),
            (None, None) => "table".to_owned(),
        },
        Some(name) => name.to_owned(),
        None => "any".to_owned(),
    };
    match form.range() {
        (Some(least), Some(greatest)) => format!("{kind}, {least} to {greatest}"),
        (Some(least), None) if least > 0.0 => format!("{kind}, at least {least}"),
        (None, Some(greatest)) => format!("{kind}, at most {greatest}"),
        _ => kind,
    }
}

fn default_of(key: &Key<'_>, inner: Option<&Table<'_>>) -> String {
    match (key.presence, key.schema.default()) {
        (Presence::Required, _) => "required".to_owned(),
        (Presence::OneOf, _) => "exactly one of these".to_owned(),
        (Presence::Optional, None | Some(Json::Null)) => "none".to_owned(),
        (Presence::Optional, Some(Json::Object(entries))) if entries.is_empty() => "none".to_owned(),
        // Its own keys show their defaults, unless the default is one of several forms.
        (Presence::Optional, Some(Json::Object(_))) if inner.is_some_and(|it| it.variant.is_none()) => {
            "see its table".to_owned()
        }
        (Presence::Optional, Some(default)) => format!("`{}`", toml_value(default)),
    }
}

/// A JSON value as TOML writes it on one line.
fn toml_value(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> =
                entries.map(|(key, value)| format!("{key} = {}", toml_value(value))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        scalar => scalar.to_string(),
    }
}

fn named_values(page: &mut String, key: &Key<'_>) {
    let forms = key.schema.forms();
    let named: Vec<&Schema<'_>> = forms.iter().filter(|form| !form.literals().is_empty()).collect();
    if named.len() < 2 {
        return;
    }
    line!(page, "Values of `{}`:\n", key.name);
    for form in named {
        let names = form.literals().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match form.own_description() {
            Some(description) => {
                line!(page, "- {names}: {}", flat(description));
            }
            None => {
                line!(page, "- {names}");
            }
        }
    }
    line!(page, "");
}

fn values(page: &mut String) {
    line!(page, "## How values are written\n");
    for format in FORMATS.iter().filter(|format| !format.about.is_empty()) {
        let examples = examples(format.examples).replace(", ", "`, `");
        line!(page, "- **{}** (`{examples}`): {}", format.label, format.about);
    }
}

/// Text that fits a cell of a Markdown table.
fn cell(text: &str) -> String {
    flat(text).replace('|', "\\|")
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
