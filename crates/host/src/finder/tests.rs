use super::*;
use crate::testing::{Machine, second};

const HEAD: &str = "  sl  local_address rem_address   st\n";

fn socket(local: &str, state: &str, inode: u64) -> String {
    format!(
        "   0: {local} 0100007F:9C40 {state} 00000000:00000000 01:00000015 00000000     0        0 {inode} 3\n"
    )
}

/// A PostgreSQL whose workers closed the listening socket, a prefork server whose workers kept it, and a
/// bystander.
#[cfg(target_endian = "little")]
fn machine() -> Machine {
    let machine = Machine::empty();
    let table = HEAD.to_owned()
        + &socket("0100007F:1538", "0A", 500)
        + &socket("00000000:1F90", "0A", 600)
        + &socket("0100007F:C350", "01", 700);
    machine.write("proc/net/tcp", table).link("proc/self", "999");
    machine.write("proc/sys/net/ipv4/ip_local_port_range", "32768 60999\n");
    for (pid, parent) in [(10, 1), (11, 10), (12, 11), (20, 1), (21, 20), (30, 1), (999, 1)] {
        machine.process(pid, parent, u64::from(pid), 0);
        machine.link(&format!("proc/{pid}/fd/0"), "/dev/null");
    }
    machine
        .link("proc/10/fd/5", "socket:[500]")
        .link("proc/20/fd/5", "socket:[600]")
        .link("proc/21/fd/5", "socket:[600]")
        .link("proc/21/fd/6", "socket:[600]")
        .link("proc/30/fd/9", "socket:[700]")
        .link("proc/30/fd/8", "pipe:[500]");
    machine
}

fn numbers(pids: Result<Vec<Pid>, Why>) -> Result<Vec<u32>, Why> {
    pids.map(|pids| pids.iter().map(|pid| pid.number).collect())
}

#[test]
#[cfg(target_endian = "little")]
fn whoever_listens_is_found_with_all_workers() {
    let machine = machine();
    let mut finder = Finder::new(&machine.roots());
    assert_eq!(finder.listeners(5_432), Err(Why::Missing), "nothing was looked at");
    finder.look(second(1));
    assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12]));
    assert_eq!(numbers(finder.listeners(8_080)), Ok(vec![20, 21]));
    assert_eq!(finder.listeners(9), Err(Why::Missing));
    assert_eq!(finder.unknown().count(), 0, "{:?}", finder.unknown().collect::<Vec<_>>());

    machine.process(13, 10, 13, 0);
    finder.look(second(10));
    assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12]), "not yet");
    finder.look(second(11));
    assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12, 13]));
}

#[test]
#[cfg(target_endian = "little")]
fn a_number_used_again_does_not_adopt() {
    let machine = machine();
    // Process 10's number was used before: its child of then is older than it.
    machine.process(14, 10, 3, 0);
    let mut finder = Finder::new(&machine.roots());
    finder.look(second(1));
    assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12]));
}

#[test]
#[cfg(target_endian = "little")]
fn parents_in_a_circle_are_a_family_too() {
    let machine = machine();
    machine.process(10, 12, 5, 0).process(11, 10, 5, 0).process(12, 11, 5, 0);
    let mut finder = Finder::new(&machine.roots());
    finder.look(second(1));
    assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12]));
}

#[test]
#[cfg(target_endian = "little")]
fn what_may_not_be_seen_is_unknown_and_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = machine();
    let hidden = machine.path().join("proc/10/fd");
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o000)).expect("changed");
    // Root may see everything: the reason cannot be had then.
    let root = std::fs::read_dir(&hidden).is_ok();
    let mut finder = Finder::new(&machine.roots());
    finder.look(second(1));
    if root {
        assert_eq!(numbers(finder.listeners(5_432)), Ok(vec![10, 11, 12]));
    } else {
        assert_eq!(finder.listeners(5_432), Err(Why::NotPermitted));
        assert_eq!(finder.listeners(9), Err(Why::Missing), "nobody listens there");
        assert!(finder.unknown().any(|unknown| unknown.to_string().contains("run as the same user or root")));
    }
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o700)).expect("changed back");
}

#[test]
fn a_process_with_very_many_descriptors_does_not_take_all_the_time() {
    let machine = Machine::empty();
    machine.write("proc/net/tcp", HEAD.to_owned() + &socket("0100007F:1538", "0A", 500)).process(10, 1, 1, 0);
    for descriptor in 0..9_000 {
        machine.link(&format!("proc/10/fd/{descriptor}"), "socket:[7]");
    }
    let mut finder = Finder::new(&machine.roots());
    finder.look(second(1));
    assert!(finder.unknown().any(|unknown| unknown.why == Why::TooMany));
}

#[test]
fn links_are_understood_or_not() {
    use super::holders::socket_inode;
    assert_eq!(socket_inode("socket:[8142006]"), Some(8_142_006));
    for other in ["socket:[]", "socket:[-1]", "socket:[1", "pipe:[5]", "/dev/null", "anon_inode:[eventpoll]"]
    {
        assert_eq!(socket_inode(other), None, "{other}");
    }
}
