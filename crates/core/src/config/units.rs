//! Quantities that carry their unit: `"10s"`, `"256MiB"`, `"0.5%"`. A bare number is refused, because
//! nobody remembers whether it was seconds or milliseconds.

mod bitrate;
mod duration;
mod percent;
mod size;

pub use bitrate::Bitrate;
pub use duration::Duration;
pub use percent::Percent;
pub use size::Size;

use super::format::ParseError;

/// Implements serde and JSON Schema for a type that is written as the text of `Display` and `FromStr`.
macro_rules! written_as_text {
    ($type:ty, $name:literal, $format:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(&$format.expected())
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", $name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $format.schema()
            }
        }
    };
}
use written_as_text;

/// Splits `90s...` into the number, the letters of its unit, and the rest.
fn number_and_unit(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    (!number.is_empty()).then_some((number, unit, rest))
}
