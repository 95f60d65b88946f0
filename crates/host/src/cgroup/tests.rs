use std::path::Path;

use super::place::locate;
use super::*;
use crate::testing::{Machine, second};

const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
    32 31 0:29 /docker/ab\\040c /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct\n\
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
const V1_GROUPS: &str = "4:memory:/api/shop\n2:cpu,cpuacct:/docker/ab c/worker\n0::/\n";

fn levels(controller: &str, groups: &str, mounts: &str) -> Option<(Version, Vec<String>)> {
    let place = locate(controller, groups, mounts, Path::new("/fixture"))?;
    Some((place.version, place.levels.iter().map(|path| path.display().to_string()).collect()))
}

#[test]
fn a_group_is_found_in_either_version() {
    let (version, paths) = levels("memory", V1_GROUPS, V1_MOUNTS).expect("a place");
    assert_eq!(version, Version::V1);
    let base = "/fixture/fs/cgroup/memory";
    assert_eq!(paths, [format!("{base}/api/shop"), format!("{base}/api"), base.to_owned()]);

    let (_, paths) = levels("cpu", V1_GROUPS, V1_MOUNTS).expect("a place");
    let base = "/fixture/fs/cgroup/cpu,cpuacct";
    assert_eq!(paths, [format!("{base}/worker"), base.to_owned()], "the mount shows a part");

    let (version, paths) = levels("io", V1_GROUPS, V1_MOUNTS).expect("a place");
    assert_eq!((version, paths), (Version::V2, vec!["/fixture/fs/cgroup/unified".to_owned()]));
}

#[test]
fn a_group_that_the_mount_does_not_show_is_the_mount_point() {
    let mounts = "1 1 0:1 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(levels("cpu", "0::/mine/deep\n", mounts).expect("a place").1, ["/fixture/fs/cgroup"]);
    assert_eq!(levels("cpu", "0::/other/../x\n", mounts), None);
    let mounts = "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(levels("cpu", "0::/../../up\n", mounts), None);
    let escape = "1 1 0:1 / /sys/../etc rw - cgroup2 cgroup2 rw\n";
    assert_eq!(levels("cpu", "0::/\n", escape), None);
}

#[test]
fn deep_paths_are_bounded_and_nonsense_is_no_place() {
    let deep = format!("0::{}\n", "/x".repeat(10_000));
    let mounts = "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(levels("cpu", &deep, mounts).expect("a place").1.len(), 16);
    for groups in ["", "0", "0::", "::::", "0::relative\n", "5:memory"] {
        assert_eq!(levels("cpu", groups, mounts), None, "{groups}");
    }
    let elsewhere = "1 1 0:1 / /dev/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(levels("cpu", "0::/\n", elsewhere), None, "outside of the fixture");
}

