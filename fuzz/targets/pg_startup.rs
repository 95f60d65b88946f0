//! A first packet that is accepted can be written again and reads the same; what is cut off waits for its end.
#![no_main]

use deepwater_pgwire::startup::{MAX_BYTES, Startup, options, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(settings) = options(text)
    {
        assert!(settings.iter().all(|(name, _)| !name.is_empty() && !name.contains(['-', '='])));
    }

    let Ok(Some((startup, used))) = read(bytes) else { return };
    assert!(used <= bytes.len().min(MAX_BYTES));
    assert_eq!(read(&bytes[..used - 1]), Ok(None));
    let mut again = Vec::new();
    match &startup {
        Startup::Ssl => write::ssl_request(&mut again),
        Startup::GssEncryption => write::gss_encryption_request(&mut again),
        Startup::Cancel { pid, key } => write::cancel_request(&mut again, *pid, key),
        Startup::Start { minor, parameters } => {
            let pairs = parameters.iter().map(|(name, value)| (name, value));
            write::startup(&mut again, *minor, pairs);
        }
    }
    let len = again.len();
    // A parameter given twice is written once.
    assert!(len <= used);
    assert_eq!(read(&again), Ok(Some((startup, len))));
});
