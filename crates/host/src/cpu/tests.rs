use super::*;
use crate::testing::{Machine, second};
use crate::unknown::Why;

const STAT: &str = "cpu  100 50 30 400 20 1 2 9 4 0\ncpu0 60 50 20 200 10 1 1 4 4 0\ncpu2 40 0 10 200 10 0 1 5 0 0\n\
                    intr 1 2 3\nctxt 5\n";

#[test]
fn times_are_read_for_all_and_each() {
    let (all, cores) = stat(STAT).expect("a stat");
    let millis = Duration::from_millis;
    assert_eq!(
        all,
        CpuTimes {
            user: millis(1_500),
            system: millis(330),
            interrupts: millis(30),
            idle: second(4),
            iowait: millis(200),
            steal: millis(90),
        }
    );
    assert_eq!(cores.iter().map(|core| core.number).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(cores[1].times.steal, millis(50));
}

#[test]
fn half_a_file_gives_whole_lines_only() {
    for length in 0..STAT.len() {
        let Some((all, cores)) = stat(&STAT[..length]) else { continue };
        assert_eq!(all.idle, second(4), "{length}");
        assert!(cores.iter().all(|core| core.times.idle == second(2)), "{length}");
    }
    for wrong in ["", "cpu", "cpu 1 2 3\n", "cpu a b c d\n", "intr 5\n", "cpu  1 2 3 18446744073709551616\n"]
    {
        assert_eq!(stat(wrong), None, "{wrong}");
    }
}

#[test]
fn the_load_is_read() {
    assert_eq!(loadavg("0.83 0.99 1.43 2/109 21613\n"), Some((0.83, 2)));
    for wrong in ["", "0.83", "NaN 1 1 2/3 4", "0.83 0.99 1.43 2 21613", "inf 0 0 1/1 1"] {
        assert_eq!(loadavg(wrong), None, "{wrong}");
    }
}

#[test]
fn the_least_of_cores_affinity_and_quota_counts() {
    let machine = Machine::empty();
    machine.write("proc/stat", "cpu 1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\ncpu2 1 1 1 1\ncpu3 1 1 1 1\n");
    let effective = |now| Cpu::new(&machine.roots()).read(second(now)).effective_cores;
    assert_eq!(effective(1), Some(4.0));
    machine.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0,2-3\n");
    assert_eq!(effective(2), Some(3.0));
    machine.write("proc/self/cgroup", "0::/app\n");
    machine.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    machine.write("sys/fs/cgroup/app/cpu.max", "150000 100000\n");
    assert_eq!(effective(3), Some(1.5));
}

#[test]
fn a_machine_that_tells_nothing_is_unknown_with_reasons() {
    let machine = Machine::empty();
    let mut cpu = Cpu::new(&machine.roots());
    assert_eq!(cpu.read(second(1)), CpuReading::default());
    let unknown: Vec<_> = cpu.unknown().map(|unknown| (unknown.what, unknown.why)).collect();
    assert!(unknown.contains(&("cpu time", Why::Missing)), "{unknown:?}");
    let pressure = cpu.unknown().find(|unknown| unknown.what == "cpu pressure").expect("unknown");
    assert!(pressure.to_string().contains("psi=1"), "{pressure}");
    machine.write("proc/stat", "cpu \u{0} garbage").write("proc/loadavg", [0xff, 0x00]);
    assert_eq!(cpu.read(second(2)), CpuReading::default());
    assert!(cpu.unknown().any(|unknown| unknown.what == "cpu time" && unknown.why == Why::Malformed));
    machine.write("proc/stat", STAT);
    assert!(cpu.read(second(3)).all.is_some());
    assert!(cpu.unknown().all(|unknown| unknown.what != "cpu time"), "known again");
}
