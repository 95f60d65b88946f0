//! The file of requests that a load generator sends.

use std::error::Error;

/// The requests of a file: each after a line with its length in bytes.
pub fn parse_requests(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or("a length without an end of line")?;
        let length = std::str::from_utf8(&bytes[..end])?.parse()?;
        let rest = &bytes[end + 1..];
        requests.push(rest.get(..length).ok_or("a request shorter than its length")?.to_vec());
        bytes = &rest[length..];
    }
    if requests.is_empty() { Err("no request in the file".into()) } else { Ok(requests) }
}
