//! No message brings the cache's rules down, and what forbids storing is obeyed.
#![no_main]

use deepwater_cache::rules::{self, Policy, Request, Response, Times};
use http::Method;
use libfuzzer_sys::fuzz_target;

const NOW_MS: u64 = 1_700_000_000_000;

type Lines<'a> = Vec<(&'a [u8], &'a [u8])>;

/// Lines of `name: value`.
fn fields(text: &[u8]) -> Lines<'_> {
    text.split(|b| *b == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        })
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((status, messages)) = bytes.split_first() else { return };
    let (asked, answered) = messages.split_at(messages.iter().position(|b| *b == 0).unwrap_or(0));
    let (asked, answered) = (fields(asked), fields(answered));
    let policy = Policy::default();
    let request = Request { method: &Method::GET, fields: &asked };
    let response = Response { status: 200 + u16::from(*status), fields: &answered };
    let times = Times { sent_ms: NOW_MS - 10, received_ms: NOW_MS };
    let stored = rules::store(request, response, &policy, times);
    let validators = rules::Validators::of(&answered, NOW_MS);
    let _ = rules::evaluate(&asked, &validators, NOW_MS);
    let _ = rules::select(request, &validators, 1_000, NOW_MS);
    let _ = rules::surrogate::tags(&answered);
    let Ok(stored) = stored else { return };
    let forbidden = answered.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case(b"cache-control") && value.eq_ignore_ascii_case(b"no-store")
    });
    let targeted = answered.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"cdn-cache-control"));
    let understood =
        answered.iter().any(|(_, value)| value.to_ascii_lowercase().ends_with(b"must-understand"));
    assert!(!forbidden || targeted || understood, "no-store was stored");
    let _ = stored.vary.write_key(&asked, &mut Vec::new());
    let _ = rules::reuse(&asked, &stored.meta, NOW_MS + 5_000, &policy, 0.5);
});
