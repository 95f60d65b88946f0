//! Base64url without padding (RFC 7515 appendix C), in its one canonical form: each sequence of bytes has one text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes; none for a text with padding, white space, a foreign character or bits set that stand for nothing.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text of up to three bytes: decoded only if it is what encoding gives back.
    #[test]
    fn short_texts_are_read_only_in_their_canonical_form() {
        let mut read = 0;
        let mut try_one = |text: &[u8]| {
            if let Some(bytes) = decode(text) {
                assert_eq!(URL_SAFE_NO_PAD.encode(&bytes).as_bytes(), text);
                read += 1;
            }
        };
        try_one(b"");
        for a in 0..=255 {
            try_one(&[a]);
            for b in 0..=255 {
                try_one(&[a, b]);
                for c in 0..=255 {
                    try_one(&[a, b, c]);
                }
            }
        }
        assert_eq!(read, 1 + 256 + 65_536, "one text for each sequence of up to two bytes");
    }

    #[test]
    fn the_rest_is_refused() {
        assert_eq!(decode(b"-_8"), Some(vec![0xfb, 0xff]));
        let wrong: [&[u8]; 11] = [
            b"+_8",
            b"-/8",
            b"-_8=",
            b"-_8\n",
            b" -_8",
            b"-_9",
            b"-_8-_",
            b"A",
            b"AB",
            b"AAAA====",
            b"AA\0A",
        ];
        for text in wrong {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
