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
    /// What tells it from the other tables at the same place, e.g. `type = "file"`.
    pub(super) variant: Option<String>,
    /// What the doc comments say about it, one a paragraph.
    pub(super) descriptions: Vec<&'s str>,
    pub(super) keys: Vec<Key<'s>>,
}

/// One key of a table.
pub(super) struct Key<'s> {
    pub(super) name: &'s str,
    pub(super) required: bool,
    /// The key's own doc comment, not that of its type.
    pub(super) description: Option<&'s str>,
    pub(super) schema: Schema<'s>,
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
        self.add(&structs, &place);
        for children in self.children(first) {
            let path = join(&place.path, children.0);
            self.visit(&children.1, Place { path, list: false, descriptions: Vec::new() });
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

    /// The keys of the tables from `first` on, each name once.
    fn children(&self, first: usize) -> Vec<(&'s str, Schema<'s>)> {
        let keys = self.tables[first..].iter().flat_map(|table| &table.keys);
        keys.map(|key| (key.name, key.schema.clone())).collect()
    }

    fn add(&mut self, forms: &[&Schema<'s>], place: &Place<'s>) {
        let table = |variant, descriptions, keys| Table {
            path: place.path.clone(),
            list: place.list,
            variant,
            descriptions,
            keys,
        };
        match forms {
            [] => {}
            [form] => self.tables.push(table(None, place.descriptions.clone(), keys(form, None))),
            forms => {
                if let Some((tag, values)) = tag(forms) {
                    for (form, value) in forms.iter().zip(values) {
                        let variant = Some(format!("{tag} = \"{value}\""));
                        let descriptions = form.own_description().into_iter().collect();
                        self.tables.push(table(variant, descriptions, keys(form, Some(tag))));
                    }
                } else if variant_keys(forms).is_some() {
                    // One key of several: one table with all of them says it best.
                    let keys = forms.iter().flat_map(|form| {
                        let described = |key: Key<'s>| Key {
                            description: key.description.or_else(|| form.own_description()),
                            ..key
                        };
                        keys(form, None).into_iter().map(described)
                    });
                    let variant = Some("exactly one of these keys".to_owned());
                    self.tables.push(table(variant, place.descriptions.clone(), keys.collect()));
                } else {
                    for (position, form) in forms.iter().enumerate() {
                        let variant = Some(format!("form {}", position + 1));
                        let descriptions = form.own_description().into_iter().collect();
                        self.tables.push(table(variant, descriptions, keys(form, None)));
                    }
                }
            }
        }
    }
}

fn keys<'s>(form: &Schema<'s>, without: Option<&str>) -> Vec<Key<'s>> {
    let required = form.required();
    let key = |(name, schema): (&'s str, Schema<'s>)| Key {
        name,
        required: required.contains(&name),
        description: schema.own_description(),
        schema,
    };
    form.properties().into_iter().filter(|(name, _)| Some(*name) != without).map(key).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
