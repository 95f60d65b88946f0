//! Requests to purge: whatever they hold, they are understood or refused with a sentence.
#![no_main]

use deepwater_cache::purge::{Purge, split_url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match Purge::parse(body) {
        Ok(purge) => {
            for url in purge.urls.iter().chain(&purge.prefixes) {
                let (host, path, query) = split_url(url);
                assert!(!host.is_empty() && url.contains(path));
                assert!(query.is_none_or(|query| url.ends_with(query)));
            }
        }
        Err(fault) => assert!(!fault.is_empty()),
    }
});
