//! A PROXY protocol header that is accepted can be written again and says the same.
#![no_main]

use deepwater_edge::proxy_protocol::{Parsed, parse, write_v1, write_v2};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Parsed::Complete { len, addresses }) = parse(bytes) else { return };
    assert!(len <= bytes.len());
    if let Some((source, destination)) = addresses {
        for write in [write_v1, write_v2] {
            let mut again = Vec::new();
            write(&mut again, source, destination);
            let Ok(Parsed::Complete { addresses: Some((s, d)), .. }) = parse(&again) else {
                panic!("{again:?}")
            };
            assert_eq!((s.port(), d.port()), (source.port(), destination.port()));
            assert_eq!(s.ip().to_canonical(), source.ip().to_canonical());
        }
    }
});
