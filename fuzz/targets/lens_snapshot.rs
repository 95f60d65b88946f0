//! What was measured and kept: read as it was written, or refused; never more than there is room for.
#![no_main]

use deepwater_lens::store::Store;
use libfuzzer_sys::fuzz_target;

const MOST_BYTES: usize = 1 << 20;
/// Ticks between two times, so that a run does not spend itself on them.
const MOST_TICKS: u64 = 10_000;

fuzz_target!(|data: (u16, &[u8])| {
    let (later, bytes) = data;
    // The first line, so that the rest is reached.
    let framed = [b"deepwater lens 1\n", bytes].concat();
    let written = bytes.get(..8).map_or(0, |written| u64::from_le_bytes(written.try_into().expect("eight bytes")));
    for bytes in [bytes, &framed] {
        let mut store = Store::new(MOST_BYTES);
        let now = written.saturating_add(u64::from(later) % MOST_TICKS);
        if store.take_in(bytes, now).is_ok() {
            assert!(store.bytes() <= MOST_BYTES);
            let again = store.to_bytes(now);
            let mut copy = Store::new(MOST_BYTES);
            copy.take_in(&again, now).expect("what was written is read");
            assert_eq!(copy.to_bytes(now), again);
        } else {
            assert_eq!(store.count(), 0);
        }
    }
});
