//! Tags that responses carry to be purged by.

use smallvec::SmallVec;

use super::fields::Fields;
use super::refusal::NotStored;

/// More tags on one response are refused.
pub const MAX_TAGS: usize = 256;
/// Longer tags are refused, in bytes.
pub const MAX_TAG: usize = 1_024;

/// The fields that carry tags, and whether commas separate them; if not, blanks do.
const FIELDS: [(&str, bool); 3] = [("surrogate-key", false), ("cache-tag", true), ("xkey", false)];

/// The tags of a response, in the order they came, each once, byte for byte. A response with more than 256, or with one
/// longer than 1,024 bytes, is not to be stored: a purge by a tag that is not kept would miss it.
pub fn tags<F: Fields + ?Sized>(response: &F) -> Result<SmallVec<[&[u8]; 8]>, NotStored> {
    let mut tags: SmallVec<[&[u8]; 8]> = SmallVec::new();
    for (field, commas) in FIELDS {
        let separates = move |b: &u8| if commas { *b == b',' } else { b.is_ascii_whitespace() };
        let all =
            response.values(field).flat_map(move |value| value.split(separates)).map(<[u8]>::trim_ascii);
        for tag in all.filter(|tag| !tag.is_empty()) {
            if tags.contains(&tag) {
                continue;
            }
            if tag.len() > MAX_TAG || tags.len() == MAX_TAGS {
                return Err(NotStored::Tags);
            }
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// Whether a field carries tags: no client needs it.
pub fn is_tag_field(name: &[u8]) -> bool {
    FIELDS.iter().any(|(field, _)| name.eq_ignore_ascii_case(field.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(fields: &[(&str, &str)]) -> Result<Vec<String>, NotStored> {
        Ok(tags(fields)?.iter().map(|tag| String::from_utf8(tag.to_vec()).unwrap()).collect())
    }

    #[test]
    fn the_three_fields() {
        let fields = [
            ("XKey", "d"),
            ("Surrogate-Key", " a  b,1\ta "),
            ("Cache-Tag", "c d , ,e,a"),
            ("surrogate-key", "f"),
        ];
        assert_eq!(read(&fields).unwrap(), ["a", "b,1", "f", "c d", "e", "d"]);
        assert!(read(&[]).unwrap().is_empty());
        assert!(is_tag_field(b"cache-tag") && is_tag_field(b"XKEY") && !is_tag_field(b"cache-tags"));
    }

    #[test]
    fn floods_are_refused() {
        let many = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(read(&[("xkey", &many(256)), ("xkey", &many(256))]).unwrap().len(), 256);
        assert_eq!(read(&[("xkey", &many(257))]), Err(NotStored::Tags));
        assert_eq!(read(&[("xkey", &"x".repeat(1_024))]).unwrap().len(), 1);
        assert_eq!(read(&[("xkey", &"x".repeat(1_025))]), Err(NotStored::Tags));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = tags([("xkey", value.as_slice()), ("cache-tag", &value)].as_slice());
        }
    }
}
