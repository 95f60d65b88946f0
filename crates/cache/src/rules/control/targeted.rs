//! Targeted fields such as `CDN-Cache-Control` (RFC 9213).

use std::borrow::Cow;

use crate::rules::structured::{Value, dictionary};

use super::{LONGEST_S, ResponseControl};

/// What a targeted field says, or `None` when it is absent, empty or invalid. A known directive with a value of
/// the wrong type makes the field invalid (§2.1: such values are not to be made sense of).
pub(super) fn control<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Option<ResponseControl> {
    let first = lines.next()?;
    let mut joined = Cow::Borrowed(first);
    for line in lines {
        let joined = joined.to_mut();
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line);
    }
    let members = dictionary(&joined)?;
    let mut control = ResponseControl { targeted: true, ..ResponseControl::default() };
    for (at, (name, value)) in members.iter().enumerate() {
        // Of several with one name the last counts.
        if !members[at + 1..].iter().any(|(later, _)| later == name) {
            control.add_member(name, value)?;
        }
    }
    (!members.is_empty()).then_some(control)
}

impl ResponseControl {
    fn add_member(&mut self, name: &[u8], value: &Value<'_>) -> Option<()> {
        match name {
            b"max-age" => self.max_age = Some(seconds(value)?),
            b"s-maxage" => self.s_maxage = Some(seconds(value)?),
            b"stale-while-revalidate" => self.stale_while_revalidate = Some(seconds(value)?),
            b"stale-if-error" => self.stale_if_error = Some(seconds(value)?),
            b"no-store" => self.no_store = flag(value)?,
            b"no-cache" => self.no_cache = self.whole(value)?,
            b"private" => self.private = self.whole(value)?,
            b"public" => self.public = flag(value)?,
            b"must-revalidate" => self.must_revalidate = flag(value)?,
            b"proxy-revalidate" => self.proxy_revalidate = flag(value)?,
            b"must-understand" => self.must_understand = flag(value)?,
            b"no-transform" => self.no_transform = flag(value)?,
            b"immutable" => self.immutable = flag(value)?,
            _ => {}
        }
        Some(())
    }

    /// Whether `no-cache` or `private` is about the whole response; if not, the names it holds are noted.
    fn whole(&mut self, value: &Value<'_>) -> Option<bool> {
        let names = match value {
            Value::Boolean(whole) => return Some(*whole),
            Value::String(names) => names.clone(),
            Value::Token(name) => Cow::Borrowed(*name),
            Value::List(list) => {
                let names: Option<Vec<&[u8]>> = list
                    .iter()
                    .map(|name| match name {
                        Value::String(name) => Some(&**name),
                        Value::Token(name) => Some(*name),
                        _ => None,
                    })
                    .collect();
                Cow::Owned(names?.join(&b','))
            }
            Value::Integer(_) | Value::Other => return None,
        };
        Some(!self.withhold(Some(names)))
    }
}

fn seconds(value: &Value<'_>) -> Option<u32> {
    let Value::Integer(seconds) = value else { return None };
    u64::try_from(*seconds).ok().map(|seconds| seconds.min(u64::from(LONGEST_S)) as u32)
}

fn flag(value: &Value<'_>) -> Option<bool> {
    let Value::Boolean(flag) = value else { return None };
    Some(*flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<ResponseControl> {
        control(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn values_have_their_types() {
        let control = of(&[
            "max-age=99999999999;p=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, no-store=?0",
            "public, must-revalidate, proxy-revalidate=?1, must-understand, no-transform, immutable, x=(1 2)",
        ]);
        let expected = ResponseControl {
            max_age: Some(LONGEST_S),
            s_maxage: Some(2),
            stale_while_revalidate: Some(3),
            stale_if_error: Some(4),
            public: true,
            must_revalidate: true,
            proxy_revalidate: true,
            must_understand: true,
            no_transform: true,
            immutable: true,
            targeted: true,
            ..ResponseControl::default()
        };
        assert_eq!(control, Some(expected));
        for line in [
            "max-age",
            "max-age=-1",
            "max-age=1.0",
            "max-age=\"1\"",
            "max-age=x",
            "no-store=1",
            "public=\"\"",
            "no-cache=1",
            "private=(1)",
            "max-age =1",
            "max-age= 1",
        ] {
            assert_eq!(of(&[line]), None, "{line}");
        }
    }

    #[test]
    fn the_last_of_a_name_counts() {
        assert_eq!(of(&["max-age=1, max-age=2"]).unwrap().max_age, Some(2));
        assert_eq!(of(&["max-age=x, max-age=2"]).unwrap().max_age, Some(2));
        assert!(!of(&["private, private=?0"]).unwrap().private);
    }

    #[test]
    fn named_fields() {
        for line in ["private=\"A, b\"", "private=(a \"b\")", "no-cache=a, private=b"] {
            let control = of(&[line]).unwrap();
            assert!(!control.private && !control.no_cache, "{line}");
            assert!(control.withholds(b"a") && control.withholds(b"b"), "{line}");
        }
        assert!(of(&["private=\"\""]).unwrap().private);
        assert!(of(&["private=()"]).unwrap().private);
    }
}
