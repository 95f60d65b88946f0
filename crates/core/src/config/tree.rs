//! A parsed document that remembers where each of its keys and values stands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::{KeyPath, Step};

/// One value of the document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where to point a person: the key, or the value itself inside a list. Byte offset into the text.
    pub(super) offset: usize,
    /// The bytes of the value (of the header, for a table that has one), as serde errors report them.
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(super) enum Value {
    String(String),
    /// `None` when it does not fit 128 bits.
    Integer(Option<i128>),
    Float(f64),
    Boolean,
    Date,
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Value {
    /// The kind, as a person says it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    pub(super) fn root(table: Spanned<DeTable<'_>>) -> Self {
        let span = table.span();
        Self { offset: 0, span, value: Value::Table(entries(table.into_inner())) }
    }

    fn new(offset: usize, value: Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let value = match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(integer) => {
                Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(_) => Value::Boolean,
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(items) => {
                Value::Array(items.into_iter().map(|item| Self::new(item.span().start, item)).collect())
            }
            DeValue::Table(table) => Value::Table(entries(table)),
        };
        Self { offset, span, value }
    }

    /// The node at `path`, or the nearest ancestor that exists.
    pub(super) fn nearest(&self, path: &KeyPath) -> &Self {
        let mut node = self;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Key(key), Value::Table(entries)) => entries.get(key),
                (Step::Index(index), Value::Array(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// The path of the innermost value that contains `span`.
    pub(super) fn find(&self, span: &Range<usize>) -> Option<KeyPath> {
        let mut best = None;
        self.search(&KeyPath::root(), span, &mut best);
        best.map(|(_, path)| path)
    }

    fn search(&self, path: &KeyPath, wanted: &Range<usize>, best: &mut Option<(usize, KeyPath)>) {
        let contains = self.span.start <= wanted.start && wanted.end <= self.span.end;
        let narrower = best.as_ref().is_none_or(|(length, _)| self.span.len() <= *length);
        if contains && narrower && !self.span.is_empty() {
            *best = Some((self.span.len(), path.clone()));
        }
        // A table's span is only its header, so the search cannot stop at a miss.
        match &self.value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.search(&path.index(index), wanted, best);
                }
            }
            Value::Table(entries) => {
                for (key, entry) in entries {
                    entry.search(&path.key(key), wanted, best);
                }
            }
            _ => {}
        }
    }
}

fn entries(table: DeTable<'_>) -> BTreeMap<String, Node> {
    let entry = |(key, value): (Spanned<Cow<'_, str>>, Spanned<DeValue<'_>>)| {
        let offset = key.span().start;
        (key.into_inner().into_owned(), Node::new(offset, value))
    };
    table.into_iter().map(entry).collect()
}
