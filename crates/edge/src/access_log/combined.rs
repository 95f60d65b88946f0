//! The combined log format of Apache and nginx.

use std::io::Write as _;

use super::Entry;

/// Appends a line: `ip - - [time] "GET /path HTTP/1.1" 200 123 "referer" "user agent"`.
pub(super) fn write(out: &mut Vec<u8>, time: &str, entry: &Entry<'_>) {
    write!(out, "{} - - [{time}] \"", entry.client_ip).expect("writing to memory succeeds");
    escape(out, entry.method.as_bytes());
    out.push(b' ');
    escape(out, entry.target);
    out.extend_from_slice(b" HTTP/");
    out.extend_from_slice(entry.version.as_str().as_bytes());
    out.extend_from_slice(b"\" ");
    out.extend_from_slice(itoa::Buffer::new().format(entry.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(itoa::Buffer::new().format(entry.sent_bytes).as_bytes());
    for field in [entry.referer, entry.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, if field.is_empty() { b"-" } else { field });
        out.push(b'"');
    }
    out.push(b'\n');
}

/// As Apache does: quotes and backslashes escaped, the usual control characters by their letters, all else that is
/// not printable ASCII as `\xhh`. A client cannot end the quotes or the line.
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| !plain(b)) {
        out.extend_from_slice(&rest[..at]);
        let b = rest[at];
        let letter = match b {
            b'"' | b'\\' => b,
            0x08 => b'b',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            _ => b'x',
        };
        out.extend_from_slice(&[b'\\', letter]);
        if letter == b'x' {
            out.extend_from_slice(&[hex_digit(b >> 4), hex_digit(b & 15)]);
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

pub(super) fn hex_digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Version;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_line_is_what_log_readers_expect() {
        let entry = Entry {
            client_ip: "::1".parse().unwrap(),
            method: "GET",
            target: b"/a\"b?c=\xc3\xa9",
            version: Version::Http2,
            status: 200,
            sent_bytes: 1_234,
            received_bytes: 0,
            duration: Duration::ZERO,
            upstream_duration: None,
            upstream: None,
            route: "",
            host: b"",
            user_agent: b"curl\\8\t\x01",
            referer: b"",
            request_id: b"",
            trace_id: b"",
            error: None,
        };
        let mut line = Vec::new();
        write(&mut line, "01/Jan/1970:00:00:00 +0000", &entry);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "::1 - - [01/Jan/1970:00:00:00 +0000] \"GET /a\\\"b?c=\\xc3\\xa9 HTTP/2.0\" 200 1234 \"-\" \
             \"curl\\\\8\\t\\x01\"\n"
        );
    }

    proptest! {
        #[test]
        fn nothing_ends_the_quotes_or_the_line(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut escaped = Vec::new();
            escape(&mut escaped, &text);
            prop_assert!(escaped.iter().all(|b| matches!(b, b' '..=b'~')));
            let unescaped = String::from_utf8(escaped).unwrap().replace("\\\\", "").replace("\\\"", "");
            prop_assert!(!unescaped.contains('"'));
        }
    }
}
