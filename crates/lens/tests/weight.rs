//! What the lens keeps weighs what it says, and no more than it may: as the system counts it, with every series as long as
//! it gets.

use deepwater_lens::Config;
use deepwater_lens::signal::ALL;
use deepwater_lens::store::Store;

/// What the lens may take of the memory, whatever the service looks like.
const MOST_BYTES: usize = 64 << 20;
/// A store as the default one, a part as large: time does not matter to what a series weighs, but to a test.
const PART: usize = 24;
/// A series is as long as it gets after fourteen days.
const MINUTES: u64 = 14 * 24 * 60 + 1;

/// Resident bytes of this process (`/proc/self/status`).
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    let kib: usize = line.split_ascii_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib << 10
}

/// What takes so many bytes takes with pages and the allocator's own.
fn weight(bytes: usize) -> usize {
    bytes + bytes / 4 + (1 << 20)
}

#[test]
fn a_full_store_fits_into_what_the_lens_may_take() {
    let most = usize::try_from(Config::default().memory.bytes()).expect("a size of this machine") / PART;
    let labels: Vec<String> = (0..200).map(|number| format!("route-{number}")).collect();
    let before = resident();
    let mut store = Store::new(most);
    for minute in 0..MINUTES {
        labels.iter().for_each(|label| store.put(&ALL[0], label, minute as f64));
        store.pass(60);
    }
    let (counted, grown) = (store.bytes(), resident().saturating_sub(before));
    println!("{} series, {counted} bytes counted, {grown} resident", store.count());
    assert!(store.dropped() > 0, "there were more series than there is room for");
    assert!(counted > most * 3 / 4 && counted <= most, "{counted} bytes of {most} are in use");
    assert!(grown <= weight(counted), "{grown} bytes are resident, {counted} counted");
    assert!(weight(most * PART) <= MOST_BYTES, "so much a full one takes");
}
