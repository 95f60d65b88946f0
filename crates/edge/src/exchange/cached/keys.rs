//! Keys beside that of the URL.

use deepwater_cache::rules::Vary;

use crate::head::{Fields, Name};

/// Follows the key of a URL in those of its variants and ranges; no key of a URL goes on so.
const VARIANT: u8 = 0xfe;
const RANGE: u8 = 0xfd;

/// The key of the variant that a secondary key selects.
pub(in crate::exchange) fn variant(key: &[u8], vary: &Vary, secondary: &[u8]) -> Vec<u8> {
    let mut out = key.to_vec();
    begin(&mut out, vary);
    out.extend_from_slice(secondary);
    out
}

/// Appends to the key of a URL what makes it that of the variant for a request. False where nothing stored is for it.
pub(in crate::exchange) fn append_variant(out: &mut Vec<u8>, vary: &Vary, fields: &Fields) -> bool {
    begin(out, vary);
    vary.write_key(fields, out)
}

fn begin(out: &mut Vec<u8>, vary: &Vary) {
    out.push(VARIANT);
    for name in vary.names() {
        out.extend_from_slice(name.as_bytes());
        out.push(b',');
    }
    out.push(0);
}

/// The key of a fetch of a range: what differs between ranges is fetched apart.
pub(in crate::exchange) fn range(key: &[u8], fields: &Fields) -> Vec<u8> {
    let mut out = key.to_vec();
    out.push(RANGE);
    for name in [Name::Range, Name::IfRange] {
        for value in fields.all_known(name) {
            out.extend_from_slice(value);
            out.push(0);
        }
        out.push(0);
    }
    out
}
