use super::*;
use crate::testing::{Machine, second};

const DISKS: &str = "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n \
    254       0 vda 10 1 200 3 20 4 400 5 0 6000 7000 1 2 3 4\n 254 1 vda1 1 0 0 0 0 0 0 0 0 0 0\n";

#[test]
fn devices_that_did_something_are_read() {
    let machine = Machine::empty();
    machine.write("proc/diskstats", DISKS).write("proc/pressure/io", "some total=5\nfull total=4\n");
    let mut disk = Disk::new(&machine.roots());
    let read = disk.read(second(1));
    let names: Vec<_> = read.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["vda", "vda1"]);
    let vda = &read.devices[0];
    assert_eq!((vda.number, vda.reads, vda.writes), ((254, 0), 10, 20));
    assert_eq!((vda.read_bytes, vda.written_bytes), (102_400, 204_800));
    assert_eq!((vda.busy, vda.queued), (second(6), second(7)));
    assert_eq!(read.pressure.map(|pressure| pressure.some), Some(Duration::from_micros(5)));
    assert_eq!(disk.unknown().count(), 0);
}

#[test]
fn no_disk_is_known_and_garbage_is_not() {
    assert_eq!(diskstats(""), Some(Vec::new()));
    assert_eq!(diskstats("7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"), Some(Vec::new()));
    for wrong in ["x\n", "254 0 vda 1 2\n", "\u{0}", "254 0 vda -1 0 0 0 0 0 0 0 0 0 0\n"] {
        assert_eq!(diskstats(wrong), None, "{wrong}");
    }
    let half = &DISKS[..DISKS.len() - 9];
    assert_eq!(diskstats(half).map(|devices| devices.len()), Some(1), "the last line is half written");
}

#[test]
fn a_directory_has_room() {
    let machine = Machine::empty();
    let space = Space::of(machine.path()).expect("a directory");
    assert!(space.total_bytes > 0 && space.available_bytes <= space.total_bytes, "{space:?}");
    assert!(space.inodes_available <= space.inodes, "{space:?}");
    assert!(Space::of(&machine.path().join("none")).is_err());
}