fn v2_machine() -> Machine {
    let machine = Machine::empty();
    machine
        .write("proc/self/mountinfo", "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .write("proc/self/cgroup", "0::/pod/app\n")
        .write("sys/fs/cgroup/pod/app/cpu.max", "max 100000\n")
        .write("sys/fs/cgroup/pod/cpu.max", "250000 100000\n")
        .write("sys/fs/cgroup/pod/app/cpu.stat", "usage_usec 5\nnr_throttled 2\nthrottled_usec 3000\n")
        .write("sys/fs/cgroup/pod/cpu.stat", "nr_periods 9\nnr_throttled 1\nthrottled_usec 1000\n")
        .write("sys/fs/cgroup/cpu.stat", "usage_usec 5\n")
        .write("sys/fs/cgroup/pod/app/memory.current", "700\n")
        .write("sys/fs/cgroup/pod/app/memory.max", "1000\n")
        .write("sys/fs/cgroup/pod/app/memory.high", "max\n")
        .write("sys/fs/cgroup/pod/memory.current", "1900\n")
        .write("sys/fs/cgroup/pod/memory.max", "2000\n")
        .write("sys/fs/cgroup/pod/memory.high", "1800\n")
        .write("sys/fs/cgroup/pod/app/memory.events", "low 0\nhigh 4\nmax 3\noom 2\noom_kill 1\n")
        .write("sys/fs/cgroup/pod/app/memory.stat", "workingset_refault_anon 2\nworkingset_refault_file 5\n")
        .write("sys/fs/cgroup/pod/app/memory.pressure", "some total=5\nfull total=2\n");
    machine
}

#[test]
fn version_2_limits_are_the_least_over_the_path() {
    let machine = v2_machine();
    let mut group = MemoryGroup::new(&machine.roots());
    let memory = group.read(second(1)).expect("a group");
    assert_eq!(memory.usage_bytes, Some(700));
    assert_eq!(memory.limit_bytes, Some(1_000));
    assert_eq!(memory.high_bytes, Some(1_800));
    assert_eq!(memory.headroom_bytes, Some(100), "the neighbours have used the rest");
    assert_eq!((memory.high_events, memory.limit_events), (Some(4), Some(3)));
    assert_eq!((memory.oom_events, memory.oom_kills), (Some(2), Some(1)));
    assert_eq!(memory.refaults, Some(7));
    assert_eq!(memory.pressure.and_then(|pressure| pressure.full), Some(Duration::from_micros(2)));
    assert_eq!(group.unknown().count(), 0, "{:?}", group.unknown().collect::<Vec<_>>());

    let mut group = CpuGroup::new(&machine.roots());
    let cpu = group.read(second(1)).expect("a group");
    assert_eq!(cpu.quota_cores, Some(2.5));
    assert_eq!(cpu.throttled_periods, Some(3));
    assert_eq!(cpu.throttled, Some(Duration::from_millis(4)));
}

#[test]
fn version_1_has_other_names_and_units() {
    let machine = Machine::empty();
    machine
        .write("proc/self/mountinfo", V1_MOUNTS)
        .write("proc/self/cgroup", V1_GROUPS)
        .write("sys/fs/cgroup/cpu,cpuacct/worker/cpu.cfs_quota_us", "-1\n")
        .write("sys/fs/cgroup/cpu,cpuacct/worker/cpu.cfs_period_us", "100000\n")
        .write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
        .write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
        .write("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled 7\nthrottled_time 8000000\n")
        .write("sys/fs/cgroup/memory/api/shop/memory.usage_in_bytes", "300\n")
        .write("sys/fs/cgroup/memory/api/shop/memory.limit_in_bytes", "9223372036854771712\n")
        .write("sys/fs/cgroup/memory/api/shop/memory.failcnt", "6\n")
        .write("sys/fs/cgroup/memory/api/shop/memory.oom_control", "under_oom 0\noom_kill 2\n")
        .write(
            "sys/fs/cgroup/memory/api/shop/memory.stat",
            "hierarchical_memory_limit 800\ntotal_pgmajfault 4\n",
        )
        .write("sys/fs/cgroup/memory/api/memory.limit_in_bytes", "900\n");
    let cpu = CpuGroup::new(&machine.roots()).read(second(1)).expect("a group");
    assert_eq!(cpu.quota_cores, Some(0.5));
    assert_eq!(cpu.throttled, Some(Duration::from_millis(8)));
    let memory = MemoryGroup::new(&machine.roots()).read(second(1)).expect("a group");
    assert_eq!(memory.limit_bytes, Some(800), "what a container is told of above");
    assert_eq!((memory.limit_events, memory.oom_kills), (Some(6), Some(2)));
    assert_eq!((memory.usage_bytes, memory.major_faults), (Some(300), Some(4)));
}

#[test]
fn a_group_that_is_gone_or_garbage_is_unknown_and_a_move_is_noticed() {
    let machine = v2_machine();
    let mut group = MemoryGroup::new(&machine.roots());
    machine.write("sys/fs/cgroup/pod/app/memory.max", "10").write("sys/fs/cgroup/pod/memory.max", "\u{0}x");
    assert_eq!(group.read(second(1)).and_then(|memory| memory.limit_bytes), Some(10));
    assert!(group.unknown().any(|unknown| unknown.what == "memory limit" && unknown.why == Why::Malformed));

    machine.write("proc/self/cgroup", "0::/new\n").write("sys/fs/cgroup/new/memory.max", "55\n");
    assert_eq!(group.read(second(2)).and_then(|memory| memory.limit_bytes), Some(10), "not looked at yet");
    assert_eq!(group.read(second(11)).and_then(|memory| memory.limit_bytes), Some(55));

    machine.remove("proc/self/cgroup");
    assert_eq!(group.read(second(21)), None);
    assert!(group.unknown().any(|unknown| unknown.what == "memory control group"));
}
