//! The protocol of the module's documentation, every interleaving of it: a small model, and the proof that the
//! model would notice.

use std::collections::HashSet;

/// What threads share.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Shared {
    truth: u64,
    clock: u64,
    slot: u64,
    object: Option<Object>,
    /// The version as of the last purge that returned.
    floor: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Object {
    born: u64,
    version: u64,
    checked: u64,
}

/// A thread: where it is, and what it remembers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Thread {
    step: u8,
    floor: u64,
    clock: u64,
    version: u64,
    valid: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    SlotFirst,
    ClockFirst,
}

/// One step of changing the truth, then purging; `false` when there is none left.
fn purge(shared: &mut Shared, me: &mut Thread, order: Order) -> bool {
    match (me.step, order) {
        (0, _) => shared.truth += 1,
        (1, Order::SlotFirst) | (2, Order::ClockFirst) => {
            me.clock = shared.clock + u64::from(order == Order::SlotFirst);
            shared.slot = me.clock;
        }
        (2, Order::SlotFirst) | (1, Order::ClockFirst) => shared.clock += 1,
        (3, _) => shared.floor = shared.truth,
        _ => return false,
    }
    true
}

/// One step of a fetch.
fn fetch(shared: &mut Shared, me: &mut Thread) -> bool {
    match me.step {
        0 => me.clock = shared.clock,
        1 => me.version = shared.truth,
        2 => shared.object = Some(Object { born: me.clock, version: me.version, checked: me.clock }),
        _ => return false,
    }
    true
}

/// One step of a look; `Err` if it serves what was purged before it began.
fn look(shared: &mut Shared, me: &mut Thread) -> Result<bool, ()> {
    let Some(object) = &mut shared.object else {
        // A miss, at the first step: later there is an object.
        let first = me.step == 0;
        me.step = 9;
        return Ok(first);
    };
    match me.step {
        0 => me.floor = shared.floor,
        1 => (me.clock, me.version) = (shared.clock, object.version),
        2 => me.valid = object.checked == me.clock,
        3 if !me.valid => me.valid = shared.slot <= object.born,
        3 => {}
        4 if me.valid && me.version == object.version => object.checked = me.clock,
        4 => {}
        5 if me.valid && me.version == object.version && object.version < me.floor => return Err(()),
        _ => return Ok(false),
    }
    Ok(true)
}

type State = (Shared, [Thread; 4]);

/// Runs every order of the threads' steps, a state only once. `Err` if one serves what was purged.
fn explore(state: State, order: Order, seen: &mut HashSet<State>) -> Result<(), ()> {
    if !seen.insert(state) {
        return Ok(());
    }
    for turn in 0..state.1.len() {
        let (mut shared, mut threads) = state;
        let me = &mut threads[turn];
        let moved = match turn {
            0 => purge(&mut shared, me, order),
            1 => fetch(&mut shared, me),
            _ => look(&mut shared, me)?,
        };
        if moved {
            me.step += 1;
            explore((shared, threads), order, seen)?;
        }
    }
    Ok(())
}

#[test]
fn no_order_of_steps_serves_what_was_purged() {
    // An object is there from the start; another fetch replaces it at some time.
    let object = Some(Object { born: 0, version: 0, checked: 0 });
    let start = (Shared { object, ..Shared::default() }, [Thread::default(); 4]);
    let mut seen = HashSet::new();
    assert_eq!(explore(start, Order::SlotFirst, &mut seen), Ok(()));
    assert!(seen.len() > 1000, "{}", seen.len());
    assert_eq!(explore(start, Order::ClockFirst, &mut HashSet::new()), Err(()));
}
