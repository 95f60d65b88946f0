//! Every key a configuration type has, table by table: what the reference prints and the lint inspects.

use serde_json::Value as Json;

use super::check::{tag, variant_keys};
use super::schema::Schema;

/// One table of the configuration.
pub(super) struct Table<'s> {
    /// Its full key, with `<name>` for a key the user chooses; empty for the root.
    pub(super) path: String,
    /// Whether there may be several: `[[edge.listen]]`.
    pub(super) list: bool,
    /// What tells it from the other tables at the same place.
    pub(super) variant: Option<Variant<'s>>,
    /// What the doc comments say about it, one a paragraph.
    pub(super) descriptions: Vec<&'s str>,
    pub(super) keys: Vec<Key<'s>>,
}

/// One of several forms a table may take.
pub(super) struct Variant<'s> {
    /// How it is recognised, e.g. `type = "file"`.
    pub(super) label: String,
    /// Its own doc comment.
    pub(super) description: Option<&'s str>,
}

/// One key of a table.
pub(super) struct Key<'s> {
    pub(super) name: &'s str,
    pub(super) presence: Presence,
    /// The key's own doc comment, not that of its type.
    pub(super) description: Option<&'s str>,
    pub(super) schema: Schema<'s>,
}

/// Whether a key may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    /// It or another one of the table, and only one.
    OneOf,
    Optional,
}

impl Table<'_> {
    /// The full key of one of its keys.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// As it is written in TOML: `[console]`, `[[edge.listen]]`.
    pub(super) fn header(&self) -> String {
        if self.list { format!("[[{}]]", self.path) } else { format!("[{}]", self.path) }
    }
}

/// The tables of a schema: a table before those inside it, in the order of the types' fields.
pub(super) fn tables(schema: &Json) -> Vec<Table<'_>> {
    let mut walk = Walk { tables: Vec::new(), inside: Vec::new() };
    walk.visit(&Schema::root(schema), Place { path: String::new(), list: false, descriptions: Vec::new() });
    walk.tables
}

struct Walk<'s> {
    tables: Vec<Table<'s>>,
    /// The types being walked, so that one that contains itself is described once.
    inside: Vec<&'s str>,
}

struct Place<'s> {
    path: String,
    list: bool,
    descriptions: Vec<&'s str>,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &Schema<'s>, mut place: Place<'s>) {
        let reference = schema.reference();
        if reference.is_some_and(|reference| self.inside.contains(&reference)) {
            return;
        }
        self.inside.extend(reference);
        for description in schema.descriptions() {
            if !place.descriptions.contains(&description) {
                place.descriptions.push(description);
            }
        }
        let forms = schema.forms();
        let structs: Vec<&Schema<'s>> = forms.iter().filter(|form| !form.properties().is_empty()).collect();
        let within = |path: String, list| Place { path, list, descriptions: place.descriptions.clone() };
        let first = self.tables.len();
        if !structs.is_empty() {
            self.add(&structs, &place);
        }
        for (key, schema) in self.keys_from(first) {
            let path = join(&place.path, key);
            self.visit(&schema, Place { path, list: false, descriptions: Vec::new() });
        }
        for form in &forms {
            if let Some(item) = form.item(0) {
                self.visit(&item, within(place.path.clone(), true));
            } else if let (Some(entry), true) = (form.entries(), form.properties().is_empty()) {
                self.visit(&entry, within(join(&place.path, "<name>"), false));
            }
        }
        if reference.is_some() {
            self.inside.pop();
        }
    }

    /// The keys of the tables from position `first` on; one that several variants share only once.
    fn keys_from(&self, first: usize) -> Vec<(&'s str, Schema<'s>)> {
        let mut keys: Vec<(&str, Schema<'s>)> = Vec::new();
        for key in self.tables[first..].iter().flat_map(|table| &table.keys) {
            if !keys.iter().any(|(name, schema)| *name == key.name && *schema == key.schema) {
                keys.push((key.name, key.schema.clone()));
            }
        }
        keys
    }

    fn add(&mut self, forms: &[&Schema<'s>], place: &Place<'s>) {
        let mut push = |variant: Option<Variant<'s>>, keys: Vec<Key<'s>>| {
            let (path, descriptions) = (place.path.clone(), place.descriptions.clone());
            self.tables.push(Table { path, list: place.list, variant, descriptions, keys });
        };
        if let [form] = forms {
            push(None, keys(form, None));
        } else if let Some((tag, values)) = tag(forms) {
            for (form, value) in forms.iter().zip(values) {
                let label = format!("{tag} = \"{value}\"");
                push(Some(Variant { label, description: form.own_description() }), keys(form, Some(tag)));
            }
        } else if variant_keys(forms).is_some() {
            // One key of several: one table with all of them says it best.
            push(
                None,
                forms
                    .iter()
                    .flat_map(|form| keys(form, None).into_iter().map(|key| one_of(key, form)))
                    .collect(),
            );
        } else {
            for (position, form) in forms.iter().enumerate() {
                let label = format!("form {}", position + 1);
                push(Some(Variant { label, description: form.own_description() }), keys(form, None));
            }
        }
    }
}

fn keys<'s>(form: &Schema<'s>, without: Option<&str>) -> Vec<Key<'s>> {
    let required = form.required();
    let key = |(name, schema): (&'s str, Schema<'s>)| Key {
        name,
        presence: if required.contains(&name) { Presence::Required } else { Presence::Optional },
        description: schema.own_description(),
        schema,
    };
    form.properties().into_iter().filter(|(name, _)| Some(*name) != without).map(key).collect()
}

/// The key that stands for a variant, whose doc comment is the variant's.
fn one_of<'s>(key: Key<'s>, form: &Schema<'s>) -> Key<'s> {
    Key { presence: Presence::OneOf, description: key.description.or_else(|| form.own_description()), ..key }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
