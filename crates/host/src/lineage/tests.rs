use super::*;
use crate::testing::{Machine, second};

#[test]
fn a_process_costs_what_all_below_it_cost() {
    let machine = Machine::empty();
    for (pid, parent, ticks) in [(1, 0, 10_000), (5, 1, 1_000), (6, 5, 400), (7, 6, 100), (8, 1, 5_000)] {
        machine.process(pid, parent, u64::from(pid), ticks);
    }
    assert_eq!(cpu_with_descendants(&machine.roots(), 5), Some(second(15)));
    assert_eq!(cpu_with_descendants(&machine.roots(), 9), None, "nobody has that number");
}

#[test]
fn whoever_has_ended_is_counted_with_its_parent() {
    let machine = Machine::empty();
    let fields = "1 5 1 0 -1 4194560 1 2 3 4 1100 200 30 4 20 0 1 0 77 1000 5";
    machine.write("proc/5/stat", format!("5 (a) b) S {fields}\n"));
    assert_eq!(cpu_with_descendants(&machine.roots(), 5), Some(Duration::from_millis(13_340)));
}

#[test]
fn where_nothing_can_be_read_nothing_is_known() {
    assert_eq!(cpu_with_descendants(&Machine::empty().roots(), 1), None);
}
