//! Several ranges in one answer: `multipart/byteranges` (RFC 9110 §14.6).

use std::ops::Range;

use super::range::ContentRange;

/// Writes the value of `Content-Type` of the answer. The boundary is of letters and digits, up to 70, and must not
/// occur in the content: draw it at random.
pub fn content_type(boundary: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"multipart/byteranges; boundary=");
    out.extend_from_slice(boundary.as_bytes());
}

/// Writes what precedes the bytes of a part. `content_type` is that of the stored response.
pub fn part_head(
    out: &mut Vec<u8>,
    boundary: &str,
    content_type: Option<&[u8]>,
    range: &Range<u64>,
    len: u64,
) {
    out.extend_from_slice(b"\r\n--");
    out.extend_from_slice(boundary.as_bytes());
    if let Some(content_type) = content_type {
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(content_type);
    }
    out.extend_from_slice(b"\r\nContent-Range: ");
    ContentRange { range: range.clone(), len: Some(len) }.write(out);
    out.extend_from_slice(b"\r\n\r\n");
}

/// Writes what follows the bytes of the last part.
pub fn end(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(b"\r\n--");
    out.extend_from_slice(boundary.as_bytes());
    out.extend_from_slice(b"--\r\n");
}

/// How many bytes the whole answer has.
pub fn length(boundary: &str, content_type: Option<&[u8]>, ranges: &[Range<u64>], len: u64) -> u64 {
    let mut frame = Vec::new();
    for range in ranges {
        part_head(&mut frame, boundary, content_type, range, len);
    }
    end(&mut frame, boundary);
    frame.len() as u64 + ranges.iter().map(|range| range.end - range.start).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed() {
        let content = b"0123456789";
        let ranges = [0..2, 5..8];
        let mut out = Vec::new();
        for range in &ranges {
            part_head(&mut out, "XYZ", Some(b"text/plain"), range, 10);
            out.extend_from_slice(&content[range.start as usize..range.end as usize]);
        }
        end(&mut out, "XYZ");
        let expected = "\r\n--XYZ\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
            \r\n--XYZ\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-7/10\r\n\r\n567\r\n--XYZ--\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(length("XYZ", Some(b"text/plain"), &ranges, 10), expected.len() as u64);
        let mut out = Vec::new();
        content_type("XYZ", &mut out);
        assert_eq!(out, b"multipart/byteranges; boundary=XYZ");
    }
}
