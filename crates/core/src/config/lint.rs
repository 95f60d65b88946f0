//! A configuration key exists only with documentation and default.

use schemars::JsonSchema;

use super::keys::{Key, Presence, Table, tables};
use super::schema::{Schema, json_schema};

/// The keys of `T` that lack a doc comment of their own, or that may be left out and yet have no default
/// (an `Option` counts as having one: none), and the named values without a doc comment. A test keeps this
/// list empty.
pub fn undocumented<T: JsonSchema>() -> Vec<String> {
    let schema = json_schema::<T>();
    let mut findings: Vec<String> = tables(&schema).iter().flat_map(inspect).collect();
    // A type used in two tables of one path is inspected twice.
    findings.sort_unstable();
    findings.dedup();
    findings
}

fn inspect(table: &Table<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(variant) = table.variant.as_ref().filter(|variant| variant.description.is_none()) {
        findings.push(format!("{} with {}: no doc comment", table.path, variant.label));
    }
    for key in &table.keys {
        let path = table.key(key.name);
        if key.description.is_none() {
            findings.push(format!("{path}: no doc comment"));
        }
        let optional = key.presence == Presence::Optional;
        if optional && key.schema.default().is_none() && !key.schema.is_nullable() {
            findings.push(format!("{path}: may be left out, but has no default"));
        }
        findings.extend(undocumented_names(key).map(|name| format!("{path} = \"{name}\": no doc comment")));
    }
    findings
}

/// The values of an enumeration that no doc comment explains. A single one is explained by its key.
fn undocumented_names<'s>(key: &Key<'s>) -> impl Iterator<Item = &'s str> + use<'s> {
    let forms = key.schema.forms();
    let several = forms.iter().map(|form| form.literals().len()).sum::<usize>() > 1;
    forms
        .into_iter()
        .filter(move |form| several && !documents_one_name(form))
        .flat_map(|form| form.literals())
}

fn documents_one_name(form: &Schema<'_>) -> bool {
    form.literals().len() == 1 && form.own_description().is_some()
}
