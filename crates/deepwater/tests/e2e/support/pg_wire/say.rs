//! What a client says, message by message, true to the protocol or not.

/// A message: its tag and what it holds.
pub fn message(tag: u8, payload: &[u8]) -> Vec<u8> {
    with_length(tag, i32::try_from(payload.len() + 4).unwrap(), payload)
}

/// A message that says it is this long.
pub fn with_length(tag: u8, length: i32, payload: &[u8]) -> Vec<u8> {
    [&[tag], &length.to_be_bytes()[..], payload].concat()
}

/// The first packet of protocol 3 with these parameters.
pub fn startup(minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = [3u16.to_be_bytes(), minor.to_be_bytes()].concat();
    for (name, value) in parameters {
        body.extend([text(name), text(value)].concat());
    }
    body.push(0);
    untagged(&body)
}

/// A first packet that asks for something else than a session.
pub fn request(code: u32, rest: &[u8]) -> Vec<u8> {
    untagged(&[&code.to_be_bytes(), rest].concat())
}

/// Asks for TLS.
pub fn ssl_request() -> Vec<u8> {
    request(80_877_103, b"")
}

/// Asks for GSSAPI encryption.
pub fn gss_request() -> Vec<u8> {
    request(80_877_104, b"")
}

/// Asks to cancel what a session runs.
pub fn cancel(pid: u32, key: &[u8]) -> Vec<u8> {
    request(80_877_102, &[&pid.to_be_bytes(), key].concat())
}

pub fn untagged(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), b"\0"].concat()
}

fn count(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_be_bytes()
}

fn values(values: &[Option<&str>]) -> Vec<u8> {
    let mut bytes = count(values.len()).to_vec();
    for value in values {
        match value {
            None => bytes.extend((-1i32).to_be_bytes()),
            Some(value) => {
                bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(value.as_bytes());
            }
        }
    }
    bytes
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &text(sql))
}

pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    parse_typed(name, sql, &[])
}

/// Parse with the types of the parameters.
pub fn parse_typed(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(b'P', &[text(name), text(sql), count(types.len() / 4).to_vec(), types].concat())
}

/// Bind with values and results in text.
pub fn bind(portal: &str, statement: &str, parameters: &[Option<&str>]) -> Vec<u8> {
    bind_as(portal, statement, parameters, 0)
}

/// Bind with values in text and results in a format: 0 text, 1 binary.
pub fn bind_as(portal: &str, statement: &str, parameters: &[Option<&str>], format: u16) -> Vec<u8> {
    let formats = [count(1), format.to_be_bytes()].concat();
    let parts = [text(portal), text(statement), count(0).to_vec(), values(parameters), formats];
    message(b'B', &parts.concat())
}

pub fn describe_statement(name: &str) -> Vec<u8> {
    message(b'D', &[b"S", &text(name)[..]].concat())
}

pub fn describe_portal(name: &str) -> Vec<u8> {
    message(b'D', &[b"P", &text(name)[..]].concat())
}

/// Execute; 0 rows means all.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    message(b'E', &[&text(portal)[..], &rows.to_be_bytes()].concat())
}

pub fn close_statement(name: &str) -> Vec<u8> {
    message(b'C', &[b"S", &text(name)[..]].concat())
}

pub fn close_portal(name: &str) -> Vec<u8> {
    message(b'C', &[b"P", &text(name)[..]].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub fn flush() -> Vec<u8> {
    message(b'H', b"")
}

pub fn terminate() -> Vec<u8> {
    message(b'X', b"")
}

/// A password, or what SASL has in its place.
pub fn password(secret: &str) -> Vec<u8> {
    message(b'p', &text(secret))
}

pub fn sasl_first(mechanism: &str, first: &str) -> Vec<u8> {
    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
    message(b'p', &[&text(mechanism)[..], &length, first.as_bytes()].concat())
}

pub fn sasl_next(data: &str) -> Vec<u8> {
    message(b'p', data.as_bytes())
}

pub fn copy_data(data: impl AsRef<[u8]>) -> Vec<u8> {
    message(b'd', data.as_ref())
}

pub fn copy_done() -> Vec<u8> {
    message(b'c', b"")
}

pub fn copy_fail(reason: &str) -> Vec<u8> {
    message(b'f', &text(reason))
}

/// A function call by number, values and result in text.
pub fn call(function: u32, arguments: &[Option<&str>]) -> Vec<u8> {
    let parts = [&function.to_be_bytes()[..], &count(0), &values(arguments), &count(0)];
    message(b'F', &parts.concat())
}

/// A statement through the extended protocol, in one go.
pub fn extended(sql: &str, parameters: &[Option<&str>]) -> Vec<u8> {
    [parse("", sql), bind("", "", parameters), describe_portal(""), execute("", 0), sync()].concat()
}
