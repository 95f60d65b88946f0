//! Finds the secrets that stand literally in a document, so that they can be kept out of messages.

use crate::config::format::SECRET;
use crate::config::schema::Schema;
use crate::config::tree::{Node, Value};

/// Every string at a place that may hold a secret.
pub(in crate::config) fn secrets<'n>(node: &'n Node, schema: &Schema<'_>) -> Vec<&'n str> {
    let mut found = Vec::new();
    collect(node, schema, &mut found);
    found
}

fn collect<'n>(node: &'n Node, schema: &Schema<'_>, found: &mut Vec<&'n str>) {
    for form in schema.forms().iter().filter(|form| form.accepts(&node.value)) {
        match &node.value {
            Value::String(text) if !text.is_empty() && is_secret(form) => found.push(text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = form.item(index) {
                        collect(item, &schema, found);
                    }
                }
            }
            Value::Table(entries) => {
                let (properties, any) = (form.properties(), form.entries());
                for (key, entry) in entries {
                    let known = properties.iter().find(|(known, _)| known == key).map(|(_, schema)| schema);
                    if let Some(schema) = known.or(any.as_ref()) {
                        collect(entry, schema, found);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_secret(form: &Schema<'_>) -> bool {
    form.format().is_some_and(|format| format.name == SECRET.name)
}
