//! `Accept-Encoding` as a set (RFC 9110 §12.5.3).

use smallvec::SmallVec;

use crate::rules::fields::Fields;
use crate::rules::list::members;

/// More codings than there are. A longer list is no set to us: it is taken as it is.
const MAX_CODINGS: usize = 16;

/// Writes the codings accepted, sorted, `x-gzip` and `x-compress` by their proper names; without those of weight 0,
/// unless `*` would accept them, and without `identity`, unless it is refused: it is acceptable by default.
pub(super) fn write_encodings<'a, F: Fields + ?Sized>(request: &'a F, name: &'a str, out: &mut Vec<u8>) {
    if request.values(name).flat_map(members).nth(MAX_CODINGS).is_some() {
        return super::write_joined(request.values(name), out);
    }
    let mut codings: SmallVec<[(SmallVec<[u8; 16]>, bool); 8]> = SmallVec::new();
    for member in request.values(name).flat_map(members) {
        let mut parts = member.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let mut name: SmallVec<[u8; 16]> = parts.next().unwrap_or_default().into();
        name.make_ascii_lowercase();
        if matches!(&name[..], b"x-gzip" | b"x-compress") {
            name.drain(..2);
        }
        let accepted = !parts.any(is_zero);
        if !codings.iter().any(|(known, _)| *known == name) {
            codings.push((name, accepted));
        }
    }
    codings.sort_unstable();
    let verdict =
        |name: &[u8]| codings.iter().find(|(known, _)| known[..] == *name).map(|(_, accepted)| *accepted);
    let any = verdict(b"*");
    let start = out.len();
    let mut write = |name: &[u8], suffix: &[u8]| {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.extend_from_slice(suffix);
    };
    for (name, accepted) in codings.iter().filter(|(name, _)| name[..] != *b"identity") {
        match accepted {
            true => write(name, b""),
            false if any == Some(true) => write(name, b";q=0"),
            false => {}
        }
    }
    if !verdict(b"identity").or(any).unwrap_or(true) {
        write(b"identity", b";q=0");
    }
}

/// Whether it is `q=0`, with up to three more zeros.
fn is_zero(parameter: &[u8]) -> bool {
    let Some((name, weight)) = parameter.split_at_checked(2) else { return false };
    name.eq_ignore_ascii_case(b"q=") && matches!(weight, b"0" | b"0." | b"0.0" | b"0.00" | b"0.000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_codings() {
        for (value, expected) in [
            ("", ""),
            ("identity", ""),
            ("gzip, deflate, br, zstd", "br,deflate,gzip,zstd"),
            ("zstd;q=0.1,BR ; Q=1, x-gzip,gzip", "br,gzip,zstd"),
            ("gzip;q=0, br", "br"),
            ("gzip;q=0.000", ""),
            ("gzip;q=0.001", "gzip"),
            ("gzip;x=1;q=0", ""),
            ("*", "*"),
            ("*, br;q=0, gzip", "*,br;q=0,gzip"),
            ("identity;q=0, gzip", "gzip,identity;q=0"),
            ("*;q=0, gzip", "gzip,identity;q=0"),
            ("*;q=0, identity", ""),
            ("gzip, gzip;q=0", "gzip"),
        ] {
            let mut out = Vec::new();
            write_encodings([("a", value)].as_slice(), "a", &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{value}");
        }
    }
}
