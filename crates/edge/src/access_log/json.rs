//! One JSON object a line (RFC 8259), written without building it first.

use std::io::Write as _;
use std::time::Duration;

use super::Entry;
use super::combined::hex_digit;

/// Appends a line. Members that do not apply are left out.
pub(super) fn write(out: &mut Vec<u8>, time: &str, entry: &Entry<'_>) {
    // Needs no escaping: digits and punctuation of our own.
    write!(out, "{{\"time\":\"{time}\",\"client_ip\":\"{}\"", entry.client_ip)
        .expect("writing to memory succeeds");
    text(out, "method", entry.method.as_bytes());
    text(out, "target", entry.target);
    text(out, "version", entry.version.as_str().as_bytes());
    number(out, "status", entry.status.into());
    number(out, "sent_bytes", entry.sent_bytes);
    number(out, "received_bytes", entry.received_bytes);
    milliseconds(out, "duration_ms", entry.duration);
    if let Some(duration) = entry.upstream_duration {
        milliseconds(out, "upstream_duration_ms", duration);
    }
    let texts = [
        ("upstream", entry.upstream.map_or(&b""[..], str::as_bytes)),
        ("route", entry.route.as_bytes()),
        ("host", entry.host),
        ("user_agent", entry.user_agent),
        ("referer", entry.referer),
        ("request_id", entry.request_id),
        ("trace_id", entry.trace_id),
        ("error", entry.error.map_or(&b""[..], str::as_bytes)),
    ];
    for (key, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        text(out, key, value);
    }
    out.extend_from_slice(b"}\n");
}

fn member(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    member(out, key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// To the microsecond.
fn milliseconds(out: &mut Vec<u8>, key: &str, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(out, key, micros / 1_000);
    let fraction = (micros % 1_000) as u16;
    out.push(b'.');
    out.extend([fraction / 100, fraction / 10 % 10, fraction % 10].map(|digit| b'0' + digit as u8));
}

fn text(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    member(out, key);
    string(out, value);
}

/// Appends a string; bytes that are not UTF-8 become replacement characters.
pub(super) fn string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for chunk in value.utf8_chunks() {
        escape(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| matches!(b, 0..=0x1f | b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex_digit(b >> 4), hex_digit(b & 15)]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Version;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_one_object() {
        let entry = Entry {
            client_ip: "10.0.0.1".parse().unwrap(),
            method: "POST",
            target: b"/a?\"b\"",
            version: Version::Http11,
            status: 502,
            sent_bytes: 7,
            received_bytes: 9,
            duration: Duration::from_micros(12_034),
            upstream_duration: Some(Duration::from_micros(5)),
            upstream: Some("app:3000"),
            route: "/a",
            host: b"shop.example",
            user_agent: b"x\xffy\n",
            referer: b"",
            request_id: b"r-1",
            trace_id: b"0af7651916cd43dd8448eb211c80319c",
            error: Some("connection refused"),
        };
        let mut line = Vec::new();
        write(&mut line, "1970-01-01T00:00:00.000Z", &entry);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                r#"{"time":"1970-01-01T00:00:00.000Z","client_ip":"10.0.0.1","method":"POST","target":"/a?\"b\"","#,
                r#""version":"1.1","status":502,"sent_bytes":7,"received_bytes":9,"duration_ms":12.034,"#,
                r#""upstream_duration_ms":0.005,"upstream":"app:3000","route":"/a","host":"shop.example","#,
                r#""user_agent":"x"#,
                "\u{fffd}",
                r#"y\n","request_id":"r-1","trace_id":"0af7651916cd43dd8448eb211c80319c","#,
                r#""error":"connection refused"}"#,
                "\n"
            )
        );
    }

    proptest! {
        #[test]
        fn every_string_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut json = Vec::new();
            string(&mut json, &bytes);
            prop_assert!(!json.contains(&b'\n'));
            let read: String = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
