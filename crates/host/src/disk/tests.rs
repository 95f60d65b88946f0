use super::*;
use crate::testing::{Machine, second};

#[test]
fn what_waits_for_the_disk_is_read() {
    let machine = Machine::empty();
    machine.write("proc/pressure/io", "some total=5\nfull total=4\n");
    let mut disk = Disk::new(&machine.roots());
    let read = disk.read(second(1));
    assert_eq!(read.pressure.map(|pressure| pressure.some), Some(Duration::from_micros(5)));
    assert_eq!(disk.unknown().count(), 0);
}

#[test]
fn a_directory_has_room() {
    let machine = Machine::empty();
    let space = Space::of(machine.path()).expect("a directory");
    assert!(space.total_bytes > 0 && space.available_bytes <= space.total_bytes, "{space:?}");
    assert!(Space::of(&machine.path().join("none")).is_err());
}
