//! What a token's claims must say for it to pass.

use serde_json::Value;

use super::{ClaimPath, Claims};
use crate::config::{ClaimRule, Scalar};
use crate::refusal::Refusal;

/// Conditions on claims, all of which must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Requirements(Vec<(ClaimPath, Condition)>);

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    OneOf(Vec<Scalar>),
    /// All of these words.
    Contains(Vec<String>),
}

impl Requirements {
    /// Adds the rule for one claim.
    pub fn add(&mut self, path: ClaimPath, rule: &ClaimRule) {
        let condition = match rule {
            ClaimRule::Is(value) => Condition::OneOf(vec![value.clone()]),
            ClaimRule::OneOf(values) => Condition::OneOf(values.clone()),
            ClaimRule::Contains(contains) => Condition::Contains(contains.contains.as_slice().to_vec()),
        };
        self.0.push((path, condition));
    }

    /// Whether the claims meet them all.
    ///
    /// # Errors
    /// [`Refusal::Insufficient`]: which claim it is, is none of the client's business.
    pub fn check(&self, claims: &Claims) -> Result<(), Refusal> {
        let met = |(path, condition): &(ClaimPath, Condition)| {
            claims.get(path).is_some_and(|value| condition.holds(value))
        };
        if self.0.iter().all(met) { Ok(()) } else { Err(Refusal::Insufficient) }
    }
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|wanted| wanted.is(value)),
            Self::Contains(words) => words.iter().all(|word| contains(value, word)),
        }
    }
}

/// Whether a word is in a list, or in a text of words with spaces between (`scope`, RFC 8693 §4.2).
fn contains(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text.split(' ').any(|part| part == word),
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(word)),
        _ => false,
    }
}

impl Scalar {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Number(number) => value.as_i64() == Some(*number),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
        }
    }
}
