//! A reading view of the JSON Schema that schemars derives from a configuration type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json};

use super::format::Format;
use super::tree::Value;

/// The JSON Schema (draft 2020-12) of `T`: for editors, for [`super::reference::markdown`], and what
/// [`super::Document::decode`] compares a document with.
pub fn json_schema<T: JsonSchema>() -> Json {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// One place in a schema with all that applies to it: its own keywords first, then those of what it
/// refers to (`$ref`, `allOf`, and an `anyOf` whose only other branch is `null`).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schema<'s> {
    root: &'s Json,
    layers: Vec<Layer<'s>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Layer<'s> {
    keywords: &'s Map<String, Json>,
    /// One of its `oneOf` or `anyOf` has been chosen and stands before it.
    chosen: bool,
}

/// Ends references that only ever lead to references; far above what a type can nest.
const LAYERS_MAX: usize = 64;

impl<'s> Schema<'s> {
    /// The schema of a whole document.
    pub(super) fn root(root: &'s Json) -> Self {
        Self::new(root, root)
    }

    fn new(root: &'s Json, schema: &'s Json) -> Self {
        let mut this = Self { root, layers: Vec::new() };
        this.add(schema);
        this
    }

    /// Another schema of the same document.
    fn other(&self, schema: &'s Json) -> Self {
        Self::new(self.root, schema)
    }

    fn add(&mut self, schema: &'s Json) {
        let Json::Object(keywords) = schema else { return };
        if self.layers.len() >= LAYERS_MAX {
            return;
        }
        let branches = branches(keywords);
        let single = if let [single] = branches[..] { Some(single) } else { None };
        self.layers.push(Layer { keywords, chosen: single.is_some() });
        if let Some(target) = keywords.get("$ref").and_then(Json::as_str) {
            let pointer = target.trim_start_matches('#');
            if let Some(target) = self.root.pointer(pointer) {
                self.add(target);
            }
        }
        for part in array(keywords, "allOf") {
            self.add(part);
        }
        if let Some(single) = single {
            self.add(single);
        }
    }

    fn all(&self, keyword: &'static str) -> impl Iterator<Item = &'s Json> + use<'s, '_> {
        self.layers.iter().filter_map(move |layer| layer.keywords.get(keyword))
    }

    fn first_text(&self, keyword: &'static str) -> Option<&'s str> {
        self.all(keyword).find_map(Json::as_str)
    }

    /// The `$defs` this stands for, to notice a type that contains itself.
    pub(super) fn reference(&self) -> Option<&'s str> {
        self.first_text("$ref")
    }

    /// What the doc comment of this key or variant itself says.
    pub(super) fn own_description(&self) -> Option<&'s str> {
        self.layers.first()?.keywords.get("description")?.as_str()
    }

    /// All that is said of it: by the key, then by its type.
    pub(super) fn descriptions(&self) -> Vec<&'s str> {
        let mut descriptions: Vec<&str> = self.all("description").filter_map(Json::as_str).collect();
        descriptions.dedup();
        descriptions
    }

    /// The noun a type was given with `#[schemars(title = "...")]`.
    pub(super) fn title(&self) -> Option<&'s str> {
        self.first_text("title")
    }

    pub(super) fn default(&self) -> Option<&'s Json> {
        self.all("default").next()
    }

    pub(super) fn example(&self) -> Option<&'s Json> {
        self.all("examples").find_map(|examples| examples.as_array()?.first())
    }

    pub(super) fn format(&self) -> Option<&'static Format> {
        self.first_text("format").and_then(Format::named)
    }

    /// Whether leaving the key out means "none".
    pub(super) fn is_nullable(&self) -> bool {
        self.layers.iter().any(|layer| {
            types(layer.keywords).contains(&"null")
                || [ONE_OF, ANY_OF].iter().any(|keyword| array(layer.keywords, keyword).any(is_null))
        })
    }

    /// Every form the value may take, in the order of the type's variants. A plain type has one: itself.
    pub(super) fn forms(&self) -> Vec<Self> {
        let open = self.layers.iter().position(|layer| !layer.chosen && branches(layer.keywords).len() > 1);
        let Some(open) = open.filter(|_| self.layers.len() < LAYERS_MAX) else { return vec![self.clone()] };
        let form = |branch: &'s Json| {
            let mut form = self.other(branch);
            form.layers.extend(&self.layers);
            let decided = form.layers.len() - self.layers.len() + open;
            form.layers[decided].chosen = true;
            form.forms()
        };
        branches(self.layers[open].keywords).into_iter().flat_map(form).collect()
    }

    /// The names an enumeration allows; empty when this is none.
    pub(super) fn literals(&self) -> Vec<&'s str> {
        let literals = |layer: &Layer<'s>| {
            let constant = layer.keywords.get("const").into_iter();
            constant.chain(array(layer.keywords, "enum")).filter_map(Json::as_str).collect::<Vec<_>>()
        };
        self.layers.iter().map(literals).find(|literals| !literals.is_empty()).unwrap_or_default()
    }

    /// Whether a value of this kind can be right. For a single form only.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        let names: &[&str] = match value {
            Value::String(_) => &["string"],
            Value::Integer(_) => &["integer", "number"],
            Value::Float(_) => &["number"],
            Value::Boolean => &["boolean"],
            Value::Date => &[],
            Value::Array(_) => &["array"],
            Value::Table(_) => &["object"],
        };
        self.layers
            .iter()
            .map(|layer| types(layer.keywords))
            .all(|types| types.is_empty() || types.iter().any(|name| names.contains(name)))
    }

    /// The JSON type, where there is one. For a single form only.
    pub(super) fn json_type(&self) -> Option<&'s str> {
        let names = self.layers.iter().flat_map(|layer| types(layer.keywords));
        names.into_iter().find(|name| *name != "null")
    }

    /// The keys a table may have, in the order of the type's fields.
    pub(super) fn properties(&self) -> Vec<(&'s str, Self)> {
        let mut properties: Vec<(&str, Self)> = Vec::new();
        for (key, schema) in self.all("properties").filter_map(Json::as_object).flatten() {
            if !properties.iter().any(|(known, _)| known == key) {
                properties.push((key, self.other(schema)));
            }
        }
        properties
    }

    /// The keys a table must have.
    pub(super) fn required(&self) -> Vec<&'s str> {
        let mut required: Vec<&str> = Vec::new();
        for key in self.all("required").filter_map(Json::as_array).flatten().filter_map(Json::as_str) {
            if !required.contains(&key) {
                required.push(key);
            }
        }
        required
    }

    /// What stands under the keys of a map.
    pub(super) fn entries(&self) -> Option<Self> {
        let patterns =
            self.all("patternProperties").filter_map(|patterns| patterns.as_object()?.values().next());
        let mut schemas = self.all("additionalProperties").chain(patterns);
        schemas.find(|schema| schema.as_bool() != Some(false)).map(|schema| self.other(schema))
    }

    /// What stands at a position of a list.
    pub(super) fn item(&self, index: usize) -> Option<Self> {
        let tuple = self.all("prefixItems").find_map(|items| items.as_array()?.get(index));
        tuple.or_else(|| self.all("items").next()).map(|schema| self.other(schema))
    }

    /// The least and the greatest number allowed, from the range and the width of the type.
    pub(super) fn range(&self) -> (Option<f64>, Option<f64>) {
        let (lowest, highest) = self.first_text("format").map_or((None, None), width);
        let least = self.all("minimum").filter_map(Json::as_f64).chain(lowest);
        let greatest = self.all("maximum").filter_map(Json::as_f64).chain(highest);
        (least.reduce(f64::max), greatest.reduce(f64::min))
    }

    /// The least and the greatest of a keyword pair such as `minItems` and `maxItems`.
    pub(super) fn lengths(&self, least: &'static str, greatest: &'static str) -> (u64, u64) {
        let least = self.all(least).find_map(Json::as_u64).unwrap_or(0);
        (least, self.all(greatest).find_map(Json::as_u64).unwrap_or(u64::MAX))
    }
}

const ONE_OF: &str = "oneOf";
const ANY_OF: &str = "anyOf";

fn array<'s>(keywords: &'s Map<String, Json>, keyword: &str) -> impl Iterator<Item = &'s Json> + use<'s> {
    keywords.get(keyword).and_then(Json::as_array).into_iter().flatten()
}

/// The branches of a `oneOf` or `anyOf` that a document can choose from: TOML has no `null`.
fn branches(keywords: &Map<String, Json>) -> Vec<&Json> {
    array(keywords, ONE_OF).chain(array(keywords, ANY_OF)).filter(|branch| !is_null(branch)).collect()
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("null")
}

fn types(keywords: &Map<String, Json>) -> Vec<&str> {
    match keywords.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The range of an integer type, by the `format` schemars gives it. Exact where `f64` is; wider types end
/// where TOML's integers do.
fn width(format: &str) -> (Option<f64>, Option<f64>) {
    match format {
        "int32" => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        "uint32" => (Some(0.0), Some(f64::from(u32::MAX))),
        _ => (None, None),
    }
}
